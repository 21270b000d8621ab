import type { Digest } from "@fetch-image/core/registry-image";
import type { BuiltImage, StoredBlob } from "./image.ts";

/** What the embedded registry holds, by repository. Nothing is ever collected. */
export interface Contents {
  add(repository: string, image: BuiltImage, tag: string | undefined): void;
  /** Throws `RangeError` where the repository has no such digest: a defect of the caller. */
  moveTag(repository: string, tag: string, digest: Digest): void;
  /** Whether there was one. */
  deleteTag(repository: string, tag: string): boolean;
  /** Sorted as the registry API asks for: by code unit. Undefined for an unknown repository. */
  tags(repository: string): readonly string[] | undefined;
  manifest(repository: string, tagOrDigest: string): StoredBlob | undefined;
  blob(repository: string, digest: string): StoredBlob | undefined;
}

interface Repository {
  readonly blobs: Map<string, StoredBlob>;
  readonly manifests: Map<string, StoredBlob>;
  readonly tags: Map<string, Digest>;
}

export function createContents(): Contents {
  const repositories = new Map<string, Repository>();
  return {
    add(name, image, tag) {
      const repository = repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
      repositories.set(name, repository);
      for (const blob of image.blobs) repository.blobs.set(blob.digest, blob);
      for (const manifest of image.manifests) repository.manifests.set(manifest.digest, manifest);
      if (tag !== undefined) repository.tags.set(tag, image.digest);
    },
    moveTag(name, tag, digest) {
      const repository = repositories.get(name);
      if (!repository?.manifests.has(digest)) throw new RangeError(`${name} has no manifest ${digest}`);
      repository.tags.set(tag, digest);
    },
    deleteTag: (name, tag) => repositories.get(name)?.tags.delete(tag) ?? false,
    tags(name) {
      const repository = repositories.get(name);
      return repository && [...repository.tags.keys()].toSorted();
    },
    manifest(name, tagOrDigest) {
      const repository = repositories.get(name);
      return repository?.manifests.get(repository.tags.get(tagOrDigest) ?? tagOrDigest);
    },
    blob: (name, digest) => repositories.get(name)?.blobs.get(digest),
  };
}
