import { FetchImageError } from "@fetch-image/core/registry-image";
import type { Guard } from "./guard.ts";
import { single } from "./headers.ts";
import type { Answer, Method } from "./transport.ts";

/**
 * Where a redirect leads, vetted; undefined when the answer is none that can be followed. The caller decides what to
 * send there: an `Authorization` never crosses to another origin.
 * Throws `FI_REGISTRY_UNTRUSTED`, and `FI_REGISTRY_PROTOCOL` after `max` hops.
 */
export function nextHop(
  answer: Answer<Method>,
  registry: URL,
  { hops, max, guard }: { readonly hops: number; readonly max: number; readonly guard: Guard },
): URL | undefined {
  if (!isRedirect(answer)) return undefined;
  const location = single(answer.headers, "location");
  if (location === undefined || !URL.canParse(location, answer.url.href)) return undefined;
  if (hops >= max) {
    throw new FetchImageError("FI_REGISTRY_PROTOCOL", {
      message: `${registry.host} redirects more than ${max} times in a row`,
      details: { host: registry.host, status: answer.status },
    });
  }
  const to = new URL(location, answer.url);
  if (to.origin !== answer.url.origin) guard(to, registry, "redirect target");
  return to;
}

export function isRedirect({ status }: Answer<Method>): boolean {
  return redirects.has(status);
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
