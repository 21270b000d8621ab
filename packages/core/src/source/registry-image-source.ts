import type { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Digest } from "../image/digest.ts";
import type { Json, JsonObject } from "../json.ts";
import { shapeProblems, sourceInvalid, valueProblems } from "./source-problems.ts";
import { type ShapeIssue, shapeIssues } from "./source-shape.ts";

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
  const issues = shapeIssues(given);
  if (!isSource(given, issues)) return { ok: false, error: sourceInvalid(shapeProblems(issues, given)) };
  const problems = valueProblems(given);
  return problems.length > 0 ? { ok: false, error: sourceInvalid(problems) } : { ok: true, source: given };
}

function isSource(_value: Json, issues: readonly ShapeIssue[]): _value is Json & RegistryImageSource {
  return issues.length === 0;
}

/** What Go's decoder makes of it: `null` and `""` leave a field at its zero value; a numeric tag is its own text. */
function withoutNothing(source: Json): Json {
  if (!isObject(source)) return source;
  const { tag } = source;
  if (typeof tag !== "number" && Object.values(source).every(isPlain)) return { ...source };
  const fields = Object.entries(withoutNothingHere(source)).map(([name, field]) => [
    name,
    isObject(field) ? withoutNothingHere(field) : field,
  ]);
  return { ...Object.fromEntries(fields), ...(typeof tag === "number" ? { tag: String(tag) } : {}) };
}

/** Whether Go's decoder keeps the value as it is. */
function isPlain(value: Json): boolean {
  return value !== "" && (typeof value !== "object" || Array.isArray(value));
}

function withoutNothingHere(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, field]) => field !== null && field !== ""));
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
