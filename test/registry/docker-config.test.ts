import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { FetchImageErrorCode, Logger } from "@fetch-image/core";
import { createImageRegistry, type OciRegistry, type RegistryOptions } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { listenOnLoopback } from "../support/listen.ts";
import { everyWordOf, failureOf, patient, sourceAt } from "./support.ts";

const username = "ci-bot";
const password = "pass-CaNaRy-7f3a";
const identityToken = "identity-CaNaRy-7f3a";
const auth = Buffer.from(`${username}:${password}`).toString("base64");

let peer: EmbeddedRegistry;
let digest: string;
let directory: string;
let file: string;
let logged: string[];
let now: number;

beforeAll(async () => {
  peer = await startEmbeddedRegistry({
    users: { [username]: password },
    private: [
      { prefix: "basic/", scheme: "basic" },
      { prefix: "library/", scheme: "basic" },
      { prefix: "private/", scheme: "bearer" },
    ],
  });
  for (const repository of ["basic/app", "private/app", "library/app", "open/app"]) await peer.push(`${repository}:1`);
  ({ digest } = await peer.push("basic/app:1"));
});
afterAll(() => peer.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fetch-image-docker-"));
  file = join(directory, "config.json");
  vi.stubEnv("PATH", `${directory}${delimiter}${process.env["PATH"] ?? ""}`);
  vi.stubEnv("DOCKER_CONFIG", directory);
  logged = [];
  now = Date.now();
});
afterEach(() => {
  vi.unstubAllEnvs();
  peer.clearFaults();
  peer.setRealm();
  peer.clearRequests();
  rmSync(directory, { recursive: true });
});

function configure(config: object | string): void {
  writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config));
}

function open(options: RegistryOptions = {}): OciRegistry {
  const log = (message: string, fields?: object): void => void logged.push(message + JSON.stringify(fields ?? {}));
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  return createImageRegistry({
    logger,
    clock: { now: () => now },
    dockerConfig: file,
    ...options,
    endpoints: { "docker.io": peer.origin, "registry.test": peer.origin, ...options.endpoints },
  });
}

/** A token server that trades the identity token, and only that one, for a token of the registry's. */
async function startOAuth(): Promise<{ origin: string; forms: object[] } & AsyncDisposable> {
  const forms: object[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const form = new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
      forms.push(Object.fromEntries(form));
      const right = request.method === "POST" && form.get("refresh_token") === identityToken;
      const query = new URLSearchParams({ scope: form.get("scope") ?? "" });
      const headers: Record<string, string> = right ? { authorization: `Basic ${auth}` } : {};
      const { token } = (await (await fetch(`${peer.origin}/token?${query.toString()}`, { headers })).json()) as {
        token: string;
      };
      response.end(JSON.stringify({ access_token: token }));
    })();
  });
  const { origin, close } = await listenOnLoopback(server);
  peer.setRealm(`${origin}/oauth2/token`);
  return { origin, forms, [Symbol.asyncDispose]: close };
}

/** A credential helper, as a shell script; what it was asked is in `asked`, one line each. */
function helper(name: string, script: string): void {
  const program = join(directory, `docker-credential-${name}`);
  writeFileSync(program, `#!/bin/sh\nread server\necho "$1 $server" >> '${directory}/asked'\n${script}\n`);
  chmodSync(program, 0o755);
}
const gives = (user: string, secret: string): string =>
  `echo '${JSON.stringify({ ServerURL: "x", Username: user, Secret: secret })}'`;
const asked = (): readonly string[] => readFileSync(join(directory, "asked"), "utf8").trim().split("\n");

const app = (): { repository: string } => sourceAt(peer, "basic/app");
const check = async (registry: OciRegistry, source = app()): Promise<string | undefined> =>
  (await registry.check({ ...source, tag: "1" }, patient)).versions[0]?.digest;

describe("the login of a file is used where the source has none", () => {
  const entries: readonly (readonly [string, object])[] = [
    ["auth", { auth }],
    ["auth without padding", { auth: auth.replace(/=+$/, "") }],
    ["username and password", { username, password }],
    ["auth before username and password", { auth, username: "somebody", password: "else" }],
  ];
  test.each(entries)("written as %s", async (_, entry) => {
    configure({ auths: { [peer.host]: entry } });
    await using registry = open();
    expect(await check(registry)).toBe(digest);
  });

  test("by the host, however its key is written", async () => {
    for (const key of [`https://${peer.host}`, `http://${peer.host}/v2/`, `${peer.host}/v1/`]) {
      configure({ auths: { "other.test": { auth: "eDp5" }, [key]: { auth } } });
      await using registry = open();
      expect(await check(registry)).toBe(digest);
    }
  });

  test.each(["https://index.docker.io/v1/", "index.docker.io", "docker.io"])("for Docker Hub by %s", async (key) => {
    configure({ auths: { [key]: { auth } } });
    await using registry = open();
    expect(await check(registry, { repository: "app" })).toBeDefined();
  });

  test("for a mirror without a login of its own", async () => {
    configure({ auths: { "registry.test": { auth } } });
    await using registry = open({ endpoints: { "docker.io": "http://127.0.0.1:1" } });
    const source = { repository: "app", tag: "1", registry_mirror: { host: "registry.test" } };
    expect((await registry.check(source, patient)).versions).toHaveLength(1);
  });

  test("and where an identity token stands, it is given for tokens", async () => {
    configure({ auths: { [peer.host]: { auth: Buffer.from("x:").toString("base64"), identitytoken: identityToken } } });
    await using tokens = await startOAuth();
    await using registry = open({ allowedRealms: [tokens.origin] });
    expect(await check(registry, sourceAt(peer, "private/app"))).toBeDefined();
    expect(tokens.forms).toEqual([
      {
        grant_type: "refresh_token",
        service: "embedded-registry",
        client_id: "fetch-image",
        scope: "repository:private/app:pull",
        refresh_token: identityToken,
      },
    ]);
    // It is no password: who wants one is not given it.
    expect((await failureOf(check(registry))).code).toBe("FI_UNAUTHORIZED");
  });
});

describe("a source with a login of its own never sees the file's", () => {
  test("even where its own is wrong", async () => {
    configure({ auths: { [peer.host]: { auth } } });
    await using registry = open();
    const own = { ...app(), username, password: "wrong" };
    expect((await failureOf(check(registry, own))).code).toBe("FI_UNAUTHORIZED");
  });

  test("nor does anybody where the setting is not there", async () => {
    configure({ auths: { [peer.host]: { auth } } });
    await using registry = createImageRegistry();
    expect((await failureOf(check(registry))).code).toBe("FI_UNAUTHORIZED");
    expect(registry.identity?.(app())).toBeUndefined();
  });

  test("nor another host or port", async () => {
    const { port } = new URL(peer.origin);
    for (const key of ["127.0.0.1", `localhost:${port}`, `127.0.0.1:${port}0`, "*"]) {
      configure({ auths: { [key]: { auth } } });
      await using registry = open();
      expect((await failureOf(check(registry))).code).toBe("FI_UNAUTHORIZED");
    }
  });
});

describe("who asks is part of the scope", () => {
  const identity = (config: object, source: { repository: string } = app()): string => {
    configure(config);
    const registry = open();
    const identified = JSON.stringify(registry.identity?.(source) ?? null);
    void registry.close();
    return identified;
  };

  test("by user and by helper, and anonymous is nobody's", () => {
    const identities = [
      identity({}),
      identity({ auths: { [peer.host]: { auth } } }),
      identity({ auths: { [peer.host]: { username: "other", password } } }),
      identity({ auths: { [peer.host]: { auth, identitytoken: "x" } } }),
      identity({ credsStore: "one" }),
      identity({ credHelpers: { [peer.host]: "two" } }),
    ];
    expect(identities[0]).toBe("null");
    expect(new Set(identities).size).toBe(identities.length);
    expect(identities.join()).not.toMatch(/CaNaRy/);
  });

  test("not by password or spelling: a rotated one is the same user's", () => {
    expect(identity({ auths: { [`https://${peer.host}`]: { username, password: "rotated" } } })).toBe(
      identity({ auths: { [peer.host]: { auth } } }),
    );
  });

  test("not where the source has its own login, but for a mirror that has none", () => {
    const config = { auths: { "docker.io": { auth }, "registry.test": { auth } } };
    const hub = { repository: "app", username: "a", password: "b" };
    expect(identity(config, hub)).toBe("null");
    const mirrored = { ...hub, registry_mirror: { host: "registry.test" } };
    expect(identity(config, mirrored)).toContain("registry.test");
    const own = { ...hub, registry_mirror: { host: "registry.test", username: "a", password: "b" } };
    expect(identity(config, own)).toBe("null");
  });
});

describe("a credential helper", () => {
  test("is asked by the server's name, before what stands in auths", async () => {
    helper("seven", gives(username, password));
    configure({ credHelpers: { [peer.host]: "seven" }, credsStore: "never", auths: { [peer.host]: { auth: "eDp5" } } });
    await using registry = open();
    expect(await check(registry)).toBe(digest);
    expect(asked()).toEqual([`get ${peer.host}`]);
  });

  test("is the store of all that have none of their own, by Docker Hub's old address too", async () => {
    helper("store", gives(username, password));
    configure({ credsStore: "store" });
    await using registry = open();
    expect(await check(registry)).toBe(digest);
    expect(await check(registry, { repository: "app" })).toBeDefined();
    expect(asked()).toEqual([`get ${peer.host}`, "get https://index.docker.io/v1/"]);
  });

  test("is asked once for all who ask meanwhile, and again after some minutes", async () => {
    helper("seven", gives(username, password));
    configure({ credHelpers: { [peer.host]: "seven" } });
    await using registry = open();
    await Promise.all(Array.from({ length: 10 }, () => check(registry)));
    expect(asked()).toHaveLength(1);
    now += 5 * 60_000 + 1;
    await check(registry);
    expect(asked()).toHaveLength(2);
  });

  test("is asked again when the registry refuses what it gave a while ago", async () => {
    helper("seven", gives(username, "old"));
    configure({ credHelpers: { [peer.host]: "seven" } });
    await using registry = open();
    expect((await failureOf(check(registry))).code).toBe("FI_UNAUTHORIZED");
    helper("seven", gives(username, password));
    now += 61_000;
    expect(await check(registry)).toBe(digest);
  });

  test("that knows no login leaves the registry to be asked anonymously", async () => {
    helper("seven", "echo 'credentials not found in native keychain'; exit 1");
    configure({ credHelpers: { [peer.host]: "seven" } });
    await using registry = open();
    expect(await check(registry, sourceAt(peer, "open/app"))).toBeDefined();
    expect(await failureOf(check(registry))).toMatchObject({
      code: "FI_UNAUTHORIZED",
      message: expect.stringContaining("wants credentials"),
    });
  });

  test("may give an identity token", async () => {
    helper("seven", gives("<token>", identityToken));
    configure({ credHelpers: { [peer.host]: "seven" } });
    await using tokens = await startOAuth();
    await using registry = open({ allowedRealms: [tokens.origin] });
    expect(await check(registry, sourceAt(peer, "private/app"))).toBeDefined();
    expect(tokens.forms).toHaveLength(1);
  });

  const failures: readonly (readonly [string, string, FetchImageErrorCode])[] = [
    ["fails", `echo 'the vault is locked'; echo '${password}' >&2; exit 1`, "FI_UNAUTHORIZED"],
    ["answers no JSON", `echo '${password}'`, "FI_UNAUTHORIZED"],
    ["answers another JSON", `echo '{"password":"${password}"}'`, "FI_UNAUTHORIZED"],
    ["answers nothing", "exit 0", "FI_UNAUTHORIZED"],
    [
      "answers without end",
      "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
      "FI_UNAUTHORIZED",
    ],
    ["does not end", "exec sleep 600", "FI_REGISTRY_TIMEOUT"],
    ["leaves somebody behind who does not end", "sleep 600 & sleep 600", "FI_REGISTRY_TIMEOUT"],
  ];
  test.each(failures)("that %s is named, and nothing secret", async (_, script, code) => {
    helper("seven", script);
    configure({ credHelpers: { [peer.host]: "seven" } });
    await using registry = open(code === "FI_REGISTRY_TIMEOUT" ? { timeouts: { exchangeMs: 300 } } : {});
    const failure = await failureOf(check(registry));
    expect(failure).toMatchObject({ code, message: expect.stringContaining("docker-credential-seven") });
    expect([everyWordOf(failure), ...logged].join("\n")).not.toMatch(/CaNaRy/);
  });

  test("that leaves somebody behind is not waited for once it has answered", async () => {
    helper("seven", `${gives(username, password)}\nsleep 5 &`);
    configure({ credHelpers: { [peer.host]: "seven" } });
    await using registry = open();
    expect(await check(registry)).toBe(digest);
  });

  test("that is not installed is named", async () => {
    configure({ credHelpers: { [peer.host]: "nowhere" } });
    await using registry = open();
    expect((await failureOf(check(registry))).message).toContain("docker-credential-nowhere");
  });

  test.each(["../../bin/sh", "a/b", "a b", "-x", "", "$(id)"])("named %j is never run", async (name) => {
    configure({ credHelpers: { [peer.host]: name } });
    await using registry = open();
    const failure = await failureOf(check(registry));
    expect(failure.code).toBe(name === "" ? "FI_UNAUTHORIZED" : "FI_SETTING_INVALID");
    expect(() => asked()).toThrow("ENOENT");
  });
});

describe("the file", () => {
  test("is read again when it changes", async () => {
    configure({});
    await using registry = open();
    expect((await failureOf(check(registry))).code).toBe("FI_UNAUTHORIZED");
    configure({ auths: { [peer.host]: { auth } } });
    expect(await check(registry)).toBe(digest);
  });

  test("holds as it was read last while it is broken or away, and that is said", async () => {
    configure({ auths: { [peer.host]: { auth } } });
    await using registry = open();
    for (const broken of ['{"auths":', "[]"]) {
      configure(broken);
      expect(await check(registry)).toBe(digest);
    }
    rmSync(file);
    expect(await check(registry)).toBe(digest);
    expect(logged.join()).toContain("what was read before holds");
    expect(logged.join()).not.toMatch(/CaNaRy/);
  });

  test.each([
    ["that is not there", undefined],
    ["that is no JSON", `{"auths": "${password}`],
    ["that is no object", "[1]"],
    ["that is too large", JSON.stringify({ x: "x".repeat(2_000_000) })],
  ])("%s is refused at once, by its name and without its content", (_, content) => {
    if (content !== undefined) configure(content);
    let failure: unknown;
    try {
      open();
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({ code: "FI_SETTING_INVALID", message: expect.stringContaining(file) });
    expect(everyWordOf(failure)).not.toMatch(/CaNaRy/);
  });

  test("that docker would use is used, if it is there", async () => {
    await using without = open({ dockerConfig: true });
    expect((await failureOf(check(without))).code).toBe("FI_UNAUTHORIZED");
    configure({ auths: { [peer.host]: { auth } } });
    expect(await check(without)).toBe(digest);
  });

  test("with what is no login has none", async () => {
    const nothing = [
      {},
      { auths: { [peer.host]: {} } },
      { auths: { [peer.host]: { auth: "!!" } } },
      { auths: 7, credHelpers: [] },
      { auths: { [peer.host]: { username } } },
    ];
    for (const config of nothing) {
      configure(config);
      await using registry = open();
      expect(registry.login(app()).from).toBe("nobody");
      expect((await failureOf(check(registry))).code).toBe("FI_UNAUTHORIZED");
    }
  });
});

test("what is said of a login names where it is, and never who", async () => {
  configure({ credHelpers: { "registry.test": "seven" }, auths: { [peer.host]: { auth } } });
  await using registry = open();
  expect(registry.login(app())).toEqual({ from: "docker-config", says: `the login of ${peer.host} in ${file}` });
  expect(registry.login({ repository: "registry.test/app" })).toEqual({
    from: "docker-config",
    says: `the login that docker-credential-seven has for registry.test, as ${file} says`,
  });
  expect(registry.login({ repository: "app" })).toEqual({ from: "nobody", says: "anonymous" });
  expect(registry.login({ repository: "app", username: "a", password: "b" })).toEqual({
    from: "source",
    says: "the source's username and password",
  });
});
