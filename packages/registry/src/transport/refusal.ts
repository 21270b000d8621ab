import { FetchImageError, type FetchImageErrorCode } from "@fetch-image/core/registry-image";
import { isJsonBody, type JsonBody, parseJsonBody } from "../json-body.ts";
import { single } from "./headers.ts";
import { rateLimitOf, retryAfterMs } from "./rate-limit.ts";
import type { Secrets } from "./redact.ts";
import type { Answer, Method } from "./transport.ts";

export interface RefusalContext {
  /** What was asked for, in words: `acme/app:1`. */
  readonly subject: string;
  readonly secrets: Secrets;
  readonly now: number;
  readonly errorBytes: number;
  /** A better reading of this status than the general one. */
  readonly reading?: { readonly code: FetchImageErrorCode; readonly says: string; readonly hint?: string } | undefined;
}

/** The error that an answer other than success stands for. Reads a little of its body, to quote the registry's words. */
export async function refusal(answer: Answer<Method>, context: RefusalContext): Promise<FetchImageError> {
  const { status, url, headers } = answer;
  const wait = retryAfterMs(headers, context.now);
  const { words, registryCode } = await wordsOf(answer, context);
  const { code, says, hint } = context.reading ?? meaningOf(answer, wait);
  const { limit, remaining } = rateLimitOf(headers) ?? {};
  return new FetchImageError(code, {
    message: `${url.host} answered ${status} for ${context.subject}: ${says}${words ? ` (it says: ${words})` : ""}`,
    ...(hint ? { hint } : {}),
    details: { host: url.host, status, subject: context.subject, registryCode, retryAfterMs: wait, limit, remaining },
  });
}

export function tooLarge(host: string, what: string, maxBytes: number): FetchImageError {
  return new FetchImageError("FI_ANSWER_TOO_LARGE", {
    message: `${host} sent more than ${maxBytes} bytes as ${what}`,
    details: { host, maxBytes },
  });
}

export function protocolError(host: string, says: string, details: { status?: number } = {}): FetchImageError {
  return new FetchImageError("FI_REGISTRY_PROTOCOL", { message: `${host} ${says}`, details: { host, ...details } });
}

function meaningOf(
  { status, headers }: Answer<Method>,
  wait: number | undefined,
): { code: FetchImageErrorCode; says: string; hint?: string } {
  const later = wait === undefined ? "" : `, try again in ${Math.ceil(wait / 1000)} s`;
  if (status === 401) return { code: "FI_UNAUTHORIZED", says: "it wants other credentials" };
  if (status === 403) return { code: "FI_FORBIDDEN", says: "access is denied" };
  if (status === 404) return { code: "FI_IMAGE_UNKNOWN", says: "there is no such repository, tag or digest" };
  if (status === 407) return { code: "FI_REGISTRY_UNREACHABLE", says: "the proxy wants credentials", hint: proxyLogin };
  if (status === 408) return { code: "FI_REGISTRY_TIMEOUT", says: "it gave up waiting for the request" };
  if (status === 429) return { code: "FI_RATE_LIMITED", says: `the rate limit is used up${later}` };
  if (status >= 500) return { code: "FI_REGISTRY_UNAVAILABLE", says: `a server error${later}` };
  if (status >= 300 && status < 400) {
    const where = single(headers, "location") === undefined ? " without a place to go to" : "";
    return { code: "FI_REGISTRY_PROTOCOL", says: `a redirect${where} that cannot be followed` };
  }
  return { code: "FI_REGISTRY_PROTOCOL", says: "not an answer that the OCI distribution API knows" };
}

const proxyLogin = "Put them into HTTP_PROXY or HTTPS_PROXY: http://user:password@proxy:3128.";

// `{"errors":[{"code":"DENIED","message":"…"}]}` (OCI distribution-spec, "Error Codes"); token servers say `details`.
async function wordsOf(
  answer: Answer<Method>,
  { secrets, errorBytes }: RefusalContext,
): Promise<{ readonly words?: string; readonly registryCode?: string }> {
  const text = await answer.start(errorBytes);
  const [first] = errorsOf(text);
  if (!first) return {};
  const { code, message } = first;
  const words = [code, message].filter((word) => typeof word === "string" && word !== "").join(": ");
  const clean = secrets.redact(words);
  return {
    words: clean.length > 300 ? `${clean.slice(0, 300)}…` : clean,
    ...(typeof code === "string" && /^[A-Z_]{1,40}$/.test(code) ? { registryCode: code } : {}),
  };
}

function errorsOf(text: string): readonly JsonBody[] {
  const body = parseJsonBody(text);
  const errors: unknown = body?.["errors"];
  if (Array.isArray(errors)) return errors.filter(isJsonBody);
  return typeof body?.["details"] === "string" ? [{ message: body["details"] }] : [];
}
