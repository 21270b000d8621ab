import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failureOf, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
let now: number;
const alice = { username: "alice", password: "s3cret" };

beforeEach(async () => {
  now = Date.now();
  peer = await startEmbeddedRegistry({
    users: { alice: "s3cret", bob: "b0b" },
    private: [
      { prefix: "basic/", scheme: "basic", users: ["alice"] },
      { prefix: "bearer/", scheme: "bearer", users: ["alice"] },
      { prefix: "hub/", scheme: "bearer", anonymousPull: true },
    ],
  });
  for (const name of ["open/app:1", "basic/app:1", "bearer/app:1", "bearer/other:1", "hub/app:1"])
    await peer.push(name);
  registry = createImageRegistry({ clock: { now: () => now } });
});

afterEach(async () => {
  await registry.close();
  await peer.close();
});

const resolve = (path: string, login: object = {}): ReturnType<OciRegistry["resolve"]> =>
  registry.resolve(sourceAt(peer, path, login), "1", patient);
const seen = (): string[] =>
  peer.requests.map(
    ({ method, path, status, authorization }) =>
      `${method} ${path.split("/").at(1)} ${status}${authorization ? " logged in" : ""}`,
  );

describe("without a challenge", () => {
  test("no credential is sent, even where the source has one", async () => {
    expect(await resolve("open/app", alice)).toBeDefined();
    expect(seen()).toEqual(["HEAD v2 200"]);
  });
});

describe("basic", () => {
  test("is sent when asked for, and from then on at once", async () => {
    await resolve("basic/app", alice);
    await resolve("basic/app", alice);
    expect(seen()).toEqual(["HEAD v2 401", "HEAD v2 200 logged in", "HEAD v2 200 logged in"]);
  });

  test("is sent once when it is wrong, then and later", async () => {
    const error = await failureOf(resolve("basic/app", { username: "alice", password: "wrong" }));
    expect(error).toMatchObject({ code: "FI_UNAUTHORIZED", details: { host: peer.host, status: 401 } });
    expect(error.message).toContain("it refused the credentials");
    expect(seen()).toEqual(["HEAD v2 401", "HEAD v2 401 logged in"]);
    await failureOf(resolve("basic/app", { username: "alice", password: "wrong" }));
    expect(seen().slice(2)).toEqual(["HEAD v2 401 logged in"]);
  });

  test("is asked for when there is none", async () => {
    const error = await failureOf(resolve("basic/app"));
    expect(error).toMatchObject({ code: "FI_UNAUTHORIZED", hint: "Set `username` and `password` in the source." });
    expect(seen()).toEqual(["HEAD v2 401"]);
  });

  test("of somebody without the right is forbidden", async () => {
    expect((await failureOf(resolve("basic/app", { username: "bob", password: "b0b" }))).code).toBe("FI_FORBIDDEN");
  });

  test("of one source is not used for another", async () => {
    await resolve("basic/app", alice);
    peer.clearRequests();
    await failureOf(resolve("basic/app"));
    await failureOf(resolve("basic/app", { username: "bob", password: "b0b" }));
    expect(seen()).toEqual(["HEAD v2 401", "HEAD v2 401", "HEAD v2 403 logged in"]);
  });
});

describe("a bearer token", () => {
  test("is fetched when asked for, and kept", async () => {
    await resolve("bearer/app", alice);
    await resolve("bearer/app", alice);
    expect(seen()).toEqual([
      "HEAD v2 401",
      "GET token 200 logged in",
      "HEAD v2 200 logged in",
      "HEAD v2 200 logged in",
    ]);
    expect(peer.requests[1]?.query).toBe("?service=embedded-registry&scope=repository%3Abearer%2Fapp%3Apull");
  });

  test("for nobody in particular is fetched without a login", async () => {
    expect(await resolve("hub/app")).toBeDefined();
    expect(seen()).toEqual(["HEAD v2 401", "GET token 200", "HEAD v2 200 logged in"]);
  });

  test("of another repository is fetched without asking the registry how", async () => {
    await resolve("bearer/app", alice);
    peer.clearRequests();
    await resolve("bearer/other", alice);
    expect(seen()).toEqual(["GET token 200 logged in", "HEAD v2 200 logged in"]);
  });

  test("is fetched once for all who need it at the same time", async () => {
    await Promise.all(Array.from({ length: 32 }, () => resolve("bearer/app", alice)));
    expect(peer.counts.token).toBe(1);
  });

  test("is fetched anew a tenth before it ends", async () => {
    await resolve("bearer/app", alice);
    now += 0.89 * 300_000;
    await resolve("bearer/app", alice);
    expect(peer.counts.token).toBe(1);
    now += 0.02 * 300_000;
    await resolve("bearer/app", alice);
    expect(peer.counts.token).toBe(2);
  });

  test("that does not say when it ends lasts a minute", async () => {
    await resolve("bearer/app", alice);
    peer.answerAlways("GET", "/token", 200, {}, JSON.stringify({ access_token: "opaque" }));
    peer.answerAlways("HEAD", /^\/v2\/bearer\//, 404);
    now += 300_000;
    for (const later of [0, 53_000, 2_000]) {
      now += later;
      await resolve("bearer/app", alice);
    }
    expect(peer.counts.token).toBe(3);
  });

  test("that was handed out earlier counts from then, and one that is too old serves once", async () => {
    const issued = (secondsAgo: number): string =>
      JSON.stringify({ token: "t", expires_in: 300, issued_at: new Date(now - secondsAgo * 1000).toISOString() });
    await resolve("bearer/app", alice);
    peer.answerAlways("HEAD", /^\/v2\/bearer\//, 404);
    now += 300_000;
    peer.answerAlways("GET", "/token", 200, {}, issued(200));
    await resolve("bearer/app", alice);
    now += 60_000;
    await resolve("bearer/app", alice);
    expect(peer.counts.token).toBe(2);
    now += 20_000;
    peer.answerAlways("GET", "/token", 200, {}, issued(4000));
    await resolve("bearer/app", alice);
    await resolve("bearer/app", alice);
    expect(peer.counts.token).toBe(4);
  });

  test("that was revoked is replaced once, in the same attempt", async () => {
    await resolve("bearer/app", alice);
    peer.revokeTokens();
    peer.clearRequests();
    expect(await resolve("bearer/app", alice)).toBeDefined();
    expect(seen()).toEqual(["HEAD v2 401 logged in", "GET token 200 logged in", "HEAD v2 200 logged in"]);
  });

  test("that is refused again is final", async () => {
    peer.answerAlways("GET", "/token", 200, {}, JSON.stringify({ token: "made-up" }));
    const error = await failureOf(resolve("bearer/app", alice));
    expect(error).toMatchObject({ code: "FI_UNAUTHORIZED", retryable: false });
    expect(seen()).toEqual(["HEAD v2 401", "GET token 200 logged in", "HEAD v2 401 logged in"]);
    await failureOf(resolve("bearer/app", alice));
    expect(seen().slice(3)).toEqual(["HEAD v2 401 logged in", "GET token 200 logged in", "HEAD v2 401 logged in"]);
  });

  test("without the right tells who may not read from who is unknown", async () => {
    const bob = await failureOf(resolve("bearer/app", { username: "bob", password: "b0b" }));
    expect(bob).toMatchObject({ code: "FI_FORBIDDEN", details: { status: 401 } });
    expect(bob.message).toContain("the credentials are valid but may not read this");
    const nobody = await failureOf(resolve("bearer/app"));
    expect(nobody).toMatchObject({ code: "FI_UNAUTHORIZED", hint: "Set `username` and `password` in the source." });
  });

  test("is not to be had with a wrong password", async () => {
    const error = await failureOf(resolve("bearer/app", { username: "alice", password: "wrong" }));
    expect(error).toMatchObject({ code: "FI_UNAUTHORIZED", details: { status: 401 } });
    expect(error.message).toContain(
      `${peer.host} answered 401 for a token for ${peer.host}: it refused the credentials`,
    );
    expect(seen()).toEqual(["HEAD v2 401", "GET token 401 logged in"]);
  });

  test("that one asker no longer waits for still reaches the others", async () => {
    peer.delay("GET", "/token", 100);
    const controller = new AbortController();
    const impatient = failureOf(
      registry.resolve(sourceAt(peer, "bearer/app", alice), "1", { signal: controller.signal }),
    );
    await expect.poll(() => peer.counts.token).toBe(1);
    const other = resolve("bearer/app", alice);
    controller.abort();
    expect((await impatient).code).toBe("FI_ABORTED");
    expect(await other).toBeDefined();
    expect(peer.counts.token).toBe(1);
  });
});

describe("a token server", () => {
  test.each([
    [200, "<html>log in</html>", "FI_REGISTRY_PROTOCOL"],
    [200, "{}", "FI_REGISTRY_PROTOCOL"],
    [200, '{"token":""}', "FI_REGISTRY_PROTOCOL"],
    [200, '{"token":"a\\r\\nx-evil: 1"}', "FI_REGISTRY_PROTOCOL"],
    [200, '{"token":{"nested":true}}', "FI_REGISTRY_PROTOCOL"],
    [200, JSON.stringify({ token: "x".repeat(65_536) }), "FI_ANSWER_TOO_LARGE"],
    [404, "", "FI_REGISTRY_PROTOCOL"],
    [403, "", "FI_FORBIDDEN"],
    [429, "", "FI_RATE_LIMITED"],
    [500, "", "FI_REGISTRY_UNAVAILABLE"],
    [302, "", "FI_REGISTRY_PROTOCOL"],
  ] as const)("that answers %i %j is %s", async (status, body, code) => {
    peer.answerAlways("GET", "/token", status, {}, body);
    const error = await failureOf(resolve("bearer/app", alice));
    expect(error.code).toBe(code);
    expect(error.details["host"]).toBe(peer.host);
    expect(peer.counts.token).toBe(1);
  });

  test("that answers without end is cut off", async () => {
    peer.endlessBody("GET", "/token");
    expect((await failureOf(resolve("bearer/app", alice))).code).toBe("FI_ANSWER_TOO_LARGE");
  });

  test("that is rate limited says when to come back", async () => {
    peer.answerAlways("GET", "/token", 429, { "retry-after": "3" });
    expect((await failureOf(resolve("bearer/app", alice))).details).toMatchObject({ retryAfterMs: 3000 });
  });

  test("keeps the query of its own address, and sees the scope that the registry named first", async () => {
    const challenge = `Bearer realm="${peer.origin}/token?tenant=7",scope="registry:catalog:* repository:bearer/app:pull"`;
    peer.answerNext("HEAD", "/v2/bearer/app/manifests/1", 401, { "www-authenticate": challenge });
    expect(await resolve("bearer/app", alice)).toBeDefined();
    expect(peer.requests[1]?.query).toBe(
      "?tenant=7&scope=registry%3Acatalog%3A*&scope=repository%3Abearer%2Fapp%3Apull",
    );
  });

  test("is preferred to Basic, in whatever order and case they come", async () => {
    const challenge = `BASIC Realm="x, y", bearer REALM="${peer.origin}/token",Service="embedded-registry"`;
    peer.answerNext("HEAD", "/v2/bearer/app/manifests/1", 401, { "www-authenticate": challenge });
    expect(await resolve("bearer/app", alice)).toBeDefined();
    expect(seen()[1]).toBe("GET token 200 logged in");
  });

  test.each(["", "Bearer", 'Bearer service="x"', "Digest realm=x", "Negotiate abc=="])(
    "that a challenge %j does not name cannot be asked",
    async (challenge) => {
      peer.answerAlways("HEAD", "/v2/bearer/app/manifests/1", 401, { "www-authenticate": challenge });
      expect((await failureOf(resolve("bearer/app", alice))).code).toBe("FI_UNAUTHORIZED");
      expect(seen()).toEqual(["HEAD v2 401"]);
    },
  );

  test("whose address is none is a broken registry", async () => {
    peer.answerAlways("HEAD", "*", 401, { "www-authenticate": 'Bearer realm="not a url"' });
    const error = await failureOf(resolve("bearer/app", alice));
    expect(error).toMatchObject({ code: "FI_REGISTRY_PROTOCOL", details: { host: peer.host, status: 401 } });
  });
});
