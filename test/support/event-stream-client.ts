// A client of event streams over HTTP that reads as slowly as it is told.
import { get, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: { readonly [name: string]: string };
  /** As it goes over the wire, in the place of the URL's. */
  readonly path?: string;
}

/** One request, its whole answer. */
export function ask(url: string, { method = "GET", headers = {}, path }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const target = { ...asItStands(url), ...(path === undefined ? {} : { path }) };
    const asked = request({ ...target, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on("error", reject);
    });
    asked.on("error", reject).end();
  });
}

export interface Follower {
  readonly response: IncomingMessage;
  /** What has come so far, comments left out. */
  text(): string;
  /** Resolves once what has come passes. */
  until(passes: (text: string) => boolean): Promise<string>;
  close(): void;
}

/** Opens a stream and keeps what comes. */
export function follow(url: string, headers: { readonly [name: string]: string } = {}): Promise<Follower> {
  return new Promise((resolve, reject) => {
    const asked = get({ ...asItStands(url), headers, agent: false }, (response) => {
      let text = "";
      const listeners = new Set<() => void>();
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        for (const listener of listeners) listener();
      });
      response.on("error", () => undefined);
      const seen = () => text.replaceAll(/^:\n\n/gm, "");
      resolve({
        response,
        text: seen,
        until: (passes) =>
          new Promise((found) => {
            const look = () => {
              if (!passes(seen())) return;
              listeners.delete(look);
              found(seen());
            };
            listeners.add(look);
            look();
          }),
        close: () => asked.destroy(),
      });
    });
    asked.on("error", reject);
  });
}

/** A URL's parts, its path to the byte: where `URL` reads it, two dots are folded away, percent-encoded ones too. */
function asItStands(url: string): { readonly hostname: string; readonly port: number; readonly path: string } {
  const [, hostname = "", port, path = "/"] = /^http:\/\/([^/:]+):(\d+)(\/.*)?$/.exec(url) ?? [];
  return { hostname, port: Number(port), path };
}

/** Whether a stream has come to its end. */
export const hasEnded = (text: string): boolean => text.endsWith("event: end\ndata\n\n");
