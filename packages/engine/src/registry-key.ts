import type { RegistryImageSource } from "@fetch-image/core";

/** Whom a question is put to, and as whom: what one answer tells of limits and health holds for all with the same key. */
export interface RegistryKey {
  /** As images name it: `docker.io`. */
  readonly registry: string;
  /** The SHA-256 of it names the stream. */
  readonly key: string;
}

/** `repository`: canonical, without tag. */
export function registryKeyOf(repository: string, source: RegistryImageSource, credential: string | null): RegistryKey {
  const registry = repository.slice(0, repository.indexOf("/"));
  // Only Docker Hub's images are mirrored.
  const mirror = registry === "docker.io" ? (source.registry_mirror?.host ?? "") : "";
  return { registry, key: `${registry}\n${mirror}\n${credential ?? ""}` };
}
