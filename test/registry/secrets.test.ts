import { createServer } from "node:net";
import type { FetchImageError, FetchImageErrorCode, Logger } from "@fetch-image/core";
import { createImageRegistry, type RegistryOptions } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenOnLoopback } from "../support/listen.ts";
import { everyWordOf, failureOf, hasty, patient, sourceAt } from "./support.ts";

const canary = "CaNaRy-7f3a!%";
const username = `user-${canary}`;
const password = `pass-${canary}`;
const token = "T0ken-CaNaRy-7f3a";
const basic = Buffer.from(`${username}:${password}`).toString("base64");
const tagPath = "/v2/private/app/manifests/1";

let peer: EmbeddedRegistry;
let logged: string[];

beforeEach(async () => {
  peer = await startEmbeddedRegistry({
    users: { [username]: password },
    private: [{ prefix: "private/", scheme: "bearer" }],
  });
  await peer.push("private/app:1");
  logged = [];
});
afterEach(() => peer.close());

function logger(): Logger {
  const log = (message: string, fields?: object): void => void logged.push(message + JSON.stringify(fields ?? {}));
  return { debug: log, info: log, warn: log, error: log };
}

async function failure(options: RegistryOptions = {}): Promise<FetchImageError> {
  await using registry = createImageRegistry({ ...hasty, logger: logger(), ...options });
  return await failureOf(registry.resolve(sourceAt(peer, "private/app", { username, password }), "1", patient));
}

function echo(...forms: string[]): string {
  return JSON.stringify({ errors: [{ code: "DENIED", message: `you sent ${forms.join(" and ")}` }] });
}

/** Ways to fail, each with a registry that repeats what it was told wherever it can. */
const failures: readonly (readonly [name: string, code: FetchImageErrorCode, cause: () => void])[] = [
  ["it is down", "FI_REGISTRY_UNREACHABLE", () => void peer.close()],
  ["it hangs", "FI_REGISTRY_TIMEOUT", () => peer.hang("*", "*")],
  ["it drops connections", "FI_REGISTRY_UNREACHABLE", () => peer.reset("*", "*")],
  ["the credentials are wrong", "FI_UNAUTHORIZED", () => tokenServer(401, echo(password, username, basic))],
  ["the token server fails", "FI_REGISTRY_UNAVAILABLE", () => tokenServer(500, echo(`${username}:${password}`))],
  ["the token server echoes them in a URL", "FI_REGISTRY_PROTOCOL", () => tokenServer(400, echo(inUrl))],
  ["the token is no token", "FI_REGISTRY_PROTOCOL", () => tokenServer(200, JSON.stringify({ token: `${token}\n` }))],
  ["the token server sends them in a page", "FI_REGISTRY_PROTOCOL", () => tokenServer(200, `<p>${password}`)],
  [
    "the token is refused",
    "FI_UNAUTHORIZED",
    () => {
      tokenServer(200, JSON.stringify({ token }));
      peer.setHeaders("HEAD", tagPath, { "www-authenticate": `${bearer()},error="${token}",error_uri="${inUrl}"` });
    },
  ],
  [
    "the registry echoes the token",
    "FI_FORBIDDEN",
    () => {
      peer.answerAlways("HEAD", tagPath, 405);
      peer.answerAlways("GET", tagPath, 403, {}, echo(token, `Bearer ${token}`, password));
      loggedInWith(token);
    },
  ],
  [
    "the realm repeats them",
    "FI_REGISTRY_UNTRUSTED",
    () => peer.setRealm(`http://127.0.0.9/${encodeURIComponent(password)}?p=${encodeURIComponent(password)}`),
  ],
  [
    "the host of a redirect repeats the token",
    "FI_REGISTRY_UNTRUSTED",
    () => {
      peer.redirect("HEAD", tagPath, `http://${token}.localhost/?token=${token}`);
      loggedInWith(token);
    },
  ],
  [
    "it answers nonsense",
    "FI_REGISTRY_PROTOCOL",
    () => {
      peer.answerAlways("HEAD", tagPath, 405);
      loggedInWith(token);
      peer.answerAlways("GET", tagPath, 200, {}, JSON.stringify({ mediaType: password, schemaVersion: token }));
    },
  ],
];

const inUrl = `https://${encodeURIComponent(username)}:${encodeURIComponent(password)}@x/?t=${token}`;
const bearer = (): string => `Bearer realm="${peer.origin}/token"`;

function tokenServer(status: number, body: string): void {
  peer.answerAlways("GET", "/token", status, {}, body);
}

/** The token is sent, and taken. */
function loggedInWith(value: string): void {
  tokenServer(200, JSON.stringify({ token: value }));
  peer.answerNext("HEAD", tagPath, 401, { "www-authenticate": bearer() });
}

test.each(failures)("no secret is in any word of the error when %s (%s)", async (_, code, cause) => {
  cause();
  const error = await failure();
  expect(error.code).toBe(code);
  const words = [everyWordOf(error), ...logged].join("\n").toLowerCase();
  for (const secret of [canary, basic, encodeURIComponent(canary), token]) {
    expect(words).not.toContain(secret.toLowerCase());
  }
});

test("a quotation that is cut short keeps no start of a secret", async () => {
  tokenServer(403, echo("x".repeat(265), password));
  const { message } = await failure();
  expect(message).toContain("xxx");
  expect(message).not.toContain(password.slice(0, 6));
});

test("a registry that echoes a request as it came is not quoted", async () => {
  const echoing = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (request) => {
      const known = /authorization/i.test(request.toString("latin1"));
      const challenge = "HTTP/1.1 401 No\r\nwww-authenticate: Basic realm=x\r\ncontent-length: 0\r\n\r\n";
      socket.write(known ? `echo ${request.toString("latin1")}` : challenge);
    });
  });
  const { origin, close } = await listenOnLoopback(echoing);
  await using registry = createImageRegistry({ ...hasty, logger: logger(), endpoints: { "docker.io": origin } });
  const error = await failureOf(registry.resolve({ repository: "busybox", username, password }, "1", patient));
  expect(error.code).toBe("FI_REGISTRY_PROTOCOL");
  expect([everyWordOf(error), ...logged].join("\n")).not.toContain(basic);
  await close();
});

test("a host that is named after the token is not named when it fails", async () => {
  // The peer is also the proxy through which every host is asked, so that any name leads somewhere.
  const repository = "registry.test/private/app";
  peer.answerAlways("HEAD", tagPath, 500);
  peer.answerNext("HEAD", tagPath, 401, { "www-authenticate": 'Bearer realm="http://registry.test/token"' });
  peer.answerNext("HEAD", tagPath, 307, { location: `http://${token}.test${tagPath}` });
  tokenServer(200, JSON.stringify({ token }));
  await using registry = createImageRegistry({
    ...hasty,
    logger: logger(),
    proxy: { httpProxy: peer.origin, httpsProxy: peer.origin },
  });
  const source = { repository, username, password, insecure: true };
  const error = await failureOf(registry.resolve(source, "1", patient));
  expect(error).toMatchObject({
    code: "FI_REGISTRY_UNAVAILABLE",
    message: expect.stringContaining("***.test answered 500"),
  });
  expect([everyWordOf(error), ...logged].join("\n").toLowerCase()).not.toContain(token.toLowerCase());
});

test("credentials of a proxy are in no word either", async () => {
  await using proxy = await startEmbeddedRegistry();
  proxy.answerAlways("*", "*", 407);
  const { port } = new URL(proxy.origin);
  const proxied = `http://${encodeURIComponent(username)}:${encodeURIComponent(password)}@127.0.0.1:${port}`;
  await using registry = createImageRegistry({
    ...hasty,
    logger: logger(),
    proxy: { httpsProxy: proxied, httpProxy: proxied },
  });
  for (const insecure of [false, true]) {
    const source = { repository: "registry.test/acme/app", insecure };
    const error = await failureOf(registry.resolve(source, "1", patient));
    expect(error.code).toBe("FI_REGISTRY_UNREACHABLE");
    const words = [everyWordOf(error), ...logged].join("\n");
    expect(words).not.toContain(canary);
    expect(words).not.toContain(basic);
  }
});

test("a password is never in clear where nobody asked for it", async () => {
  peer.setRealm("http://127.0.0.9/token");
  expect((await failure()).code).toBe("FI_REGISTRY_UNTRUSTED");
  expect(peer.requests).toHaveLength(1);
  expect(peer.requests.every(({ authorization }) => !authorization)).toBe(true);
});
