import type { Hash, RegistryImageSource } from "@fetch-image/core/fetching";

/** Whom a question is put to, and as whom. */
export interface RegistryKey {
  /** As images name it: `docker.io`. */
  readonly registry: string;
  readonly key: string;
}

/** What one answer tells of a registry's limits and health holds for all questions with the same key. */
export function registryKeyOf(question: KeyParts): RegistryKey;
/** With an id for its stream: 32 hex digits. */
export function registryKeyOf(question: KeyParts, hash: Hash): RegistryKey & { readonly id: string };
export function registryKeyOf({ repository, source, credential }: KeyParts, hash?: Hash): RegistryKey {
  const registry = repository.slice(0, repository.indexOf("/"));
  // Only Docker Hub's images are mirrored.
  const mirror = registry === "docker.io" ? source.registry_mirror?.host : undefined;
  const key = [registry, mirror ?? "", credential ?? ""].join("\n");
  return { registry, key, ...(hash === undefined ? {} : { id: hash.sha256Hex(key).slice(0, 32) }) };
}

interface KeyParts {
  /** Canonical, without tag. */
  readonly repository: string;
  readonly source: RegistryImageSource;
  readonly credential: string | null;
}
