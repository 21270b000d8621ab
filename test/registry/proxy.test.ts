import { createServer, type IncomingMessage, request as forward, type ServerResponse } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { createImageRegistry, type RegistryOptions } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeAuthority, makeServerCertificate } from "../support/certificates.ts";
import { listenOnLoopback } from "../support/listen.ts";
import { failureOf, hasty, patient } from "./support.ts";

// A name that nobody but the proxy can find.
const name = "registry.test";
const authority = makeAuthority();
let secure: EmbeddedRegistry;
let plain: EmbeddedRegistry;

beforeAll(async () => {
  secure = await startEmbeddedRegistry({ tls: makeServerCertificate(authority, [name]) });
  plain = await startEmbeddedRegistry();
  await secure.push("acme/app:1");
  await plain.push("acme/app:1");
});
afterAll(async () => {
  await secure.close();
  await plain.close();
});

interface TestProxy {
  readonly origin: string;
  readonly asked: string[];
  /** True lets pass, a number is the status of the refusal, false drops the connection. */
  allows: (what: "http" | "tunnel") => boolean | number;
  readonly close: () => Promise<void>;
}

/** A proxy that leads every name to the test's own registries, and writes down what it was asked. */
async function startProxy(): Promise<TestProxy> {
  const server = createServer((request, response) => {
    proxy.asked.push(`${request.method} ${request.url}`);
    const verdict = proxy.allows("http");
    if (verdict === true) passOn(request, response);
    else response.writeHead(Number(verdict)).end();
  });
  server.on("connect", (request, client) => {
    proxy.asked.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"] ?? ""}`.trim());
    const verdict = proxy.allows("tunnel");
    if (verdict === true) openTunnel(client);
    else if (verdict === false) client.destroy();
    else client.end(`HTTP/1.1 ${verdict} No\r\ncontent-length: 0\r\n\r\n`);
  });
  const { origin, close } = await listenOnLoopback(server);
  const proxy: TestProxy = { origin, close, asked: [], allows: () => true };
  return proxy;
}

function passOn(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? "");
  const headers = { ...request.headers, host: plain.host };
  forward(plain.origin + pathname, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  }).end();
}

function openTunnel(client: Duplex): void {
  const upstream = connect(Number(new URL(secure.origin).port), "127.0.0.1", () => {
    client.write("HTTP/1.1 200 Connected\r\n\r\n");
    upstream.pipe(client).pipe(upstream);
  });
  upstream.on("error", () => client.destroy());
  client.on("error", () => upstream.destroy());
}

let proxy: TestProxy;
beforeEach(async () => {
  proxy = await startProxy();
});
afterEach(() => proxy.close());

const resolve = async (insecure: boolean, options: RegistryOptions = {}): Promise<unknown> => {
  await using registry = createImageRegistry({
    ...hasty,
    proxy: { httpsProxy: proxy.origin, httpProxy: proxy.origin },
    ...options,
  });
  const source = { repository: `${name}/acme/app`, insecure, ca_certs: [authority.cert] };
  const first = await registry.resolve(source, "1", patient);
  await registry.resolve(source, "1", patient);
  return first;
};

describe("a proxy", () => {
  test("is asked for a tunnel to https, and the certificate is still checked against the registry's name", async () => {
    expect(await resolve(false)).toMatchObject({ via: "HEAD", host: name });
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${name}:443`]));
    expect(secure.requests.at(-1)).toMatchObject({ method: "HEAD", status: 200 });
  });

  test("is handed plain http as it is", async () => {
    proxy.allows = (what) => (what === "tunnel" ? 403 : true);
    expect(await resolve(true)).toMatchObject({ via: "HEAD", host: name });
    expect(proxy.asked.at(-1)).toBe(`HEAD http://${name}/v2/acme/app/manifests/1`);
  });

  test("gets the login that stands in its URL", async () => {
    const url = proxy.origin.replace("//", "//me:hunter2@");
    await resolve(false, { proxy: { httpsProxy: url } });
    expect(proxy.asked[0]).toBe(`CONNECT ${name}:443 Basic ${Buffer.from("me:hunter2").toString("base64")}`);
  });

  test.each([403, 407, 502, false])("that says %j lets nobody through, and is asked once", async (verdict) => {
    proxy.allows = () => verdict;
    const error = await failureOf(resolve(false));
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNREACHABLE", retryable: true, details: { host: name } });
    expect(error.hint).toContain("HTTPS_PROXY");
    expect(proxy.asked).toHaveLength(1);
  });

  test("that wants a login for plain http says so", async () => {
    proxy.allows = (what) => (what === "tunnel" ? 403 : 407);
    const error = await failureOf(resolve(true));
    expect(error.code).toBe("FI_REGISTRY_UNREACHABLE");
    expect(error.hint).toContain("HTTPS_PROXY");
  });

  test("that is down is an unreachable registry", async () => {
    await proxy.close();
    expect((await failureOf(resolve(false))).code).toBe("FI_REGISTRY_UNREACHABLE");
  });

  test("is not asked for what NO_PROXY names, nor for loopback", async () => {
    const direct = { httpsProxy: proxy.origin, httpProxy: proxy.origin, noProxy: ".test" };
    await failureOf(resolve(false, { proxy: direct }));
    await using registry = createImageRegistry({ proxy: { httpsProxy: proxy.origin, httpProxy: proxy.origin } });
    expect(await registry.resolve({ repository: `${plain.host}/acme/app` }, "1", patient)).toBeDefined();
    expect(proxy.asked).toEqual([]);
  });
});
