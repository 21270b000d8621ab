import { parseReference } from "../image/reference.ts";
import type { FetchImageError } from "../errors/fetch-image-error.ts";
import type { ImageRegistry } from "../ports/image-registry.ts";
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
 * | a `tag_regex` that is none, a `semver_constraint` that is none | invalid | nobody can check it |
 * | a `tag_regex` beyond our matcher's bounds | unsupported | matching could take minutes |
 * | `aws_region`, `azure_acr` | native if the registry can log in as asked, else unsupported | ECR's and ACR's tokens come from the cloud's own API, for a key of the source or for the machine itself |
 * | `tag` | native | it wins over all below: the digest it points to is the answer |
 * | `tag_regex` (with or without `created_at_sort`) | native | every tag is listed and matched |
 * | neither, with `variant`, `semver_constraint`, `pre_…` or without | native | semver tags; never just `latest` |
 * | `registry_mirror` | native | asked first, and only for images of Docker Hub, as the resource does |
 *
 * `username`, `password`, `insecure`, `ca_certs` are the client's own business; `platform`, `label_regex`,
 * `annotation_regex`, `content_trust` and `debug` change no version.
 *
 * `registry` has the word on clouds' logins; where it cannot tell, none is answered natively.
 */
export function checkMode(source: RegistryImageSource, registry?: Pick<ImageRegistry, "unanswerable">): CheckMode {
  const parsed = versionRule(source);
  if (!parsed.ok) {
    const { error } = parsed;
    if (error.code !== "FI_SOURCE_UNSUPPORTED") return { mode: "invalid", error };
    return { mode: "unsupported", field: "tag_regex", reason: error.message };
  }
  const cannot = registry?.unanswerable === undefined ? cloudLogin(source) : registry.unanswerable(source);
  return cannot === undefined ? { mode: "native", rule: parsed.rule.mode } : { mode: "unsupported", ...cannot };
}

function cloudLogin(source: RegistryImageSource): { field: keyof RegistryImageSource; reason: string } | undefined {
  const field = sourceFieldNames.find(
    (name) => sourceFields[name].check === "with a cloud's login" && isSet(source[name]),
  );
  return field && { field, reason: sourceFields[field].why };
}

/** Only images of Docker Hub are mirrored, so that one mirror can be the default of all sources. */
export function isOnDockerHub(repository: string): boolean {
  const parsed = parseReference(repository);
  return parsed.ok && parsed.reference.domain === "docker.io";
}
