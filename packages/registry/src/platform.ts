import { FetchImageError, showText } from "@fetch-image/core/registry-image";
import type { Descriptor, Platform } from "./manifest.ts";

/** What is wanted; what is left out is the host's. */
export interface WantedPlatform {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
}

/** `linux/arm64/v8`. What an index says is cut to what can be shown. */
export function platformText({ os, architecture, variant }: Platform): string {
  return showText([os, architecture, ...(variant === undefined ? [] : [variant])].join("/")).slice(1, -1);
}

/** Linux on this machine's processor, in Go's words, unless told otherwise. */
export function completePlatform(wanted: WantedPlatform = {}): Platform {
  const { os = "linux", architecture = goArchitecture(process.arch), variant } = wanted;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/**
 * The first entry of an index that is for the platform, as the resource picks it: an entry that names none counts as
 * linux/amd64, and a variant matters only when one is wanted.
 * Throws `FI_PLATFORM_UNAVAILABLE` naming those there are.
 */
export function pickPlatform(manifests: readonly Descriptor[], wanted: Platform, subject: string): Descriptor {
  const found = manifests.find(({ platform = assumed }) => satisfies(platform, wanted));
  if (found) return found;
  const all = [...new Set(manifests.map(({ platform = assumed }) => platformText(platform)))];
  const there = [...all.slice(0, mostNamed), ...(all.length > mostNamed ? [`${all.length - mostNamed} more`] : [])];
  throw new FetchImageError("FI_PLATFORM_UNAVAILABLE", {
    message: `${subject} is not built for ${platformText(wanted)}; it is for ${there.join(", ") || "no platform at all"}`,
    details: { platform: platformText(wanted), available: there },
  });
}

const mostNamed = 20;
const assumed: Platform = { os: "linux", architecture: "amd64" };

function satisfies(built: Platform, wanted: Platform): boolean {
  return (
    built.os === wanted.os &&
    built.architecture === wanted.architecture &&
    (wanted.variant === undefined || built.variant === wanted.variant)
  );
}

function goArchitecture(nodeArchitecture: string): string {
  const names: { readonly [node: string]: string } = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };
  return names[nodeArchitecture] ?? nodeArchitecture;
}
