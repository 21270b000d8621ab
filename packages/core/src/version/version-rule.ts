import type { FetchImageError } from "../errors/fetch-image-error.ts";
import type { RegistryImageSource } from "../source/registry-image-source.ts";
import { parseVersionConstraint, type VersionConstraint } from "./constraint.ts";
import { compileTagRegex, type TagRegex } from "./tag-regex.ts";

/** How a source's versions are found among a repository's tags. */
export type VersionRule =
  | { readonly mode: "tag"; readonly tag: string }
  | { readonly mode: "tag_regex"; readonly regex: TagRegex; readonly byCreation: boolean }
  | SemverRule;

/** Every tag that is a version is one, oldest first. */
export interface SemverRule {
  readonly mode: "semver";
  /** The tag that is no version and is taken nevertheless: `latest`, or the variant's own name. */
  readonly bareTag: string;
  /** What follows the version in a tag: `-alpine`, or nothing. */
  readonly suffix: string;
  readonly constraint?: VersionConstraint;
  /** Which pre-releases are wanted; undefined where none are. */
  readonly preReleases?: {
    readonly prefixes: readonly string[];
    /** Whether a dash in a pre-release tells another variant, which is not wanted. */
    readonly dashIsVariant: boolean;
  };
}

export type ParsedVersionRule =
  { readonly ok: true; readonly rule: VersionRule } | { readonly ok: false; readonly error: FetchImageError };

/** The fields of a source that say which versions it has. */
export type VersionSource = Pick<
  RegistryImageSource,
  "tag" | "tag_regex" | "created_at_sort" | "variant" | "semver_constraint" | "pre_releases" | "pre_release_prefixes"
>;

/** What counts as a pre-release at all; other words after the version are variants. */
const usualPrefixes = ["alpha", "beta", "rc"];

/**
 * The rule of a source: `tag` wins over `tag_regex`, that over everything else, and what does not count is not read.
 * The error is `FI_SOURCE_INVALID` or `FI_SOURCE_UNSUPPORTED` and names the field.
 */
export function versionRule(source: VersionSource): ParsedVersionRule {
  const { tag = "", tag_regex: pattern = "" } = source;
  if (tag !== "") return { ok: true, rule: { mode: "tag", tag } };
  if (pattern === "") return semverRule(source);
  const compiled = compileTagRegex(pattern);
  if (!compiled.ok) return compiled;
  return {
    ok: true,
    rule: { mode: "tag_regex", regex: compiled.regex, byCreation: source.created_at_sort === true },
  };
}

function semverRule(source: VersionSource): ParsedVersionRule {
  const { variant = "", semver_constraint: constraint = "", pre_release_prefixes: prefixes = [] } = source;
  const parsed = constraint === "" ? undefined : parseVersionConstraint(constraint);
  if (parsed?.ok === false) return parsed;
  return {
    ok: true,
    rule: {
      mode: "semver",
      bareTag: variant === "" ? "latest" : variant,
      suffix: variant === "" ? "" : `-${variant}`,
      ...(parsed === undefined ? {} : { constraint: parsed.constraint }),
      ...(source.pre_releases === true
        ? { preReleases: { prefixes: [...usualPrefixes, ...prefixes], dashIsVariant: prefixes.length === 0 } }
        : {}),
    },
  };
}
