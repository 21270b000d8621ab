// What docs/guides/inspector.md shows of mounting: the guide's block stands here word for word.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { EventLog, ReadModel } from "@fetch-image/core";
import { createInspector } from "@fetch-image/inspector";

export interface Scheduler {
  readonly mayLookOn: (request: IncomingMessage) => Promise<boolean>;
  readonly scheduler: RequestListener;
}

export function mount(eventLog: EventLog, readModel: ReadModel, { mayLookOn, scheduler }: Scheduler): Server {
  const inspector = createInspector({ eventLog, readModel, basePath: "/fetch-image", readApi: false, trusted: true });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!(await mayLookOn(request))) response.writeHead(403).end();
    else if (!(await inspector.handle(request, response))) scheduler(request, response);
  };
  const server = createServer((request, response) => void answer(request, response));
  server.on("close", () => inspector.close());
  return server;
}
