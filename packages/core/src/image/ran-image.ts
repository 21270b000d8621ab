import { type Digest, isDigest } from "./digest.ts";

/** Whether a container runs what was resolved. */
export interface RanVerdict {
  /**
   * `same`: the resolved digest itself. `platform`: an image of the resolved index, or the index that lists the resolved
   * image. `different`: neither. `unknown`: nobody can tell, `reason` says why.
   */
  readonly outcome: "same" | "platform" | "different" | "unknown";
  /** What the runtime named. */
  readonly digest?: Digest;
  readonly reason?: string;
}

/** A digest in a runtime's `imageID`. */
export interface RanImage {
  readonly digest: Digest;
  /**
   * Whether it is a manifest's, as every digest behind a repository is. One that stands alone is mostly the hash of an
   * image's config, which no registry resolves to.
   */
  readonly isManifest: boolean;
}

/** What a digest of the repository lists: digests where it is an index, none where it is an image, undefined where it is not known. */
export type ListedDigests = readonly string[] | undefined;

/**
 * Reads a container status's `imageID`: containerd's and CRI-O's `repository@sha256:…`, dockershim's
 * `docker-pullable://repository@sha256:…` and `docker://sha256:…`, a bare `sha256:…`. Undefined for anything else.
 */
export function readImageID(imageID: string): RanImage | undefined {
  const text = imageID.trim().replace(/^(?:docker-pullable|docker|containerd|cri-o):\/\//, "");
  const at = text.lastIndexOf("@");
  const digest = text.slice(at + 1);
  return isDigest(digest) ? { digest, isManifest: at > 0 } : undefined;
}

/**
 * Compares what ran with what was resolved. `listed` is asked only where the digests differ: for the resolved digest, and
 * where that is no index, for the one that ran.
 */
export async function compareRan(
  { resolved, imageID }: { readonly resolved: string | undefined; readonly imageID: string },
  listed: (digest: Digest) => Promise<ListedDigests>,
): Promise<RanVerdict> {
  const ran = readImageID(imageID);
  if (ran === undefined) return { outcome: "unknown", reason: "the runtime names no digest" };
  const { digest, isManifest } = ran;
  const unknown = (reason: string): RanVerdict => ({ outcome: "unknown", digest, reason });
  if (resolved === undefined || !isDigest(resolved)) return unknown("no digest was resolved");
  if (digest === resolved) return { outcome: "same", digest };
  // Nobody asks a registry about a config's hash.
  if (!isManifest) return unknown("the runtime names the image's config, and not its manifest");
  const ofResolved = await listed(resolved);
  if (ofResolved === undefined) return unknown("whether the resolved digest is an index that lists it is not known");
  if (ofResolved.includes(digest)) return { outcome: "platform", digest };
  if (ofResolved.length > 0) return { outcome: "different", digest };
  const ofRan = await listed(digest);
  if (ofRan === undefined) return unknown("whether what ran is an index that lists the resolved image is not known");
  return { outcome: ofRan.includes(resolved) ? "platform" : "different", digest };
}
