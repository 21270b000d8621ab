import type { CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import type { RegistrySettings } from "../settings.ts";
import type { TrustedRoots } from "../transport/certificates.ts";
import { unlessAborted } from "../transport/deadline.ts";
import type { Guard } from "../transport/guard.ts";
import { all } from "../transport/headers.ts";
import type { Secrets } from "../transport/redact.ts";
import { protocolError, type RefusalContext } from "../transport/refusal.ts";
import type { Answer, Method as HttpMethod, Transport } from "../transport/transport.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credential } from "./credential.ts";
import { createTokenCache, type Token } from "./token-cache.ts";
import { fetchToken, noCredentials } from "./token-server.ts";

/** Who asks what: everything a login depends on. */
export interface Asker {
  /** The origin that is asked. A credential goes to its own registry's origin only. */
  readonly origin: URL;
  readonly credential: Credential | undefined;
  /** The rights to ask a token server for; a challenge may name more. */
  readonly scopes: readonly string[];
  readonly trust: TrustedRoots | undefined;
  readonly secrets: Secrets;
  readonly signal: CancelSignal;
}

export interface Logins {
  /** The `Authorization` to send, as far as it is known how to log in there; fetches a token when the last one ended. */
  authorization(asker: Asker): Promise<string> | string | undefined;
  /** Learns from a 401. True when the same request is worth sending once more. */
  learn(answer: Answer<HttpMethod>, asker: Asker, sent: string | undefined): boolean;
}

/** How one registry wants one credential's holder to log in. */
type Method =
  | { readonly kind: "basic" }
  | {
      readonly kind: "bearer";
      readonly realm: URL;
      readonly service: string | undefined;
      /** By the scopes asked for: those the registry named, first, since some token servers read only one. */
      readonly scopes: Map<string, readonly string[]>;
    };

export function createLogins(parts: { transport: Transport; settings: RegistrySettings; guard: Guard }): Logins {
  const methods = new Map<string, Method>();
  const tokens = createTokenCache(parts.settings.now);

  function bearer(asker: Asker, method: Extract<Method, { kind: "bearer" }>): Promise<string> | string {
    const scopes = scopesFor(asker, method);
    const key = tokenKey(asker, method, scopes);
    const token = tokens.fresh(key);
    if (token !== undefined) return bearing(token, asker);
    const fetch = () => fetchToken({ ...asker, ...method, scopes, registry: asker.origin }, parts);
    return unlessAborted(tokens.get(key, fetch), asker.signal).then((fetched) => bearing(fetched, asker));
  }

  return {
    authorization(asker) {
      const method = methods.size === 0 ? undefined : methods.get(keyOf(asker));
      if (!method) return undefined;
      return method.kind === "basic" ? asker.credential?.basic : bearer(asker, method);
    },
    learn(answer, asker, sent) {
      const challenges = parseChallenges(all(answer.headers, "www-authenticate"));
      const before = methods.get(keyOf(asker));
      if (before?.kind === "bearer" && sent?.startsWith("Bearer ")) {
        tokens.forget(tokenKey(asker, before, scopesFor(asker, before)), sent.slice("Bearer ".length));
      }
      const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
      if (bearer) {
        remember(methods, keyOf(asker), bearerMethod(bearer, before, asker, parts.guard));
        return true;
      }
      const basic = challenges.some(({ scheme }) => scheme === "basic");
      if (!basic || !asker.credential || asker.credential.identityToken !== undefined) return false;
      if (sent === asker.credential.basic) return false;
      remember(methods, keyOf(asker), { kind: "basic" });
      return true;
    },
  };
}

/** What a final 401 means: the registry's own words tell a wrong login from one that may not read this. */
export function readingOf401(
  answer: Answer<HttpMethod>,
  credential: Credential | undefined,
): RefusalContext["reading"] {
  const challenges = parseChallenges(all(answer.headers, "www-authenticate"));
  const scopeLacking = challenges.some(({ parameters }) => parameters.get("error") === "insufficient_scope");
  if (!credential) return { code: "FI_UNAUTHORIZED", says: "it wants credentials", hint: noCredentials };
  if (scopeLacking) return { code: "FI_FORBIDDEN", says: "the credentials are valid but may not read this" };
  return challenges.length === 0
    ? { code: "FI_UNAUTHORIZED", says: "it refused us without saying how to log in" }
    : { code: "FI_UNAUTHORIZED", says: "it refused the credentials" };
}

function bearing({ value }: Token, { secrets }: Asker): string {
  secrets.add(value);
  return `Bearer ${value}`;
}

const maxMethods = 1000;
const maxScopeSets = 1000;

function remember<K, V>(map: Map<K, V>, key: K, value: V, max: number = maxMethods): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}

function bearerMethod(challenge: Challenge, before: Method | undefined, asker: Asker, guard: Guard): Method {
  const realm = vettedRealm(challenge, asker, guard);
  const service = challenge.parameters.get("service");
  const same = before?.kind === "bearer" && before.realm.href === realm.href && before.service === service;
  const scopes = same ? before.scopes : new Map<string, readonly string[]>();
  const known = scopes.get(setOf(asker.scopes)) ?? asker.scopes;
  const union = [...new Set([...scopesIn(challenge), ...known])].slice(0, maxScopes);
  remember(scopes, setOf(asker.scopes), union, maxScopeSets);
  return { kind: "bearer", realm, service, scopes };
}

function vettedRealm({ parameters }: Challenge, { origin }: Asker, guard: Guard): URL {
  const text = parameters.get("realm") ?? "";
  if (!URL.canParse(text)) throw badRealm(origin);
  const realm = new URL(text);
  guard(realm, origin, "token server");
  return realm;
}

function badRealm(origin: URL): FetchImageError {
  return protocolError(origin.host, "wants a bearer token and names no valid token server", { status: 401 });
}

const maxScopes = 8;

function scopesIn({ parameters }: Challenge): readonly string[] {
  const text = parameters.get("scope") ?? "";
  return text.length > 1024 ? [] : text.split(" ").filter((scope) => /^[\x21-\x7e]+$/.test(scope));
}

function scopesFor(asker: Asker, { scopes }: Extract<Method, { kind: "bearer" }>): readonly string[] {
  return scopes.get(setOf(asker.scopes)) ?? asker.scopes;
}

function keyOf({ origin, credential, trust }: Asker): string {
  return JSON.stringify([origin.origin, credential?.key, trust?.key]);
}

function tokenKey(asker: Asker, method: Extract<Method, { kind: "bearer" }>, scopes: readonly string[]): string {
  return JSON.stringify([keyOf(asker), method.realm.href, method.service, setOf(scopes)]);
}

function setOf(scopes: readonly string[]): string {
  return scopes.toSorted().join(" ");
}
