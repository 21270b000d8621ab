import { parseReference } from "../image/reference.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { isSet, sourceFieldNames, sourceFields } from "./source-fields.ts";

/** How the newest version of a source is found. `field` is the one that our own client cannot answer faithfully. */
export type CheckMode =
  | { readonly mode: "tag"; readonly tag: string }
  | { readonly mode: "unsupported"; readonly field: keyof RegistryImageSource; readonly reason: string };

/**
 * Which rule a source's check follows, and whether our own client knows it. An unsupported one is never guessed at: the
 * resource is run as a step instead, and the fact names the field.
 *
 * | the source has | mode | why |
 * |---|---|---|
 * | any `aws_*` that is set | unsupported | ECR rewrites the repository and takes tokens from AWS' own API |
 * | `azure_acr`, or any `azure_*` that is set | unsupported | managed identities are asked of Azure |
 * | `registry_mirror`, and a repository on Docker Hub | unsupported | the mirror is asked first, and may lag behind |
 * | `registry_mirror`, and any other repository | as without | the resource ignores it there |
 * | `tag` | tag | it wins over all below, as in the resource: the digest it points to is the answer |
 * | `tag_regex` (with or without `created_at_sort`) | unsupported | every tag is listed and matched |
 * | neither, with `variant`, `semver_constraint`, `pre_…` or without | unsupported | semver tags; never just `latest` |
 *
 * `username`, `password`, `insecure`, `ca_certs` are the client's own business; `platform`, `label_regex`,
 * `annotation_regex`, `content_trust` and `debug` change no tag's digest.
 */
export function checkMode(source: RegistryImageSource): CheckMode {
  const field = sourceFieldNames.find((name) => checkedAsStep(name, source));
  if (field !== undefined) return { mode: "unsupported", field, reason: sourceFields[field].why };
  if (isSet(source.tag) && source.tag !== undefined) return { mode: "tag", tag: source.tag };
  if (isSet(source.tag_regex)) {
    return { mode: "unsupported", field: "tag_regex", reason: "every tag must be listed and matched" };
  }
  const reason = "without tag and tag_regex the versions are the repository's semver tags, which must all be listed";
  return { mode: "unsupported", field: semverFields.find((name) => isSet(source[name])) ?? "tag", reason };
}

const semverFields = ["semver_constraint", "variant", "pre_releases", "pre_release_prefixes"] as const;

function checkedAsStep(name: keyof RegistryImageSource, source: RegistryImageSource): boolean {
  if (sourceFields[name].check === "native" || source[name] === undefined) return false;
  return name === "registry_mirror" ? isOnDockerHub(source.repository) : isSet(source[name]);
}

/** Only images of Docker Hub are mirrored, so that one mirror can be the default of all sources. */
export function isOnDockerHub(repository: string): boolean {
  const parsed = parseReference(repository);
  return parsed.ok && parsed.reference.domain === "docker.io";
}
