import type { ServerResponse } from "node:http";
import type { KubeChange, KubeObject, KubeObjects } from "./objects.ts";
import { status } from "./status.ts";

export interface WatchRequest {
  readonly resource: string;
  readonly matches: (object: KubeObject) => boolean;
  readonly query: URLSearchParams;
}

/** The watches that are open, and how they misbehave. */
export class Watches {
  readonly #objects: KubeObjects;
  readonly #open = new Set<{ readonly response: ServerResponse; readonly end: () => void }>();
  /** Every event comes twice, and the one before it once more behind it. */
  scrambled = false;
  /** How many were begun. */
  begun = 0;

  constructor(objects: KubeObjects) {
    this.#objects = objects;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Cuts every connection in the middle of an event. */
  cut(): void {
    for (const { response, end } of this.#open) {
      response.write('{"type":"MODIFIED","object":{"kind":"Pod","meta');
      end();
      response.destroy();
    }
  }

  /** Ends every watch as a server does whose time for it is over. */
  close(): void {
    for (const { response, end } of this.#open) {
      end();
      response.end();
    }
  }

  /** Tells every watch that what happened since is forgotten. */
  expire(): void {
    for (const { response, end } of this.#open) {
      response.write(line("ERROR", status(410, "Expired", "too old resource version")));
      end();
      response.end();
    }
  }

  begin({ resource, matches, query }: WatchRequest, response: ServerResponse): void {
    this.begun++;
    response.writeHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
    response.flushHeaders();
    const from = query.get("resourceVersion");
    const past = from === null || from === "0" ? [] : this.#objects.since(Number(from), resource);
    if (past === undefined) {
      response.end(line("ERROR", status(410, "Expired", `too old resource version: ${from}`)));
      return;
    }
    let last: KubeChange | undefined;
    const tell = (change: KubeChange): void => {
      if (change.resource !== resource || !matches(change.object)) return;
      response.write(line(change.type, change.object));
      if (!this.scrambled) return;
      response.write(line(change.type, change.object));
      if (last !== undefined) response.write(line(last.type, last.object));
      last = change;
    };
    if (from === null || from === "0") {
      for (const object of this.#objects.list(resource)) tell({ version: 0, resource, type: "ADDED", object });
    }
    for (const change of past) tell(change);
    const bookmark = (): void => {
      if (query.get("allowWatchBookmarks") !== "true") return;
      const metadata = { resourceVersion: String(this.#objects.version), creationTimestamp: null };
      response.write(line("BOOKMARK", { kind: "Pod", apiVersion: "v1", metadata }));
    };
    bookmark();
    const forget = this.#objects.onChange(tell);
    const seconds = Number(query.get("timeoutSeconds") ?? 1800);
    const timer = setTimeout(() => {
      bookmark();
      watch.end();
      response.end();
    }, seconds * 1000);
    const watch = {
      response,
      end: () => {
        clearTimeout(timer);
        forget();
        this.#open.delete(watch);
      },
    };
    this.#open.add(watch);
    response.on("close", watch.end);
  }
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}
