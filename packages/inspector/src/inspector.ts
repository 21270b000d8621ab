import type { IncomingMessage, ServerResponse } from "node:http";
import {
  buildStream,
  type EventLog,
  FetchImageError,
  type Json,
  type Logger,
  type ReadModel,
  scopeStream,
  silentLogger,
} from "@fetch-image/core";
import { type Audit, createAudit, createProjector, systemClock } from "@fetch-image/engine";
import { type AccessOptions, createGate, createHostGate } from "./access.ts";
import { auditPath } from "./audit-answers.ts";
import { serveFacts } from "./facts/serve-facts.ts";
import { BuildFolds } from "./fetches/build-folds.ts";
import { listFetches } from "./fetches/list-fetches.ts";
import { LiveFetches } from "./fetches/live-fetches.ts";
import { LiveConnection } from "./fetches/serve-live.ts";
import { decodedId, assertReading, refuse, reply } from "./http.ts";
import { type InspectorRoute, inspectorRoute } from "./inspector-route.ts";
import { PageFiles } from "./page/page-files.ts";
import { servePage } from "./page/serve-page.ts";
import { serveSession } from "./page/session.ts";
import { Query } from "./query.ts";
import { createReadApi } from "./read-api.ts";
import { Refusal } from "./refusal.ts";
import { registries } from "./registries/registries.ts";
import { OpenStreams, streamHeaders, untilGone } from "./sse.ts";

export interface InspectorOptions extends AccessOptions {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  /** What it answers of builds' images; by default it is asked of the read model. */
  readonly audit?: Audit;
  /** Awaited before the read model is asked: brings it up to the head of the log. By default the inspector projects. */
  readonly catchUp?: () => Promise<unknown>;
  readonly logger?: Logger;
  /** Where it is mounted: `/fetch-image`, without a slash at its end. Default: the root. */
  readonly basePath?: string;
  /** Concourse's own part of the API, `/api/v1/info` and `/api/v1/builds…`: left out where the server has its own. Default: true. */
  readonly readApi?: boolean;
  /** The version of Concourse to be taken for: `fly` wants its own, the patch aside. */
  readonly concourseVersion?: string;
  /** How often a connection on which nothing moves gets a comment, in milliseconds. */
  readonly keepAliveMs?: number;
  /** Connections on streams; who comes when there are so many is told to come back. */
  readonly mostStreams?: number;
  /** Builds and fetches that are held in memory for those who look on; more are read from the store again. */
  readonly mostInMemory?: number;
  /** Where the built page stands; by default it comes with this package. */
  readonly pageDirectory?: string;
}

export interface Inspector {
  /**
   * For `http.createServer`, or to be called by a server that has more. False where the path is none of the inspector's:
   * then nothing was answered. Never rejects.
   */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  readonly open: {
    /** Connections on streams. */
    readonly streams: number;
    /** Who looks on while fetches change. */
    readonly viewers: number;
    /** Builds and fetches in memory. */
    readonly inMemory: number;
  };
  /** Breaks the connections that are open on streams. */
  close(): void;
}

/**
 * The inspector as a part of any HTTP server: its page, the API that the page reads, and the API that Concourse's own
 * clients read builds from. It reads the event log and the read model, and costs whoever writes nothing: what it follows,
 * it follows by one subscription, from the first viewer's coming to the last one's going.
 */
export function createInspector(options: InspectorOptions): Inspector {
  const { eventLog, readModel, logger = silentLogger, basePath = "" } = options;
  const { keepAliveMs = 15_000, mostStreams = 10_000, mostInMemory = 20_000 } = options;
  const projector = createProjector({ eventLog, readModel, clock: systemClock, logger });
  const catchUp = options.catchUp ?? (() => projector.catchUp());
  const audit = options.audit ?? createAudit({ readModel });
  const readApi = createReadApi({ ...options, audit, catchUp });
  const gate = createGate(options);
  const hostGate = createHostGate(options);
  const folds = new BuildFolds(eventLog, { most: mostInMemory });
  const live = new LiveFetches({ eventLog, folds, logger, head });
  const streams = new OpenStreams({ keepAliveMs, most: mostStreams });
  const files = new PageFiles(options.pageDirectory);

  async function head() {
    await project();
    return await readModel.checkpoint();
  }

  /** A fact that cannot be read stops the projecting behind it, and must not hide what is projected. */
  async function project(): Promise<void> {
    try {
      await catchUp();
    } catch (error) {
      if (!FetchImageError.is(error) || error.retryable) throw error;
      logger.warn("the read model is not brought up to the head of the log", { code: error.code });
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse, route: InspectorRoute): Promise<void> {
    const exchange = { request, response };
    if (route.name === "page") {
      hostGate(request);
      await servePage(files, { ...exchange, path: route.path });
      return;
    }
    gate(request);
    if (route.name === "session") {
      serveSession(exchange, { token: options.token, path: `${basePath}/` });
      return;
    }
    assertReading(request);
    const query = new Query(route.query);
    switch (route.name) {
      case "fetches": {
        const { q, before, state } = query.take("limit", "before", "q", "state");
        const limit = query.number("limit");
        const question = {
          ...(q === undefined || q === "" ? {} : { q }),
          ...(before === undefined ? {} : { before }),
          ...(state === undefined || state === "" ? {} : { state }),
          ...(limit === undefined ? {} : { limit }),
        };
        await project();
        const page = await listFetches({ readModel, folds }, question);
        reply(request, response, page as unknown as Json);
        return;
      }
      case "live":
        await serveLive(exchange, query.take("after").after);
        return;
      case "registries":
        query.take();
        await project();
        reply(request, response, {
          registries: (await registries({ eventLog, readModel, now: () => systemClock.now() })) as unknown as Json,
        });
        return;
      case "build-facts": {
        query.take();
        const build = knownId(route.id);
        const unknown = () =>
          new FetchImageError("FI_BUILD_UNKNOWN", { message: `there is no build ${build}`, details: { build } });
        const question = { ...exchange, stream: buildStream(build), fileName: `build-${build}.ndjson`, unknown };
        await serveFacts({ eventLog, streams }, question);
        return;
      }
      case "scope-facts": {
        query.take("limit");
        const newest = query.number("limit") ?? 2000;
        if (!Number.isInteger(newest) || newest < 1 || newest > 10_000) throw new Refusal(400, "limit is 1 to 10000");
        const scope = knownId(route.id);
        const unknown = () => new Refusal(404, `there is no scope ${scope}`);
        const question = {
          ...exchange,
          stream: scopeStream(scope),
          fileName: `scope-${scope}.ndjson`,
          newest,
          unknown,
        };
        await serveFacts({ eventLog, streams }, question);
        return;
      }
    }
  }

  async function serveLive(
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
    given: string | undefined,
  ): Promise<void> {
    const last = request.headers["last-event-id"];
    const after = typeof last === "string" && last !== "" ? last : given === "" ? undefined : given;
    if (after !== undefined && after.length > 200) throw new Refusal(400, "after is no place in the log");
    if (request.method === "HEAD") {
      response.writeHead(200, streamHeaders).end();
      return;
    }
    const connection = new LiveConnection(response, { eventLog, folds, live });
    const keepAlive = (): void => connection.keepAlive();
    await streams.serve({ request, response }, keepAlive, async (gone) => {
      try {
        await connection.begin(after, streamHeaders);
        await untilGone(gone);
      } finally {
        live.leave(connection);
      }
    });
  }

  return {
    async handle(request, response) {
      const url = below(basePath, request.url ?? "");
      if (url === undefined) return false;
      if (!url.startsWith("/") && basePath !== "") {
        // The page's addresses are relative to it.
        response.writeHead(308, { location: `${basePath}/${url}` }).end();
        return true;
      }
      const route = inspectorRoute(url);
      if (route === undefined) {
        const isServed = options.readApi !== false || url.startsWith(auditPath);
        return isServed && (await readApi.answer(url, request, response));
      }
      try {
        await answer(request, response, route);
      } catch (error) {
        refuse(request, response, error, logger);
      }
      return true;
    },
    get open() {
      const { streams: ofLogs } = readApi.open;
      return { streams: streams.size + ofLogs, viewers: live.viewers, inMemory: folds.weight };
    },
    close() {
      live.close();
      streams.close();
      readApi.close();
    },
  };
}

/** The part of a URL below the path, or its query where it is that very path; undefined where it is neither. */
function below(basePath: string, url: string): string | undefined {
  if (basePath === "") return url;
  if (!url.startsWith(basePath)) return undefined;
  const rest = url.slice(basePath.length);
  return rest === "" || rest.startsWith("?") || rest.startsWith("/") ? rest : undefined;
}

function knownId(text: string): string {
  const id = decodedId(text);
  if (id === undefined) throw new Refusal(404, "this API has no such page");
  return id;
}
