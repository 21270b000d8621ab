import { type JsonBody, parseJsonBody } from "../json-body.ts";
import type { RegistrySettings } from "../settings.ts";
import type { TrustedRoots } from "../transport/certificates.ts";
import { deadline } from "../transport/deadline.ts";
import type { Guard } from "../transport/guard.ts";
import { nextHop } from "../transport/redirect.ts";
import type { Secrets } from "../transport/redact.ts";
import { protocolError, refusal, type RefusalContext } from "../transport/refusal.ts";
import type { Answer, Method, Transport } from "../transport/transport.ts";
import type { Credential } from "./credential.ts";
import type { Token } from "./token-cache.ts";

export interface TokenQuestion {
  /** Vetted already. */
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
  /** The registry that named the realm. */
  readonly registry: URL;
  readonly trust: TrustedRoots | undefined;
  readonly secrets: Secrets;
}

/**
 * Asks a token server for a token (distribution project, "Token Authentication Specification"): GET with one `scope`
 * parameter per scope, the realm's own query kept; for an identity token the POST of its "OAuth2 Token Authentication",
 * which follows no redirect. Runs on a clock of its own, since several askers may wait for it.
 */
export async function fetchToken(
  question: TokenQuestion,
  { transport, settings, guard }: { transport: Transport; settings: RegistrySettings; guard: Guard },
): Promise<Token> {
  const { realm, secrets, credential } = question;
  using limit = deadline(undefined, { ms: settings.timeouts.exchangeMs, host: realm.host });
  if (credential?.identityToken !== undefined) {
    const answer = await transport.send({
      method: "POST",
      url: realm,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: refreshForm(question, credential.identityToken),
      trust: question.trust,
      purpose: "api",
      signal: limit.signal,
      secrets,
    });
    return readToken(answer, question, settings);
  }
  let url = tokenUrl(question);
  for (let hops = 0; ; hops++) {
    const answer = await transport.send({
      method: "GET",
      url,
      headers: credential && url.origin === realm.origin ? { authorization: credential.basic } : {},
      trust: question.trust,
      purpose: "api",
      signal: limit.signal,
      secrets,
    });
    const hop = nextHop(answer, question.registry, { hops, max: settings.limits.redirects, guard });
    if (!hop) return readToken(answer, question, settings);
    await answer.discard();
    url = hop;
  }
}

function tokenUrl({ realm, service, scopes }: TokenQuestion): URL {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  return url;
}

function refreshForm({ service, scopes }: TokenQuestion, identityToken: string): string {
  return new URLSearchParams({
    grant_type: "refresh_token",
    service: service ?? "",
    client_id: "fetch-image",
    scope: scopes.join(" "),
    refresh_token: identityToken,
  }).toString();
}

async function readToken(answer: Answer<Method>, question: TokenQuestion, settings: RegistrySettings): Promise<Token> {
  const { secrets, registry } = question;
  const host = answer.url.host;
  if (answer.status !== 200) {
    throw await refusal(answer, {
      subject: `a token for ${registry.host}`,
      secrets,
      now: settings.now(),
      errorBytes: settings.limits.errorBytes,
      reading: readingOf(answer.status, question),
    });
  }
  const bytes = await answer.bytes(settings.limits.tokenBytes, "a token");
  const body = parseJsonBody(bytes);
  if (!body) throw protocolError(host, "answered something else than JSON where a token was due", { status: 200 });
  const value = [body["token"], body["access_token"]].find((text) => typeof text === "string" && text !== "");
  // Visible ASCII only: anything else would not be one header value any more.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw protocolError(host, "answered no usable token", { status: 200 });
  }
  secrets.add(value);
  return { value, freshUntil: freshUntil(body, settings.now()) };
}

function readingOf(status: number, { credential }: TokenQuestion): RefusalContext["reading"] {
  if (status === 401) {
    return credential
      ? { code: "FI_UNAUTHORIZED", says: "it refused the credentials" }
      : { code: "FI_UNAUTHORIZED", says: "it gives no token without credentials", hint: noCredentials };
  }
  if (status === 404) return { code: "FI_REGISTRY_PROTOCOL", says: "there is no token server" };
  return undefined;
}

export const noCredentials = "Set `username` and `password` in the source.";

// 60 s when nothing is said, by the specification. A tenth is given up, so that no token ends while it travels. A
// server may hand out a token it made earlier; where its clock disagrees with ours the token serves this once.
function freshUntil(body: JsonBody, now: number): number {
  const given = body["expires_in"];
  const lifetimeMs = (typeof given === "number" && given > 0 ? Math.min(given, 86_400 * 365) : 60) * 1000;
  const issued = typeof body["issued_at"] === "string" ? Date.parse(body["issued_at"]) : Number.NaN;
  const age = Number.isNaN(issued) ? 0 : Math.max(0, now - issued);
  return now - age + lifetimeMs * 0.9;
}
