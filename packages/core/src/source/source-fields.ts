import type { RegistryImageSource } from "./registry-image-source.ts";

/** What a field of the source means beyond its value. */
export interface SourceField {
  /** What may be shown and stored of it. */
  readonly public: "value" | "count" | "nothing";
  /**
   * Whether it can change the digest that a check finds, or whom the registry thinks it talks to: then it tells one
   * scope from another. A field too many only splits a history; a field too few mixes two.
   */
  readonly scope: "always" | "without a tag" | "as credential identity" | "never";
  /**
   * Who checks a source that has a tag and this field: our own client always, or, where a cloud has to log in first,
   * our own client if its configuration allows that login; else the resource run as a step.
   */
  readonly check: "native" | "with a cloud's login";
  readonly why: string;
}

/**
 * Every field of a registry-image source, in the order in which public sources show them. A new field does not compile
 * until its row is written. Upstream: concourse/registry-image-resource, types.go and commands/check.go.
 */
export const sourceFields: { readonly [Name in keyof Required<RegistryImageSource>]: SourceField } = {
  repository: row("value", "always", "native", "it names what is asked for"),
  tag: row("value", "always", "native", "it wins over every other way to choose a version"),
  tag_regex: row("value", "without a tag", "native", "a tag wins over it"),
  created_at_sort: row("value", "without a tag", "native", "it orders what tag_regex matches"),
  variant: row("value", "without a tag", "native", "a tag wins over semver tags"),
  semver_constraint: row("value", "without a tag", "native", "a tag wins over semver tags"),
  pre_releases: row("value", "without a tag", "native", "a tag wins over semver tags"),
  pre_release_prefixes: row("value", "without a tag", "native", "a tag wins over semver tags"),
  username: row("nothing", "as credential identity", "native", "what one user may see another may not"),
  password: row("nothing", "never", "native", "a rotated password is the same user's"),
  insecure: row("value", "always", "native", "an answer over http may be forged; only who allows http may share it"),
  ca_certs: row(
    "count",
    "always",
    "native",
    "an answer from a server of one's own CA may be shared only with its kind",
  ),
  registry_mirror: row(
    "value",
    "always",
    "native",
    "a mirror may lag behind, and is asked first; only Docker Hub's images are mirrored",
  ),
  platform: row("value", "without a tag", "native", "a tag's digest is its index's, whatever the platform"),
  aws_access_key_id: row(
    "nothing",
    "as credential identity",
    "with a cloud's login",
    "the key says who asks; ECR's tokens come from AWS' own API",
  ),
  aws_secret_access_key: row("nothing", "never", "with a cloud's login", "a rotated key is the same identity's"),
  aws_session_token: row(
    "nothing",
    "never",
    "with a cloud's login",
    "sessions of one identity differ only in their token",
  ),
  aws_region: row("value", "always", "with a cloud's login", "it turns ECR on and is part of the registry's host"),
  aws_role_arn: row("nothing", "as credential identity", "with a cloud's login", "the role decides what may be seen"),
  aws_role_arns: row("nothing", "as credential identity", "with a cloud's login", "the roles decide what may be seen"),
  aws_account_id: row(
    "nothing",
    "as credential identity",
    "with a cloud's login",
    "the account is part of the registry's host",
  ),
  aws_ecr_registry_id: row(
    "nothing",
    "as credential identity",
    "with a cloud's login",
    "the older name of the account; the resource only warns of it",
  ),
  azure_acr: row("value", "always", "with a cloud's login", "it turns the machine's own Azure identity on"),
  azure_client_id: row(
    "nothing",
    "as credential identity",
    "with a cloud's login",
    "the identity decides what may be seen",
  ),
  azure_tenant_id: row(
    "nothing",
    "as credential identity",
    "with a cloud's login",
    "the registry's home, where the identity's token is exchanged",
  ),
  azure_environment: row("value", "always", "with a cloud's login", "it chooses the cloud that is asked"),
  azure_auth_type: row("value", "always", "with a cloud's login", "it chooses which of the machine's identities asks"),
  label_regex: row("value", "never", "native", "it only adds metadata to a get"),
  annotation_regex: row("value", "never", "native", "it only adds metadata to a get"),
  content_trust: row("nothing", "never", "native", "only a put uses it"),
  debug: row("value", "never", "native", "it only makes the resource say more"),
};

/** In the table's order. */
export const sourceFieldNames: readonly (keyof RegistryImageSource)[] = Object.keys(sourceFields).filter(isSourceField);

/** Whether the field says anything: the resource takes `""`, `false` and nothing alike, as Go's zero values. */
export function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return false;
  return typeof value !== "object" || Object.values(value).some((part) => Array.isArray(value) || isSet(part));
}

function isSourceField(name: string): name is keyof RegistryImageSource {
  return Object.hasOwn(sourceFields, name);
}

function row(
  shown: SourceField["public"],
  scope: SourceField["scope"],
  check: SourceField["check"],
  why: string,
): SourceField {
  return { public: shown, scope, check, why };
}
