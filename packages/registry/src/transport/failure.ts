import { type CancelSignal, FetchImageError, type FetchImageErrorCode } from "@fetch-image/core/registry-image";
import { reasonOf } from "./deadline.ts";
import { proxyRefusal } from "./proxy-agent.ts";
import { safeCause, type Secrets } from "./redact.ts";

/**
 * What went wrong below HTTP, as one of our errors: connections, TLS, timeouts, broken bodies.
 * `signal` says whether it was us who gave up, and why. `details.reason` keeps the system's own code.
 */
export function transportFailure(
  error: unknown,
  context: { readonly host: string; readonly signal: CancelSignal; readonly secrets: Secrets },
): FetchImageError {
  if (FetchImageError.is(error)) return error;
  if (context.signal.aborted) return reasonOf(context.signal);
  const { host, secrets } = context;
  const reason = codeOf(error);
  const { code, says, hint } = meaning(reason);
  return new FetchImageError(code, {
    message: `${host} ${says}`,
    ...(hint ? { hint } : {}),
    details: { host, reason },
    cause: safeCause(error, secrets),
  });
}

/** Whether the failure shows that no TLS is spoken there, so that http may be tried where http is allowed. */
export function speaksNoTls(error: unknown): boolean {
  return FetchImageError.is(error) && noTls.has(error.details["reason"]);
}

/** Whether nobody answered at the port at all. Another scheme's default port may still answer. */
export function nobodyListens(error: unknown): boolean {
  return FetchImageError.is(error) && error.details["reason"] === "ECONNREFUSED";
}

/** Whether a connection that had carried an answer before was closed under a new request. */
export function isStaleSocket(error: unknown, resetAfterUse: WeakSet<object>): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, socket } = error as { code?: unknown; socket?: { bytesRead?: number } };
  return resetAfterUse.has(error) || (code === "UND_ERR_SOCKET" && (socket?.bytesRead ?? 0) > 0);
}

interface Meaning {
  readonly code: FetchImageErrorCode;
  readonly says: string;
  readonly hint?: string;
}

const wrongTls = ["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"];
// A server that does not know TLS may also just hang up, or wait for a request line that never comes; and a proxy may
// let plain http pass where it allows no tunnel.
const noTls: ReadonlySet<unknown> = new Set([
  ...wrongTls,
  "ECONNRESET",
  "EPIPE",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  proxyRefusal,
]);

const byReason: { readonly [reason: string]: Meaning } = {
  ECONNREFUSED: { code: "FI_REGISTRY_UNREACHABLE", says: "refuses connections" },
  ECONNRESET: { code: "FI_REGISTRY_UNREACHABLE", says: "closed the connection in the middle" },
  EPIPE: { code: "FI_REGISTRY_UNREACHABLE", says: "closed the connection in the middle" },
  UND_ERR_SOCKET: { code: "FI_REGISTRY_UNREACHABLE", says: "closed the connection in the middle" },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: {
    code: "FI_REGISTRY_UNREACHABLE",
    says: "sent a body of another length than it announced",
  },
  ENOTFOUND: {
    code: "FI_REGISTRY_UNREACHABLE",
    says: "is not a name that DNS knows",
    hint: "Check the spelling of the host, and the DNS server.",
  },
  EAI_AGAIN: { code: "FI_REGISTRY_UNREACHABLE", says: "could not be looked up: the DNS server did not answer" },
  UND_ERR_CONNECT_TIMEOUT: { code: "FI_REGISTRY_TIMEOUT", says: "did not accept a connection in time" },
  ETIMEDOUT: { code: "FI_REGISTRY_TIMEOUT", says: "did not accept a connection in time" },
  UND_ERR_HEADERS_TIMEOUT: { code: "FI_REGISTRY_TIMEOUT", says: "accepted the request and did not answer in time" },
  UND_ERR_BODY_TIMEOUT: { code: "FI_REGISTRY_TIMEOUT", says: "stopped in the middle of its answer" },
  UND_ERR_HEADERS_OVERFLOW: { code: "FI_ANSWER_TOO_LARGE", says: "sent more headers than anybody needs" },
  HTTPParserError: { code: "FI_REGISTRY_PROTOCOL", says: "does not answer in HTTP" },
  [proxyRefusal]: {
    code: "FI_REGISTRY_UNREACHABLE",
    says: "could not be asked: the proxy does not let us through",
    hint: "Check HTTPS_PROXY, its credentials, and NO_PROXY.",
  },
  UND_ERR_DESTROYED: { code: "FI_ABORTED", says: "was not asked to the end: the registry client was closed" },
  UND_ERR_CLOSED: { code: "FI_ABORTED", says: "was not asked: the registry client is closed" },
};

function meaning(reason: string): Meaning {
  const known = byReason[reason];
  if (known) return known;
  if (wrongTls.includes(reason) || reason.startsWith("ERR_SSL_")) {
    return {
      code: "FI_REGISTRY_TLS",
      says: "does not speak TLS as it should",
      hint: "If it is a plain http registry, set `insecure: true` in the source.",
    };
  }
  if (reason === "ERR_TLS_CERT_ALTNAME_INVALID" || reason === "UND_ERR_PRX_TLS") {
    return { code: "FI_REGISTRY_TLS", says: "shows a certificate for another name" };
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ISSUER|CRL/.test(reason)) {
    return { code: "FI_REGISTRY_TLS", says: `shows a certificate that is not trusted (${reason})` };
  }
  return { code: "FI_REGISTRY_UNREACHABLE", says: `could not be asked (${reason})` };
}

function codeOf(error: unknown): string {
  const { code, cause, name, message } = (error ?? {}) as Partial<{
    code: unknown;
    cause: unknown;
    name: unknown;
    message: unknown;
  }>;
  if (name === "HTTPParserError") return name;
  if (typeof message === "string" && message.startsWith("Proxy Authentication Required")) return proxyRefusal;
  if (typeof code === "string") return code;
  return cause === undefined || cause === error ? String(name) : codeOf(cause);
}
