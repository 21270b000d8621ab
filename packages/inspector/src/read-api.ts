import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type EventLog,
  FetchImageError,
  type FetchImageErrorCode,
  goJson,
  type Json,
  type Logger,
  type ReadModel,
  silentLogger,
} from "@fetch-image/core";
import type { Audit } from "@fetch-image/engine";
import { type AccessOptions, createGate } from "./access.ts";
import { auditAnswer, auditPath } from "./audit-answers.ts";
import { buildAnswer, buildRowAnswer, planAnswer, resourcesAnswer } from "./build-answers.ts";
import { createLogSource } from "./events/log-source.ts";
import { EventStreams } from "./events/serve-events.ts";
import { Refusal } from "./refusal.ts";

export interface ReadApiOptions extends AccessOptions {
  readonly eventLog: EventLog;
  /** For the list of builds; without it there is none. */
  readonly readModel?: Pick<ReadModel, "builds">;
  /** What it answers below `/api/v1/fetch-image/`; without it there is no such page. */
  readonly audit?: Audit;
  /** Awaited before the audit is asked: brings its read model up to the head of the log. */
  readonly catchUp?: () => Promise<unknown>;
  readonly logger?: Logger;
  /** The version of Concourse to be taken for: `fly` wants its own, the patch aside. */
  readonly concourseVersion?: string;
  /** How often a connection on which nothing moves gets a comment, in milliseconds. */
  readonly keepAliveMs?: number;
  /** Connections on streams; who comes when there are so many is told to come back. */
  readonly mostStreams?: number;
}

export interface ReadApi {
  /**
   * For `http.createServer`, or to be called by a server that has more. False where the path is none of this API's: then
   * nothing was answered. Never rejects.
   */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  /** Connections on streams, and builds followed for them. */
  readonly open: { readonly streams: number; readonly builds: number };
  /** Breaks the connections that are open on streams. */
  close(): void;
}

/** Of the version that the shapes were read in; a newer one has the same until it says so. */
const defaultConcourseVersion = "8.2.5";
const mostListed = 100;

/**
 * The part of Concourse's API that its own clients read a build's log from, out of an event log: `fly watch -b`, and the
 * build's page of the web UI. Reads only.
 */
export function createReadApi(options: ReadApiOptions): ReadApi {
  const { eventLog, readModel, logger = silentLogger, concourseVersion = defaultConcourseVersion } = options;
  const { keepAliveMs = 15_000, mostStreams = 10_000 } = options;
  const gate = createGate(options);
  const source = createLogSource({ eventLog, logger });
  const streams = new EventStreams(source, { keepAliveMs });

  async function answer(request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> {
    gate(request);
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new Refusal(405, "this API is read only", { allow: "GET, HEAD" });
    }
    const { buildId } = route;
    switch (route.name) {
      case "info":
        reply(request, response, { version: concourseVersion, worker_version: "2.5", feature_flags: {} });
        return;
      case "builds": {
        if (readModel === undefined) throw new Refusal(404, "there is no list of builds here");
        reply(request, response, (await readModel.builds({ limit: mostListed })).map(buildRowAnswer));
        return;
      }
      case "build":
        reply(request, response, await buildAnswer(eventLog, buildId));
        return;
      case "plan":
        reply(request, response, await planAnswer(eventLog, buildId));
        return;
      case "resources":
        reply(request, response, await resourcesAnswer(eventLog, buildId));
        return;
      case "audit": {
        const { audit, catchUp } = options;
        if (audit === undefined) throw new Refusal(404, "there is no audit here");
        await catchUp?.();
        reply(request, response, await auditAnswer(audit, request.url ?? ""));
        return;
      }
      case "events": {
        const lastId = lastEventId(request);
        if (streams.open >= mostStreams) throw new Refusal(503, "too many streams are open", { "retry-after": "1" });
        await streams.serve({ request, response, buildId }, lastId);
        return;
      }
      case "unknown":
        break;
    }
    throw new Refusal(404, "this API has no such page");
  }

  return {
    async handle(request, response) {
      const route = routeOf(request.url ?? "");
      if (route === undefined) return false;
      try {
        await answer(request, response, route);
      } catch (error) {
        refuse(request, response, error, logger);
      }
      return true;
    },
    get open() {
      return { streams: streams.open, builds: source.following };
    },
    close() {
      streams.close();
      source.close();
    },
  };
}

interface Route {
  readonly name: "info" | "builds" | "build" | "plan" | "resources" | "events" | "audit" | "unknown";
  readonly buildId: string;
}

function routeOf(url: string): Route | undefined {
  const [path = ""] = url.split("?");
  if (!path.startsWith("/api/v1/")) return undefined;
  if (path.startsWith(auditPath)) return { name: "audit", buildId: "" };
  const [page = "", id, part, ...rest] = path.slice("/api/v1/".length).split("/");
  const unknown = { name: "unknown", buildId: "" } as const;
  if (page === "info" && id === undefined) return { name: "info", buildId: "" };
  if (page !== "builds" || rest.length > 0) return unknown;
  if (id === undefined) return { name: "builds", buildId: "" };
  const buildId = decoded(id);
  if (buildId === undefined) return unknown;
  if (part === undefined) return { name: "build", buildId };
  return part === "plan" || part === "resources" || part === "events" ? { name: part, buildId } : unknown;
}

/** The id of a build, as part of a stream's name. */
function decoded(text: string): string | undefined {
  try {
    const id = decodeURIComponent(text);
    // oxlint-disable-next-line no-control-regex -- what no stream's name has
    return /^[^\u0000-\u001f]{1,300}$/.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** −1 where nothing was read before. */
function lastEventId({ headers }: IncomingMessage): number {
  const given = headers["last-event-id"];
  if (given === undefined || given === "") return -1;
  if (typeof given !== "string" || !/^\d{1,15}$/.test(given)) throw new Refusal(400, "Last-Event-ID is no event's id");
  return Number(given);
}

const jsonHeaders = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

function reply(request: IncomingMessage, response: ServerResponse, body: Json, status = 200, headers = {}): void {
  const text = `${goJson(body)}\n`;
  response.writeHead(status, { ...jsonHeaders, ...headers, "content-length": Buffer.byteLength(text) });
  response.end(request.method === "HEAD" ? undefined : text);
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, logger: Logger): void {
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
  FI_QUERY_INVALID: 400,
  FI_REFERENCE_INVALID: 400,
};
