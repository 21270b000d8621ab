import {
  FetchImageError,
  formatReference,
  type ImageSpec,
  parseReference,
  referenceOfImageURL,
  showText,
} from "@fetch-image/core";
import { type BaseTypeOverrides, resolveBaseResourceType } from "./base-resource-types.ts";
import { podInvalid } from "./pod-invalid.ts";

/** Where nodes pull from: repositories below `from` (`docker.io`, `ghcr.io/acme`) are pulled below `to` instead. */
export interface NodeRegistry {
  readonly from: string;
  readonly to: string;
}

export type ParsedNodeRegistries =
  | { readonly ok: true; readonly nodeRegistries: readonly NodeRegistry[] }
  | { readonly ok: false; readonly error: FetchImageError };

/** Reads settings of the form `docker.io=mirror.example.com/hub`. The error is `FI_SETTING_INVALID`. */
export function parseNodeRegistries(settings: readonly string[]): ParsedNodeRegistries {
  const nodeRegistries = new Map<string, NodeRegistry>();
  for (const setting of settings) {
    const [, from = "", to = ""] = /^([^=]*)=(.*)$/s.exec(setting.trim()) ?? [];
    const registry = { from: repositoryPrefix(from.trim()), to: repositoryPrefix(to.trim()) };
    if (registry.from === undefined || registry.to === undefined) return { ok: false, error: malformed(setting) };
    const before = nodeRegistries.get(registry.from)?.to;
    if (before !== undefined && before !== registry.to) return { ok: false, error: contradictory(setting, before) };
    nodeRegistries.set(registry.from, { from: registry.from, to: registry.to });
  }
  return { ok: true, nodeRegistries: [...nodeRegistries.values()] };
}

/**
 * A registry, or a registry and the beginning of a path, as both stand before an image's name: no scheme, tag or digest.
 * Undefined for anything else.
 */
function repositoryPrefix(text: string): string | undefined {
  const host = text.replace(/^index\.docker\.io(?=\/|$)/, "docker.io").replace(/\/$/, "");
  const parsed = parseReference(`${host}/x`);
  if (!parsed.ok) return undefined;
  const { domain, path, tag, digest } = parsed.reference;
  // What is no domain would have been taken for a path on Docker Hub.
  return `${domain}/${path}` === `${host}/x` && tag === undefined && digest === undefined ? host : undefined;
}

/** The reference as nodes pull it; the registry with the longest `from` that fits is taken. Tag and digest stay. */
export function imageForNodes(reference: string, nodeRegistries: readonly NodeRegistry[]): string {
  const parsed = parseReference(reference);
  if (!parsed.ok) throw parsed.error;
  const { domain, path, tag, digest } = parsed.reference;
  const name = `${domain}/${path}`;
  const [registry] = nodeRegistries
    .filter(({ from }) => name.startsWith(`${from}/`))
    .toSorted((a, b) => b.from.length - a.from.length);
  const version = digest === undefined ? { tag: tag ?? "latest" } : { ...(tag === undefined ? {} : { tag }), digest };
  if (registry === undefined) return formatReference({ domain, path, ...version });
  const moved = parseReference(`${registry.to}${name.slice(registry.from.length)}`);
  if (!moved.ok) throw moved.error;
  return formatReference({ domain: moved.reference.domain, path: moved.reference.path, ...version });
}

export interface NodeImageOptions {
  /** Laid over the table of base resource types. */
  readonly baseTypes?: BaseTypeOverrides | undefined;
  /** Put before the images of the built-in table: `registry.example.com/mirror`. Overrides are taken as they are. */
  readonly baseTypePrefix?: string | undefined;
  readonly nodeRegistries?: readonly NodeRegistry[] | undefined;
}

/**
 * What a pod's `image:` is: the reference of an ImageURL, or a base resource type's image out of the table, from where the
 * nodes pull. Throws `FI_POD_INVALID` where only an artifact's bytes are known, `FI_REFERENCE_INVALID`, and
 * `FI_SETTING_INVALID` for the table's overrides.
 */
export function podImage(step: string, spec: ImageSpec, options: NodeImageOptions = {}): string {
  return imageForNodes(imageOf(step, spec, options), options.nodeRegistries ?? []);
}

/**
 * A digest is the same bytes wherever they come from, so a node that has them asks nobody. A tag may have moved: the
 * kubelet's own default would keep whatever the node saw first of any tag but `latest`.
 */
export function pullPolicy(image: string): "IfNotPresent" | "Always" {
  return image.includes("@") ? "IfNotPresent" : "Always";
}

function imageOf(
  step: string,
  { imageURL, imageArtifact, resourceType }: ImageSpec,
  options: NodeImageOptions,
): string {
  if (imageURL !== undefined) {
    const reference = referenceOfImageURL(imageURL);
    if (reference !== undefined) return reference;
    throw podInvalid(step, `${showText(imageURL)} is no address of an image`, "Write docker:///domain/path:tag.");
  }
  if (imageArtifact !== undefined) {
    throw podInvalid(
      step,
      `its image is an artifact (${showText(imageArtifact.handle)}), and a kubelet pulls from registries alone`,
      "Push the artifact to a registry that the nodes reach, and run the digest that the push returned.",
    );
  }
  const { baseTypes, baseTypePrefix: prefix } = options;
  const image = resourceType === undefined ? undefined : resolveBaseResourceType(resourceType, baseTypes, { prefix });
  if (image !== undefined) return image.canonical;
  const what = resourceType === undefined ? "it has no image" : `${showText(resourceType)} is no base resource type`;
  throw podInvalid(step, what, "Give the step an image, or the type one with base-types.");
}

function malformed(setting: string): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `node registry ${showText(setting)} is not of the form FROM=TO`,
    hint: "Write a registry, or a registry and a path, on both sides: docker.io=mirror.example.com/hub.",
  });
}

function contradictory(setting: string, before: string): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `node registry ${showText(setting)} contradicts another, which has ${showText(before)}`,
    hint: "Keep one of them.",
  });
}
