import { formatReference, parseReference } from "../image/reference.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Hash } from "../ports/hash.ts";
import { canonicalJson } from "./canonical-json.ts";
import { isOnDockerHub } from "./check-mode.ts";
import { credentialIdentity } from "./credential.ts";
import { publicSource } from "./public-source.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { isSet, sourceFieldNames, sourceFields } from "./source-fields.ts";

/** A resource config scope: one version history for all who ask the same question as the same user. */
export interface Scope {
  /** 32 hex digits of the SHA-256 of everything that can change the answer. Part of a stream's name: it never changes. */
  readonly id: string;
  /** Canonical, without tag: `docker.io/library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  /** The public source of whoever is asking: others of the same scope may have written it differently. */
  readonly source: JsonObject;
  /** `cred-` and 12 hex digits that tell one identity from another; null when the registry is asked anonymously. */
  readonly credential: string | null;
}

/**
 * The scope that a source belongs to. Which fields take part, and why, stands in {@link sourceFields}: a rotated
 * password keeps the scope, another user is another one, and `busybox` shares one with `docker.io/library/busybox`.
 * A login that comes from configuration, as `ImageRegistry.identity` tells it, is part of who asks: what it may see must
 * not answer those who ask without it. Throws `FI_REFERENCE_INVALID` for a repository that `parseRegistryImageSource`
 * would have refused.
 */
export function scopeOf(type: string, source: RegistryImageSource, hash: Hash, configured?: JsonObject): Scope {
  const repository = canonicalRepository(source);
  const tag = isSet(source.tag) ? source.tag : undefined;
  const identity = credentialIdentity(source, configured);
  const shown = publicSource(source);
  const deciding = decidingFields(source, shown, tag !== undefined);
  const who = identity ?? null;
  const question =
    tag === undefined
      ? { credential: who, repository, source: deciding, type }
      : { credential: who, repository, source: deciding, tag, type };
  const id = hash.sha256Hex(canonicalJson(question)).slice(0, 32);
  const credential = identity === undefined ? null : `cred-${hash.sha256Hex(canonicalJson(identity)).slice(0, 12)}`;
  return tag === undefined
    ? { id, repository, source: shown, credential }
    : { id, repository, tag, source: shown, credential };
}

function canonicalRepository(source: RegistryImageSource): string {
  const parsed = parseReference(source.repository);
  if (!parsed.ok) throw parsed.error;
  const { domain, path } = parsed.reference;
  if (!isSet(source.aws_region)) return formatReference({ domain, path });
  // With a region the resource puts ECR's host, whose account AWS names, in front of the repository as it is written.
  return `dkr.ecr.${source.aws_region}.amazonaws.com/${source.repository}`;
}

/** Beside repository, tag and credential, which stand for themselves. */
function decidingFields(source: RegistryImageSource, shown: JsonObject, hasTag: boolean): JsonObject {
  const fields: { [name: string]: Json } = {};
  for (const name of sourceFieldNames) {
    const value = shown[name];
    if (value === undefined || name === "repository" || name === "tag") continue;
    const { scope } = sourceFields[name];
    if (scope === "never" || scope === "as credential identity" || (scope === "without a tag" && hasTag)) continue;
    if (name === "registry_mirror" && !isOnDockerHub(source.repository)) continue;
    fields[name] = name === "ca_certs" ? certificateSet(source.ca_certs ?? []) : value;
  }
  return fields;
}

/** What is trusted, in whatever order and spacing it is written. */
function certificateSet(certificates: readonly string[]): string[] {
  return [...new Set(certificates.map((certificate) => certificate.trim()))].toSorted();
}
