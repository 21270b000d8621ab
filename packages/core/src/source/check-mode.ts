import { parseReference } from "../image/reference.ts";
import type { FetchImageError } from "../errors/fetch-image-error.ts";
import { type VersionRule, versionRule } from "../version/version-rule.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { isSet, sourceFieldNames, sourceFields } from "./source-fields.ts";

/** Who finds the newest version of a source. `field` is the one that our own client cannot answer faithfully. */
export type CheckMode =
  | { readonly mode: "native"; readonly rule: VersionRule["mode"] }
  | { readonly mode: "unsupported"; readonly field: keyof RegistryImageSource; readonly reason: string }
  /** The source's pattern or constraint is none: nobody can check it. */
  | { readonly mode: "invalid"; readonly error: FetchImageError };

/**
 * Whether our own client checks a source as the resource does. An unsupported one is never guessed at: the resource is
 * run as a step instead, and the fact names the field.
 *
 * | the source has | mode | why |
 * |---|---|---|
 * | any `aws_*` that is set | unsupported | ECR rewrites the repository and takes tokens from AWS' own API |
 * | `azure_acr`, or any `azure_*` that is set | unsupported | managed identities are asked of Azure |
 * | a `tag_regex` beyond our matcher's bounds | unsupported | matching could take minutes |
 * | `tag` | native | it wins over all below: the digest it points to is the answer |
 * | `tag_regex` (with or without `created_at_sort`) | native | every tag is listed and matched |
 * | neither, with `variant`, `semver_constraint`, `pre_…` or without | native | semver tags; never just `latest` |
 * | `registry_mirror` | native | asked first, and only for images of Docker Hub, as the resource does |
 *
 * `username`, `password`, `insecure`, `ca_certs` are the client's own business; `platform`, `label_regex`,
 * `annotation_regex`, `content_trust` and `debug` change no version.
 */
export function checkMode(source: RegistryImageSource): CheckMode {
  const field = sourceFieldNames.find((name) => sourceFields[name].check === "as a step" && isSet(source[name]));
  if (field !== undefined) return { mode: "unsupported", field, reason: sourceFields[field].why };
  const parsed = versionRule(source);
  if (parsed.ok) return { mode: "native", rule: parsed.rule.mode };
  const { error } = parsed;
  if (error.code !== "FI_SOURCE_UNSUPPORTED") return { mode: "invalid", error };
  return { mode: "unsupported", field: "tag_regex", reason: error.message };
}

/** Only images of Docker Hub are mirrored, so that one mirror can be the default of all sources. */
export function isOnDockerHub(repository: string): boolean {
  const parsed = parseReference(repository);
  return parsed.ok && parsed.reference.domain === "docker.io";
}
