import type { Json } from "../json.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";

/** Something in a source that does not have the shape it must have. Holds no value. */
export interface ShapeIssue {
  /** Names of fields, and places in lists from 0. */
  readonly path: readonly (string | number)[];
  readonly is: "unknown" | "missing" | Wanted;
}

/** What a field must be. */
export type Wanted = "a string" | "true or false" | "a list" | "an object";

interface Field {
  readonly wanted: Wanted;
  /** Of a list's items; of an object's fields, all there may be, and those that must be there. */
  readonly items?: Field;
  readonly fields?: { readonly [name: string]: Field };
  readonly needs?: readonly string[];
}

const text: Field = { wanted: "a string" };
const texts: Field = { wanted: "a list", items: text };
const yesOrNo: Field = { wanted: "true or false" };

// By hand, and not by a library: what must start fast reads a source, too.
const sourceFieldShapes: { readonly [Name in keyof Required<RegistryImageSource>]: Field } = {
  repository: text,
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
  registry_mirror: { wanted: "an object", fields: { host: text, username: text, password: text }, needs: ["host"] },
  platform: { wanted: "an object", fields: { architecture: text, os: text } },
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
  content_trust: {
    wanted: "an object",
    fields: {
      server: text,
      repository_key_id: text,
      repository_key: text,
      repository_passphrase: text,
      tls_key: text,
      tls_cert: text,
      scopes: text,
      username: text,
      password: text,
    },
  },
  debug: yesOrNo,
};

const source: Field = { wanted: "an object", fields: sourceFieldShapes, needs: ["repository"] };

/** Everything in which the value is no source; where there is nothing, it is one. Known fields first, in their order. */
export function shapeIssues(value: Json): readonly ShapeIssue[] {
  return issuesAt([], value, source);
}

function issuesAt(
  path: ShapeIssue["path"],
  value: Json,
  { wanted, items, fields, needs = [] }: Field,
): readonly ShapeIssue[] {
  if (!isWhat[wanted](value)) return [{ path, is: wanted }];
  if (items !== undefined)
    return Object.values(value ?? {}).flatMap((item, at) => issuesAt([...path, at], item, items));
  if (fields === undefined) return [];
  const entries = Object.entries(value ?? {});
  if (isShaped(entries, fields, needs)) return [];
  const given = new Map(entries);
  const known = Object.entries(fields).flatMap(([name, field]): readonly ShapeIssue[] => {
    const inner = given.get(name);
    if (inner !== undefined) return issuesAt([...path, name], inner, field);
    return needs.includes(name) ? [{ path: [...path, name], is: "missing" }] : [];
  });
  const unknown = [...given.keys()].filter((name) => !Object.hasOwn(fields, name));
  return [...known, ...unknown.map((name): ShapeIssue => ({ path: [...path, name], is: "unknown" }))];
}

/** Whether there is no issue, as there is none as a rule: looks at the fields that are there, not at all there could be. */
function isShaped(
  entries: readonly (readonly [string, Json])[],
  fields: NonNullable<Field["fields"]>,
  needs: readonly string[],
): boolean {
  for (const [name, given] of entries) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined || field.items !== undefined || field.fields !== undefined) return false;
    if (!isWhat[field.wanted](given)) return false;
  }
  return needs.every((needed) => entries.some(([name]) => name === needed));
}

const isWhat: { readonly [Kind in Wanted]: (value: Json) => boolean } = {
  "a string": (value) => typeof value === "string",
  "true or false": (value) => typeof value === "boolean",
  "a list": (value) => Array.isArray(value),
  "an object": (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};
