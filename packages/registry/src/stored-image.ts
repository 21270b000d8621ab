import type { ArtifactStore, CancelSignal, Digest } from "@fetch-image/core/registry-image";
import type { Descriptor, Platform } from "./manifest.ts";
import type { WantedPlatform } from "./platform.ts";
import type { ArtifactProgress } from "./pull-progress.ts";

/** A manifest or an index, byte for byte as the registry has it; its bytes hash to its digest. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** What `fetchImage` brought into the store, and from where. */
export interface StoredImage {
  /** As asked for. */
  readonly digest: Digest;
  /** The registry that answered, of the mirror or of the source's own: `registry-1.docker.io` for Docker Hub. */
  readonly host: string;
  /** Whether the source's mirror gave it. */
  readonly mirrored: boolean;
  /** What `digest` names: a manifest or an index. */
  readonly root: StoredManifest;
  /** The one image for the platform that is wanted. */
  readonly image: {
    readonly manifest: StoredManifest;
    readonly config: Descriptor;
    /** The lowest first; one that stands twice in the manifest stands twice here. */
    readonly layers: readonly Descriptor[];
    /** What it says it is built for, by its index or else its config; `unknown/unknown` where neither says it. */
    readonly platform: Platform;
    /** Of its manifest. */
    readonly annotations: { readonly [key: string]: string };
  };
  /**
   * Everything of it that is in the store, each once: the manifests that lead to the image (or all of them), its config
   * and, unless only that was asked for, its layers. With every platform, of all images of the index, however nested.
   */
  readonly blobs: readonly Digest[];
  /** Size of `blobs`. */
  readonly bytes: number;
  /** How much came over the network, a repeated or useless byte included; the rest was in the store. */
  readonly downloadedBytes: number;
}

export interface FetchImageOptions {
  readonly store: ArtifactStore;
  /** Default: linux on this machine's processor. */
  readonly platform?: WantedPlatform;
  /** Of an index: all its images, and not only the one for the platform. Default: false. */
  readonly everyPlatform?: boolean;
  /** Default: `everything`. With `config only` no layer is fetched. */
  readonly content?: "everything" | "config only";
  readonly signal: CancelSignal;
  readonly onProgress?: (progress: ArtifactProgress) => void;
}
