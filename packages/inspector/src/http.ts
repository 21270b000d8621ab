import type { IncomingMessage, ServerResponse } from "node:http";
import { FetchImageError, type FetchImageErrorCode, goJson, type Json, type Logger } from "@fetch-image/core";
import { Refusal } from "./refusal.ts";

/** Throws where a request would do more than read. */
export function assertReading({ method }: IncomingMessage): void {
  if (method !== "GET" && method !== "HEAD") {
    throw new Refusal(405, "this API is read only", { allow: "GET, HEAD" });
  }
}

/** The id of a build or a scope, as part of a stream's name; undefined where no stream can have it. */
export function decodedId(text: string): string | undefined {
  try {
    const id = decodeURIComponent(text);
    // oxlint-disable-next-line no-control-regex -- what no stream's name has
    return /^[^\u0000-\u001f]{1,1000}$/.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined where nothing was read before. */
export function lastEventId({ headers }: IncomingMessage): bigint | undefined {
  const given = headers["last-event-id"];
  if (given === undefined || given === "") return undefined;
  if (typeof given !== "string" || !/^\d{1,15}$/.test(given)) throw new Refusal(400, "Last-Event-ID is no event's id");
  return BigInt(given);
}

export const jsonHeaders = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

/** One JSON document. */
export function reply(
  request: IncomingMessage,
  response: ServerResponse,
  body: Json,
  status = 200,
  headers = {},
): void {
  const text = `${goJson(body)}\n`;
  response.writeHead(status, { ...jsonHeaders, ...headers, "content-length": Buffer.byteLength(text) });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Says why there is no answer; where one has begun, the log is told. */
export function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, logger: Logger): void {
  if (response.headersSent || response.destroyed) {
    if (!(error instanceof Refusal)) logger.warn("a stream broke", { path: request.url ?? "", error: String(error) });
    return;
  }
  if (error instanceof Refusal) {
    reply(request, response, { message: error.message }, error.status, error.headers);
    return;
  }
  const known = FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error });
  const { code, message, hint, retryable } = known;
  const status = statuses[code] ?? (retryable ? 503 : 500);
  if (status >= 500) logger.warn("a request failed", { path: request.url ?? "", code, message });
  reply(request, response, { code, message, ...(hint === undefined ? {} : { hint }) }, status);
}

/** Of errors that are the asker's. */
const statuses: { readonly [Code in FetchImageErrorCode]?: number } = {
  FI_BUILD_UNKNOWN: 404,
  FI_PLAN_UNKNOWN: 404,
  FI_POSITION_INVALID: 400,
  FI_QUERY_INVALID: 400,
  FI_REFERENCE_INVALID: 400,
};
