import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import { type JsonBody, parseJsonBody } from "../../json-body.ts";
import type { RegistrySettings } from "../../settings.ts";
import { single } from "../../transport/headers.ts";
import { retryAfterMs } from "../../transport/rate-limit.ts";
import type { Secrets } from "../../transport/redact.ts";
import type { Method, Transport } from "../../transport/transport.ts";

interface CloudRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: { readonly [name: string]: string };
  readonly body?: string | Uint8Array;
}

interface CloudAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
}

interface LastAnswer {
  readonly host: string;
  readonly status: number;
  readonly retryAfterMs?: number;
  /** Where it was a JSON object. */
  readonly body?: JsonBody;
}

/** How the vendors' libraries reach their clouds, and what became of it. */
export interface CloudHttp {
  /** Rejects with a `FetchImageError`, which `lastFailure` keeps where a library wraps it. */
  send(request: CloudRequest): Promise<CloudAnswer>;
  /** Of the last answer. Nothing has been asked yet: undefined. */
  readonly last: LastAnswer | undefined;
  readonly lastFailure: FetchImageError | undefined;
  /** The cloud's own name of the host that was asked last, wherever it is served. */
  readonly asked: string | undefined;
}

/**
 * Our own transport under the vendors' libraries: the proxies, endpoints, bounds, timeouts and error classes of every
 * other request hold for theirs too, and what is secret in their bodies is known before anybody can quote it.
 */
export function createCloudHttp(
  { transport, settings }: { readonly transport: Transport; readonly settings: RegistrySettings },
  { secrets, signal }: { readonly secrets: Secrets; readonly signal: CancelSignal },
): CloudHttp {
  let last: CloudHttp["last"];
  let lastFailure: FetchImageError | undefined;
  let asked: string | undefined;
  return {
    get asked() {
      return asked;
    },
    get last() {
      return last;
    },
    get lastFailure() {
      return lastFailure;
    },
    async send(request) {
      last = undefined;
      lastFailure = undefined;
      asked = request.url.host;
      const { body } = request;
      learnSecrets(typeof body === "string" ? body : Buffer.from(body ?? []).toString("utf8"), secrets);
      for (const name of secretHeaders) learn(request.headers[name], secrets);
      try {
        return await exchange(request);
      } catch (error) {
        lastFailure = FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error });
        throw lastFailure;
      }
    },
  };

  async function exchange({ method, url, headers, body }: CloudRequest): Promise<CloudAnswer> {
    const served = settings.endpoints.get(url.host);
    const answer = await transport.send({
      method: knownMethod(method),
      url: served ? new URL(`${url.pathname}${url.search}`, served) : url,
      // What is signed is signed for the cloud's own name.
      headers: { ...withoutHop(headers), ...(served ? { host: url.host } : {}) },
      ...(body === undefined ? {} : { body }),
      trust: undefined,
      purpose: "api",
      signal,
      secrets,
    });
    const bytes = await answer.bytes(settings.limits.tokenBytes, "an answer about a login");
    learnSecrets(bytes.toString("utf8"), secrets);
    const wait = retryAfterMs(answer.headers, settings.now());
    const json = parseJsonBody(bytes);
    last = {
      host: url.host,
      status: answer.status,
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
      ...(json ? { body: json } : {}),
    };
    const names = Object.keys(answer.headers);
    const flat = names.map((name): [string, string] => [name, single(answer.headers, name) ?? ""]);
    return { status: answer.status, headers: Object.fromEntries(flat), body: bytes };
  }
}

function knownMethod(method: string): Method {
  const known = (["GET", "HEAD", "POST"] as const).find((one) => one === method);
  if (!known) throw new FetchImageError("FI_INTERNAL", { message: `no cloud is asked by ${method}` });
  return known;
}

// The body is sent as it is given and read as it comes; its length and the connection are the transport's business.
function withoutHop(headers: CloudRequest["headers"]): CloudRequest["headers"] {
  const kept = Object.entries(headers).map(([name, value]): [string, string] => [name.toLowerCase(), value]);
  return Object.fromEntries(kept.filter(([name]) => !hop.has(name)));
}

const hop: ReadonlySet<string> = new Set(["accept-encoding", "connection", "content-length", "host", "expect"]);
const secretHeaders = ["x-amz-security-token", "X-Amz-Security-Token", "x-identity-header", "secret"];
const secretField = /token|secret|password|assertion/i;

/** The values of the fields that hold tokens and keys, in JSON, in forms and in XML. */
function learnSecrets(text: string, secrets: Secrets): void {
  const json = parseJsonBody(text);
  if (json) {
    learnIn(json, false, secrets);
    return;
  }
  for (const [, name = "", value] of text.matchAll(/<(\w{1,40})>([^<]{1,8192})<\/\1>/g)) {
    if (secretField.test(name)) learn(value, secrets);
  }
  if (!/^[\w.~%+*-]+=/.test(text)) return;
  for (const [name, value] of new URLSearchParams(text)) if (secretField.test(name)) learn(value, secrets);
}

function learnIn(value: unknown, secret: boolean, secrets: Secrets): void {
  if (typeof value === "string") {
    if (secret) learn(value, secrets);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, field] of Object.entries(value)) learnIn(field, secret || secretField.test(name), secrets);
  }
}

function learn(value: string | undefined, secrets: Secrets): void {
  // `Bearer`, which stands in fields that are named after tokens, is no secret.
  if (value !== undefined && value.length >= 8) secrets.add(value);
}
