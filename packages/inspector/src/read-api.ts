import type { IncomingMessage, ServerResponse } from "node:http";
import { type EventLog, type Logger, type ReadModel, silentLogger } from "@fetch-image/core";
import type { Audit } from "@fetch-image/engine";
import { type AccessOptions, createGate } from "./access.ts";
import { auditAnswer, auditPath } from "./audit-answers.ts";
import { buildAnswer, buildRowAnswer, planAnswer, resourcesAnswer } from "./build-answers.ts";
import { decodedId, assertReading, lastEventId, refuse, reply } from "./http.ts";
import { createLogSource } from "./events/log-source.ts";
import { serveEvents } from "./events/serve-events.ts";
import { Refusal } from "./refusal.ts";
import { OpenStreams } from "./sse.ts";

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
  /** As {@link handle}, for a URL that is not the request's own: what is below the path where the API is mounted. */
  answer(url: string, request: IncomingMessage, response: ServerResponse): Promise<boolean>;
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
  const streams = new OpenStreams({ keepAliveMs, most: mostStreams });

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    route: Route & { readonly url: string },
  ): Promise<void> {
    gate(request);
    assertReading(request);
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
        reply(request, response, await auditAnswer(audit, route.url));
        return;
      }
      case "events": {
        const lastId = Number(lastEventId(request) ?? -1n);
        await serveEvents({ request, response, buildId, lastId }, { source, streams });
        return;
      }
      case "unknown":
        break;
    }
    throw new Refusal(404, "this API has no such page");
  }

  async function handle(url: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const route = routeOf(url);
    if (route === undefined) return false;
    try {
      await answer(request, response, { ...route, url });
    } catch (error) {
      refuse(request, response, error, logger);
    }
    return true;
  }

  return {
    handle: (request, response) => handle(request.url ?? "", request, response),
    answer: handle,
    get open() {
      return { streams: streams.size, builds: source.following };
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
  const buildId = decodedId(id);
  if (buildId === undefined) return unknown;
  if (part === undefined) return { name: "build", buildId };
  return part === "plan" || part === "resources" || part === "events" ? { name: part, buildId } : unknown;
}
