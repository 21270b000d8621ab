import { z } from "zod";
import type { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Digest } from "../image/digest.ts";
import type { Json, JsonObject } from "../json.ts";
import { shapeProblems, sourceInvalid, valueProblems } from "./source-problems.ts";

/**
 * The source of a `registry-image` resource (upstream concourse/registry-image-resource, types.go), validated:
 * unknown fields are refused by name, as the resource itself does.
 */
export interface RegistryImageSource {
  /** As written; `busybox` means `docker.io/library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly tag_regex?: string;
  readonly created_at_sort?: boolean;
  readonly variant?: string;
  readonly semver_constraint?: string;
  readonly pre_releases?: boolean;
  readonly pre_release_prefixes?: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly insecure?: boolean;
  /** PEM certificates, trusted beside the system's. */
  readonly ca_certs?: readonly string[];
  readonly registry_mirror?: { readonly host: string; readonly username?: string; readonly password?: string };
  readonly platform?: { readonly architecture?: string; readonly os?: string };
  readonly aws_access_key_id?: string;
  readonly aws_secret_access_key?: string;
  readonly aws_session_token?: string;
  readonly aws_region?: string;
  readonly aws_role_arn?: string;
  readonly aws_role_arns?: readonly string[];
  readonly aws_account_id?: string;
  readonly aws_ecr_registry_id?: string;
  readonly azure_acr?: boolean;
  readonly azure_client_id?: string;
  readonly azure_tenant_id?: string;
  readonly azure_environment?: string;
  /** `workload_identity`; anything else is the machine's managed identity. */
  readonly azure_auth_type?: string;
  readonly label_regex?: string;
  readonly annotation_regex?: string;
  /** For put only: accepted, not used. */
  readonly content_trust?: { readonly [field: string]: unknown };
  readonly debug?: boolean;
}

/** The version of a registry-image. `digest` is absent only in a pin or a stepRunner's answer that lacks it. */
export interface ImageVersion {
  readonly tag?: string;
  readonly digest?: Digest;
}

export type ParsedSource =
  { readonly ok: true; readonly source: RegistryImageSource } | { readonly ok: false; readonly error: FetchImageError };

/**
 * Reads the source of a `registry-image`, as the resource itself does: unknown fields are refused; a number is taken
 * for a `tag` (42.1 is "42.1"); `null` and an empty string mean that an optional field is not there. Never throws.
 * The error (`FI_SOURCE_INVALID`) names each field at fault (`details.field` the first) and shows no field's value but
 * the repository's, cut as `parseReference` cuts it.
 */
export function parseRegistryImageSource(source: JsonObject): ParsedSource {
  const given = withoutNothing(source);
  const read = schema.safeParse(given);
  const problems = read.success ? valueProblems(read.data) : shapeProblems(read.error.issues, given);
  if (!read.success || problems.length > 0) return { ok: false, error: sourceInvalid(problems) };
  return { ok: true, source: read.data };
}

const text = z.string().exactOptional();
const texts = z.array(z.string()).readonly().exactOptional();
const yesOrNo = z.boolean().exactOptional();

const schema = z.strictObject({
  repository: z.string(),
  tag: text,
  tag_regex: text,
  created_at_sort: yesOrNo,
  variant: text,
  semver_constraint: text,
  pre_releases: yesOrNo,
  pre_release_prefixes: texts,
  username: text,
  password: text,
  insecure: yesOrNo,
  ca_certs: texts,
  registry_mirror: z.strictObject({ host: z.string(), username: text, password: text }).exactOptional(),
  platform: z.strictObject({ architecture: text, os: text }).exactOptional(),
  aws_access_key_id: text,
  aws_secret_access_key: text,
  aws_session_token: text,
  aws_region: text,
  aws_role_arn: text,
  aws_role_arns: texts,
  aws_account_id: text,
  aws_ecr_registry_id: text,
  azure_acr: yesOrNo,
  azure_client_id: text,
  azure_tenant_id: text,
  azure_environment: text,
  azure_auth_type: text,
  label_regex: text,
  annotation_regex: text,
  content_trust: z
    .strictObject({
      server: text,
      repository_key_id: text,
      repository_key: text,
      repository_passphrase: text,
      tls_key: text,
      tls_cert: text,
      scopes: text,
      username: text,
      password: text,
    })
    .exactOptional(),
  debug: yesOrNo,
}) satisfies z.ZodType<RegistryImageSource>;

/** What Go's decoder makes of it: `null` and `""` leave a field at its zero value; a numeric tag is its own text. */
function withoutNothing(source: Json): Json {
  if (!isObject(source)) return source;
  const { tag } = source;
  const fields = Object.entries(withoutNothingHere(source)).map(([name, field]) => [
    name,
    isObject(field) ? withoutNothingHere(field) : field,
  ]);
  return { ...Object.fromEntries(fields), ...(typeof tag === "number" ? { tag: String(tag) } : {}) };
}

function withoutNothingHere(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, field]) => field !== null && field !== ""));
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
