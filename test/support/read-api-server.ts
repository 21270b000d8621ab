import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buildStream, type EventLog, type NewFact, type RecordedBuildFact } from "@fetch-image/core";
import { createReadApi, type ReadApi, type ReadApiOptions } from "@fetch-image/inspector";
import { listenOnLoopback } from "./listen.ts";

export interface ReadApiServer extends AsyncDisposable {
  readonly api: ReadApi;
  readonly origin: string;
}

/** The API on a free port, in a server that has nothing else. */
export async function serveReadApi(options: ReadApiOptions): Promise<ReadApiServer> {
  const api = createReadApi(options);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!(await api.handle(request, response))) response.writeHead(418).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  const { origin, close } = await listenOnLoopback(server);
  return {
    api,
    origin,
    async [Symbol.asyncDispose]() {
      api.close();
      await close();
    },
  };
}

/** Puts a build's facts into an event log, behind those that are there. */
export async function store(eventLog: EventLog, buildId: string, facts: readonly RecordedBuildFact[]): Promise<void> {
  if (facts.length === 0) return;
  const first = facts[0]?.revision ?? 0n;
  const given = facts.map(({ id, type, data, metadata }) => ({ id, type, data, metadata }) as unknown as NewFact);
  await eventLog.append(buildStream(buildId), first === 0n ? "no-stream" : first - 1n, given);
}
