import type { FetchImageError, Logger } from "@fetch-image/core";
import { createImageRegistry, type RegistryOptions } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, expect, test } from "vitest";
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
  return failureOf(registry.resolve(sourceAt(peer, "private/app", { username, password }), "1", patient));
}

function echo(...forms: string[]): string {
  return JSON.stringify({ errors: [{ code: "DENIED", message: `you sent ${forms.join(" and ")}` }] });
}

/** Ways to fail, each with a registry that repeats what it was told wherever it can. */
const failures: Record<string, () => void> = {
  "it is down": () => void peer.close(),
  "it hangs": () => peer.hang("*", "*"),
  "it drops connections": () => peer.reset("*", "*"),
  "the credentials are wrong": () => peer.answerAlways("GET", "/token", 401, {}, echo(password, username, basic)),
  "the token server fails": () => peer.answerAlways("GET", "/token", 500, {}, echo(`${username}:${password}`)),
  "the token server echoes them as a URL": () =>
    peer.answerAlways(
      "GET",
      "/token",
      400,
      {},
      echo(`https://${encodeURIComponent(username)}:${encodeURIComponent(password)}@x/`),
    ),
  "the token is no token": () => peer.answerAlways("GET", "/token", 200, {}, JSON.stringify({ token: `${token}\n` })),
  "the token server sends a page with them": () => peer.answerAlways("GET", "/token", 200, {}, `<p>${password}`),
  "the token is refused": () => {
    peer.answerAlways("GET", "/token", 200, {}, JSON.stringify({ token }));
    const echoed = `Bearer realm="${peer.origin}/token",error="invalid_token",error_description="${token}"`;
    peer.setHeaders("HEAD", tagPath, { "www-authenticate": echoed });
  },
  "the registry echoes the token": () => {
    peer.answerAlways("GET", "/token", 200, {}, JSON.stringify({ token }));
    peer.answerNext("HEAD", tagPath, 401, { "www-authenticate": `Bearer realm="${peer.origin}/token"` });
    peer.answerAlways("HEAD", tagPath, 405);
    peer.answerAlways("GET", tagPath, 403, {}, echo(token, `Bearer ${token}`));
  },
  "the realm repeats them": () => peer.setRealm(`http://127.0.0.9/${encodeURIComponent(password)}?p=${password}`),
  "a redirect repeats them": () => {
    peer.answerAlways("GET", "/token", 200, {}, JSON.stringify({ token }));
    peer.answerNext("HEAD", tagPath, 401, { "www-authenticate": `Bearer realm="${peer.origin}/token"` });
    peer.redirect("HEAD", tagPath, `http://${token}.localhost/?token=${token}`);
  },
  "it answers nonsense": () => {
    peer.answerNext("HEAD", tagPath, 401, { "www-authenticate": `Bearer realm="${peer.origin}/token"` });
    peer.answerAlways("HEAD", tagPath, 405);
    peer.answerAlways("GET", tagPath, 200, {}, JSON.stringify({ mediaType: password, schemaVersion: 1 }));
  },
};

test.each(Object.keys(failures))("no secret is in any word of the error when %s", async (name) => {
  failures[name]?.();
  const error = await failure();
  const words = [everyWordOf(error), ...logged].join("\n").toLowerCase();
  for (const secret of [canary, basic, encodeURIComponent(canary), token]) {
    expect(words).not.toContain(secret.toLowerCase());
  }
  expect(error.message.length).toBeGreaterThan(10);
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
    const words = [everyWordOf(error), ...logged].join("\n");
    expect(words).not.toContain(canary);
    expect(words).not.toContain(basic);
  }
});

test("a password is never in clear where nobody asked for it", async () => {
  peer.setRealm("http://127.0.0.9/token");
  await failure();
  expect(peer.requests.every(({ authorization }) => !authorization)).toBe(true);
});
