import { FetchImageError, type ImageReference, parseReference, showText } from "@fetch-image/core";

/**
 * The images of the resource types that ship with Concourse 7 (its release bundles them; on Kubernetes the kubelet
 * pulls them). A step of such a type runs this image: base types never go through FetchImage. Without a tag, so the
 * kubelet takes `latest`; pin them with overrides.
 */
export const baseResourceTypeImages: { readonly [type: string]: string } = {
  "bosh-io-release": "concourse/bosh-io-release-resource",
  "bosh-io-stemcell": "concourse/bosh-io-stemcell-resource",
  cf: "concourse/cf-resource",
  "docker-image": "concourse/docker-image-resource",
  git: "concourse/git-resource",
  "github-release": "concourse/github-release-resource",
  hg: "concourse/hg-resource",
  mock: "concourse/mock-resource",
  pool: "concourse/pool-resource",
  "registry-image": "concourse/registry-image-resource",
  s3: "concourse/s3-resource",
  semver: "concourse/semver-resource",
  time: "concourse/time-resource",
};

/** Base type to image reference, laid over {@link baseResourceTypeImages}: it may replace types and add new ones. */
export type BaseTypeOverrides = { readonly [type: string]: string };

/**
 * The image of a base resource type; undefined for a type that is none. The prefix, a registry or one and a path, stands
 * before what the built-in table has. Throws `FI_SETTING_INVALID` for an override that is no image reference, as
 * `parseBaseTypeOverrides` would have said.
 */
export function resolveBaseResourceType(
  type: string,
  overrides: BaseTypeOverrides = {},
  { prefix }: { readonly prefix?: string | undefined } = {},
): ImageReference | undefined {
  // Types are the users' words, and "constructor" is one: only what the tables themselves hold counts.
  const table = [overrides, baseResourceTypeImages].find((images) => Object.hasOwn(images, type));
  const own = table?.[type];
  if (own === undefined) return undefined;
  const image = table === baseResourceTypeImages && prefix !== undefined ? `${prefix}/${own}` : own;
  const parsed = parseReference(image);
  if (!parsed.ok) throw overrideInvalid(type, parsed.error);
  return parsed.reference;
}

export type ParsedBaseTypeOverrides =
  | { readonly ok: true; readonly overrides: BaseTypeOverrides }
  | { readonly ok: false; readonly error: FetchImageError };

/** Reads settings of the form `git=registry.example.com/git-resource:v2`. The error is `FI_SETTING_INVALID`. */
export function parseBaseTypeOverrides(settings: readonly string[]): ParsedBaseTypeOverrides {
  const overrides = new Map<string, string>();
  for (const setting of settings) {
    const equals = setting.indexOf("=");
    const type = setting.slice(0, Math.max(equals, 0)).trim();
    const image = setting.slice(equals + 1).trim();
    const error = settingFault(setting, type, image, overrides);
    if (error !== undefined) return { ok: false, error };
    overrides.set(type, image);
  }
  return { ok: true, overrides: Object.fromEntries(overrides) };
}

function settingFault(
  setting: string,
  type: string,
  image: string,
  earlier: ReadonlyMap<string, string>,
): FetchImageError | undefined {
  if (!setting.includes("=")) return malformed(`${showText(setting)} has no "="`);
  if (type === "") return malformed(`${showText(setting)} names no resource type before "="`);
  if (image === "") return malformed(`${showText(setting)} names no image after "="`);
  const parsed = parseReference(image);
  if (!parsed.ok) return overrideInvalid(type, parsed.error);
  const before = earlier.get(type);
  if (before === undefined || before === image) return undefined;
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `base resource type ${showText(type)} is given two images: ${showText(before)} and ${showText(image)}`,
    hint: "Keep one of them.",
  });
}

function malformed(problem: string): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `base resource type ${problem}`,
    hint: "Write it as TYPE=IMAGE: git=registry.example.com/git-resource:v2.",
  });
}

function overrideInvalid(type: string, cause: FetchImageError): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `base resource type ${showText(type)}: ${cause.message}`,
    hint: cause.hint,
    details: { type: showText(type).slice(1, -1), ...cause.details },
    cause,
  });
}
