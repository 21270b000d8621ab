// What docs/guides/embedding.md shows, piece by piece: the guide's blocks stand here word for word.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { EventLog, ImageRegistry, ReadModel } from "@fetch-image/core";
import { type Build, createFetchImageEngine, type FetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry } from "@fetch-image/registry";
import { openPostgresStore } from "@fetch-image/store/postgres";
import { context, metrics, trace } from "@opentelemetry/api";

export interface Ports {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  readonly registry: ImageRegistry;
}

export async function portsOn(connectionString: string): Promise<Ports & { readonly close: () => Promise<void> }> {
  const store = await openPostgresStore({ connectionString });
  const { eventLog, readModel } = store;
  const registry = createImageRegistry();
  const close = async () => {
    await registry.close();
    await store.close();
  };
  return { eventLog, readModel, registry, close };
}

export function open({ eventLog, readModel, registry }: Ports, credentialKey: string): FetchImageEngine {
  const engine = createFetchImageEngine({
    eventLog,
    readModel,
    registry,
    nativeImageFetch: true,
    credentialKey,
    settings: { maxFetches: 2000, maxWaitingFetches: 10_000 },
    telemetry: {
      tracer: trace.getTracer("scheduler"),
      meter: metrics.getMeter("scheduler"),
      trace,
      context,
    },
  });
  return engine;
}

export async function fetchOne(engine: FetchImageEngine, traceparent: string): Promise<string | undefined> {
  const build = await engine.openBuild({ id: "123", team: "main", pipeline: "ci", job: "unit", traceparent });
  const { imageURL } = await build.fetchTaskImage({
    stepId: "task-1",
    imageResource: {
      name: "image",
      type: "registry-image",
      source: { repository: "registry.example.com/acme/go", tag: "1.26" },
    },
    resourceTypes: [],
    privileged: false,
  });
  await build.close();
  return imageURL;
}

export function probes(engine: FetchImageEngine): Server {
  const answer = async ({ url }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const health = await engine.health({ deadlineMs: 1000 });
    const well = url === "/live" ? health.live : health.ready;
    response.writeHead(well ? 200 : 503, { "content-type": "application/json" });
    response.end(JSON.stringify(health));
  };
  const server = createServer((request, response) => void answer(request, response));
  return server;
}

export async function whatRan(build: Build, imageID: string, pod: string): Promise<string> {
  const { outcome } = await build.recordRan({ fetchId: "task-1/image-get", imageID, pod });
  return outcome;
}

export async function stop(engine: FetchImageEngine): Promise<void> {
  const { finished, left } = await engine.close({ deadlineMs: 20_000 });
  console.error(`${finished} fetches ended, ${left.length} are left to the next process`);
}
