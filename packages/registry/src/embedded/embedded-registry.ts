import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, parseReference } from "@fetch-image/core/registry-image";
import { type AccessRule, createAccess } from "./access.ts";
import { createContents } from "./contents.ts";
import { createFaults, type FaultInjection } from "./faults.ts";
import { type BuiltImage, buildImage, type ImageRecipe } from "./image.ts";
import type { Reply } from "./reply.ts";
import { route, routeKind } from "./routes.ts";

export interface EmbeddedRegistryOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Passwords by user name. */
  readonly users?: { readonly [username: string]: string };
  /** Which repositories need a login; the first rule whose prefix fits counts, and without one everybody may read. */
  readonly private?: readonly AccessRule[];
  /** Default: 300. */
  readonly tokenLifetimeSeconds?: number;
  /** The most that one page of a list of tags holds, whatever is asked for. Default: what is asked for. */
  readonly tagsPerPage?: number;
  /** PEM. Serves https instead of http. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface RequestRecord {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: string;
  /** 0 while there is no answer. */
  readonly status: number;
  /** Whether it came with an `Authorization`; never which. */
  readonly authorization: boolean;
  /** Its header `Range`. */
  readonly range?: string;
}

/** Requests by what they were for, every status counted. */
export interface RequestCounts {
  readonly manifestHead: number;
  readonly manifestGet: number;
  readonly blob: number;
  readonly tags: number;
  readonly token: number;
}

export interface PushedImage extends Omit<BuiltImage, "blobs" | "manifests"> {
  /** `host/repository`, as a source names it. */
  readonly repository: string;
  readonly tag: string | undefined;
}

/** A small OCI registry in this process, over real HTTP on loopback. Reads only; images are put in by `push`. */
export interface EmbeddedRegistry extends FaultInjection, AsyncDisposable {
  /** `127.0.0.1:43210` */
  readonly host: string;
  /** `http://127.0.0.1:43210` */
  readonly origin: string;
  /** In the order in which they came. */
  readonly requests: readonly RequestRecord[];
  readonly counts: RequestCounts;
  /** TCP connections accepted so far. */
  readonly connections: number;
  /** `acme/app:1.0`; a leading `host/` is understood. Without a recipe the image holds its own name. */
  push(reference: string, recipe?: ImageRecipe): Promise<PushedImage>;
  moveTag(repository: string, tag: string, digest: Digest): void;
  /** Whether there was one. */
  deleteTag(repository: string, tag: string): boolean;
  /** Names this as the token server from now on; without an argument, itself again. */
  setRealm(realm?: string): void;
  /** Every token that was given out is invalid from now on. */
  revokeTokens(): void;
  /** Forgets the requests seen so far. */
  clearRequests(): void;
  /** Drops all connections. */
  close(): Promise<void>;
}

export async function startEmbeddedRegistry(options: EmbeddedRegistryOptions = {}): Promise<EmbeddedRegistry> {
  const contents = createContents();
  const faults = createFaults();
  const { tagsPerPage } = options;
  const access = createAccess({
    users: options.users ?? {},
    rules: options.private ?? [],
    tokenLifetimeSeconds: options.tokenLifetimeSeconds ?? 300,
    ownRealm: () => `${origin}/token`,
  });
  let requests: { -readonly [Field in keyof RequestRecord]: RequestRecord[Field] }[] = [];
  let connections = 0;

  const onRequest: RequestListener = (request, response) => {
    void serve(request, response).catch(() => response.destroy());
  };
  const server = options.tls ? createTlsServer(options.tls, onRequest) : createServer(onRequest);
  server.on("connection", () => connections++);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const host = `127.0.0.1:${portOf(server.address())}`;
  const origin = `${options.tls ? "https" : "http"}://${host}`;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  const pathOf = (repository: string): string =>
    repository.startsWith(`${host}/`) ? repository.slice(host.length + 1) : repository;

  return {
    ...faults,
    host,
    origin,
    get requests() {
      return requests;
    },
    get counts() {
      return countsOf(requests);
    },
    get connections() {
      return connections;
    },
    async push(text, recipe) {
      const parsed = parseReference(`${host}/${pathOf(text)}`);
      if (!parsed.ok) throw parsed.error;
      const { path, tag } = parsed.reference;
      const { blobs, manifests, ...image } = buildImage({ layers: [`${path}:${tag ?? "latest"}\n`], ...recipe });
      contents.add(path, { blobs, manifests, ...image }, tag);
      return { ...image, repository: `${host}/${path}`, tag };
    },
    moveTag: (repository, tag, digest) => contents.moveTag(pathOf(repository), tag, digest),
    deleteTag: (repository, tag) => contents.deleteTag(pathOf(repository), tag),
    setRealm: (realm) => access.setRealm(realm),
    revokeTokens: () => access.revokeTokens(),
    clearRequests: () => void (requests = []),
    close,
    [Symbol.asyncDispose]: close,
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", headers } = request;
    const url = new URL(request.url ?? "/", origin);
    const { pathname: path, search: query } = url;
    const { authorization, accept } = headers;
    const range = headers.range === undefined ? {} : { range: headers.range };
    const record = { method, path, query, status: 0, authorization: authorization !== undefined, ...range };
    requests.push(record);
    const acts = faults.take(method, path);
    if (acts.delay) await sleep(acts.delay.ms);
    if (acts.hang) return;
    if (acts.reset) return dropConnection(request.socket);
    const ranges = acts.whole ? {} : { range: headers.range, ifRange: one(headers["if-range"]) };
    const question = {
      method,
      url,
      authorization,
      accept,
      tagsPerPage,
      range: undefined,
      ifRange: undefined,
      ...ranges,
    };
    const reply = acts.answer?.reply ?? route(question, contents, access);
    record.status = reply.status;
    send(response, withHeaders(reply, acts.headers?.headers ?? {}), method === "HEAD", {
      only: acts.cut?.bytes ?? acts.stall?.bytes ?? acts.short?.bytes,
      pieces: acts.trickle,
      afterwards: acts.endless ? "go on" : acts.cut ? "drop" : acts.stall ? "stall" : acts.short ? "stop" : "end",
    });
  }
}

function one(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

function withHeaders(reply: Reply, changed: { readonly [name: string]: string }): Reply {
  const headers = { "content-length": String(reply.body.length), ...reply.headers, ...changed };
  return { ...reply, headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== "")) };
}

function send(
  response: ServerResponse,
  reply: Reply,
  isHead: boolean,
  how: {
    readonly only: number | undefined;
    readonly pieces: { readonly bytes: number; readonly everyMs: number } | undefined;
    readonly afterwards: "end" | "go on" | "drop" | "stall" | "stop";
  },
): void {
  const { "content-length": _length, ...unbounded } = reply.headers;
  const tellsLength = how.afterwards !== "go on" && how.afterwards !== "stop";
  response.writeHead(reply.status, tellsLength ? reply.headers : unbounded);
  if (isHead) return void response.end();
  if (how.pieces) return void writeInPieces(response, reply.body, how.pieces);
  if (how.afterwards === "end") return void response.end(reply.body);
  response.write(reply.body.subarray(0, how.only), () => {
    if (how.afterwards === "drop") dropConnection(response.socket);
    if (how.afterwards === "go on") writeForEver(response);
    if (how.afterwards === "stop") response.end();
  });
}

async function writeInPieces(
  response: ServerResponse,
  body: Buffer,
  { bytes, everyMs }: { readonly bytes: number; readonly everyMs: number },
): Promise<void> {
  for (let at = 0; at < body.length && !response.destroyed; at += bytes) {
    response.write(body.subarray(at, at + bytes));
    await sleep(everyMs);
  }
  response.end();
}

function writeForEver(response: ServerResponse): void {
  const spaces = Buffer.alloc(64 * 1024, " ");
  const more = (): void => {
    while (!response.destroyed && response.write(spaces));
  };
  response.on("drain", more);
  more();
}

function dropConnection(socket: Socket | null): void {
  socket?.destroy();
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new TypeError("the embedded registry has no port");
  return address.port;
}

function countsOf(requests: readonly RequestRecord[]): RequestCounts {
  const count = (kind: string, method?: string): number =>
    requests.filter((request) => routeKind(request.path) === kind && (method ?? request.method) === request.method)
      .length;
  return {
    manifestHead: count("manifest", "HEAD"),
    manifestGet: count("manifest", "GET"),
    blob: count("blob"),
    tags: count("tags"),
    token: count("token"),
  };
}
