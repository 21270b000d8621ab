import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createInspector, type Inspector, type InspectorOptions } from "@fetch-image/inspector";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { type Follower, follow } from "./event-stream-client.ts";
import { listenOnLoopback } from "./listen.ts";

export interface InspectorServer extends AsyncDisposable {
  readonly inspector: Inspector;
  readonly origin: string;
}

/** The inspector on a free port, in a server that answers 418 to what is none of the inspector's. */
export async function serveInspector(options: Partial<InspectorOptions> = {}): Promise<InspectorServer> {
  const { eventLog = createMemoryEventLog(), readModel = createMemoryReadModel() } = options;
  const inspector = createInspector({ ...options, eventLog, readModel });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!(await inspector.handle(request, response))) response.writeHead(418).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  const { origin, close } = await listenOnLoopback(server);
  return {
    inspector,
    origin,
    async [Symbol.asyncDispose]() {
      inspector.close();
      await close();
    },
  };
}

interface Frame {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** The events of a text of server-sent events, those that a browser would tell its page of. */
export function frames(text: string): readonly Frame[] {
  return text.split("\n\n").flatMap((block) => {
    const fields = block.split("\n").map((line) => /^([a-z]+): (.*)$/.exec(line));
    const value = (name: string) => fields.findLast((field) => field?.[1] === name)?.[2];
    const data = value("data");
    return data === undefined ? [] : [{ event: value("event") ?? "message", id: value("id"), data }];
  });
}

export interface Events {
  /** What the browser has told its page so far. */
  readonly all: () => readonly Frame[];
  /** Resolves once there are so many events of this name; gives their data, read. */
  readonly until: (event: string, count: number) => Promise<readonly ReturnType<typeof JSON.parse>[]>;
  readonly follower: Follower;
}

export async function followEvents(url: string, headers: { readonly [name: string]: string } = {}): Promise<Events> {
  const follower = await follow(url, headers);
  const whole = (text: string) => frames(text.slice(0, text.lastIndexOf("\n\n") + 2));
  const named = (text: string, event: string) => whole(text).filter((frame) => frame.event === event);
  return {
    follower,
    all: () => whole(follower.text()),
    until: async (event, count) => {
      const text = await follower.until((sofar) => named(sofar, event).length >= count);
      return named(text, event).map(({ data }) => JSON.parse(data));
    },
  };
}
