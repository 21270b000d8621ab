import { FetchImageError } from "@fetch-image/core/registry-image";
import { isInward } from "./address.ts";

type GuardedRole = "token server" | "redirect target" | "place for uploads";

/** Throws `FI_REGISTRY_UNTRUSTED` when `registry` must not send us to `to`. */
export type Guard = (to: URL, registry: URL, role: GuardedRole) => void;

/**
 * Where a registry may send us. A hostile or broken one must not make us ask an inside service (server-side request
 * forgery) nor put credentials on the wire in clear text. The rule is go-containerregistry's, plus an allow-list:
 * https, or http where the registry itself is on http; no private or loopback address unless it is the registry's own
 * host and port; never a URL with credentials in it.
 */
export function createGuard(allowedOrigins: ReadonlySet<string>): Guard {
  return (to, registry, role) => {
    if (to.protocol !== "https:" && to.protocol !== "http:") throw untrusted(to, registry, role, "is not on http");
    if (to.username !== "" || to.password !== "") throw untrusted(to, registry, role, "has credentials in its URL");
    if (allowedOrigins.has(to.origin)) return;
    if (to.protocol === "http:" && registry.protocol !== "http:") {
      throw untrusted(to, registry, role, "is not on https");
    }
    if (isInward(to.hostname) && to.host !== registry.host) {
      throw untrusted(to, registry, role, "is on a private address");
    }
  };
}

function untrusted(to: URL, registry: URL, role: GuardedRole, why: string): FetchImageError {
  // An opaque origin ("null") would tell nobody anything.
  const named = to.origin === "null" ? to.protocol : to.origin;
  return new FetchImageError("FI_REGISTRY_UNTRUSTED", {
    message: `${registry.host} names ${named} as its ${role}, which ${why}; it was not asked`,
    hint: `If that is right, add "${named}" to allowedRealms of the registry settings.`,
    details: { host: registry.host, named, role },
  });
}
