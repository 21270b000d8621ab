// A registry that takes pushes as the distribution-spec has them, and misbehaves when it is told to.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { listenOnLoopback } from "./listen.ts";

interface PushRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly authorization: boolean;
  readonly contentRange: string | undefined;
  readonly bytes: number;
}

/** What a request meets instead of what it should. */
type Misbehaviour =
  | { readonly answer: number; readonly headers?: { readonly [name: string]: string } }
  /** The connection breaks when so many bytes of the body have come; they are kept. */
  | { readonly cutAfter: number };

export interface PushRegistry extends AsyncDisposable {
  readonly host: string;
  readonly origin: string;
  readonly requests: PushRequest[];
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** By digest and by tag. */
  readonly manifests: ReadonlyMap<string, Buffer>;
  /** What the next requests of the method meet whose path has the text in it. */
  misbehave(method: string, path: string, ...how: readonly Misbehaviour[]): void;
  /** Whether it tells how much of an upload it has, so that one can go on. Default: true. */
  resumes: boolean;
  /** How it writes where an upload goes. Default: as a path. */
  location: (path: string) => string;
}

export async function startPushRegistry(): Promise<PushRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  /** `repository digest` of what each repository has. */
  const held = new Set<string>();
  const uploads = new Map<string, Buffer>();
  const planned: { method: string; path: string; how: Misbehaviour }[] = [];
  const requests: PushRequest[] = [];
  let sessions = 0;
  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  const { host, origin, close } = await listenOnLoopback(server);
  const registry: PushRegistry = {
    host,
    origin,
    requests,
    blobs,
    manifests,
    misbehave: (method, path, ...all) => planned.push(...all.map((how) => ({ method, path, how }))),
    resumes: true,
    location: (path) => path,
    [Symbol.asyncDispose]: close,
  };
  return registry;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", origin);
    const method = request.method ?? "";
    const at = planned.findIndex((one) => one.method === method && url.pathname.includes(one.path));
    const how = at < 0 ? undefined : planned.splice(at, 1)[0]?.how;
    if (how && "cutAfter" in how) return await cut(request, url, how.cutAfter);
    const body = await buffer(request);
    record(request, url, body.length);
    const [status, headers = {}] = how ? [how.answer, how.headers] : answer(method, url, body, request);
    response.writeHead(status, headers).end();
  }

  function record({ method = "", headers }: IncomingMessage, url: URL, bytes: number): void {
    const { authorization, "content-range": contentRange } = headers;
    const query = decodeURIComponent(url.search);
    requests.push({
      method,
      path: url.pathname,
      query,
      authorization: authorization !== undefined,
      contentRange,
      bytes,
    });
  }

  async function cut(request: IncomingMessage, url: URL, after: number): Promise<void> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= after) break;
    }
    const kept = Buffer.concat(chunks).subarray(0, after);
    record(request, url, kept.length);
    uploads.set(url.pathname, Buffer.concat([uploads.get(url.pathname) ?? Buffer.alloc(0), kept]));
    request.socket.destroy();
  }

  function answer(
    method: string,
    url: URL,
    body: Buffer,
    request: IncomingMessage,
  ): [number, { [name: string]: string }?] {
    const { pathname: path, searchParams } = url;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (path.includes("/manifests/")) {
      if (method === "HEAD") return manifests.has(name) ? [200, { "docker-content-digest": name }] : [404];
      manifests.set(name, body).set(digestOf(body), body);
      return [201, { "docker-content-digest": digestOf(body) }];
    }
    if (method === "HEAD") {
      const blob = held.has(`${repositoryOf(path)} ${name}`) ? blobs.get(name) : undefined;
      return blob ? [200, { "content-length": String(blob.length) }] : [404];
    }
    if (method === "POST") {
      const mount = searchParams.get("mount") ?? "";
      if (held.has(`${searchParams.get("from")} ${mount}`)) {
        held.add(`${repositoryOf(path)} ${mount}`);
        return [201];
      }
      const place = `${path}session-${++sessions}`;
      uploads.set(place, Buffer.alloc(0));
      return [202, { location: registry.location(place) }];
    }
    const taken = uploads.get(path);
    if (taken === undefined) return [404];
    if (method === "GET") {
      if (!registry.resumes) return [404];
      return [204, { range: `0-${Math.max(0, taken.length - 1)}`, location: registry.location(path) }];
    }
    if (method === "PATCH") {
      const from = Number(/^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1]);
      if (from !== taken.length) return [416];
      uploads.set(path, Buffer.concat([taken, body]));
      return [202, { location: registry.location(path) }];
    }
    const whole = body.length === 0 ? taken : body;
    const digest = searchParams.get("digest") ?? "";
    if (digestOf(whole) !== digest) return [400];
    blobs.set(digest, whole);
    held.add(`${repositoryOf(path)} ${digest}`);
    uploads.delete(path);
    return [201, { "docker-content-digest": digest }];
  }
}

function repositoryOf(path: string): string {
  return path.replace(/^\/v2\//, "").replace(/\/blobs\/.*$/, "");
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
