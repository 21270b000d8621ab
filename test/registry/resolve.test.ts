import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failureOf, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
const tagPath = "/v2/acme/app/manifests/1";

beforeEach(async () => {
  peer = await startEmbeddedRegistry();
  registry = createImageRegistry();
});

afterEach(async () => {
  await registry.close();
  await peer.close();
});

describe("resolve", () => {
  test("asks one HEAD and says how it knows", async () => {
    const { digest } = await peer.push("acme/app:1", { platforms: ["linux/amd64", "linux/arm64"] });
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toEqual({
      digest,
      via: "HEAD",
      host: peer.host,
      status: 200,
    });
    expect(peer.requests).toEqual([{ method: "HEAD", path: tagPath, query: "", status: 200, authorization: false }]);
  });

  test.each(["oci", "docker"] as const)("accepts images and indexes in %s's media types", async (format) => {
    const one = await peer.push("acme/app:1", { format });
    const many = await peer.push("acme/app:2", { format, platforms: ["linux/amd64", "linux/arm64"] });
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toMatchObject({ digest: one.digest });
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "2", patient)).toMatchObject({ digest: many.digest });
    expect(peer.counts.manifestGet).toBe(0);
  });

  test("follows a tag that moves", async () => {
    const before = await peer.push("acme/app:1");
    const after = await peer.push("acme/app:2");
    await registry.resolve(sourceAt(peer, "acme/app"), "1", patient);
    peer.moveTag("acme/app", "1", after.digest);
    expect(after.digest).not.toBe(before.digest);
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toMatchObject({ digest: after.digest });
  });

  test("knows nothing of a tag or repository that is not there", async () => {
    await peer.push("acme/app:1");
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "2", patient)).toBeUndefined();
    expect(await registry.resolve(sourceAt(peer, "acme/none"), "1", patient)).toBeUndefined();
    peer.deleteTag("acme/app", "1");
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toBeUndefined();
    expect(peer.requests.map(({ method }) => method)).toEqual(["HEAD", "HEAD", "HEAD"]);
  });

  test.each<Record<string, string>>([
    { "docker-content-digest": "" },
    { "docker-content-digest": "sha256:abc" },
    { "docker-content-digest": `SHA256:${"0".repeat(64)}` },
    { "docker-content-digest": `sha512:${"0".repeat(128)}` },
    { "docker-content-digest": `md5:${"0".repeat(32)}` },
    { "content-type": "text/html; charset=utf-8" },
    { "content-type": "application/json" },
    { "content-type": "" },
    { "content-length": "" },
  ])("hashes the manifest itself where HEAD says %j", async (headers) => {
    const { digest } = await peer.push("acme/app:1");
    peer.setHeaders("HEAD", tagPath, headers);
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toMatchObject({ digest, via: "GET" });
    expect(peer.counts).toMatchObject({ manifestHead: 1, manifestGet: 1 });
  });

  test("hashes the manifest itself where HEAD is not allowed", async () => {
    const { digest } = await peer.push("acme/app:1");
    peer.answerAlways("HEAD", tagPath, 405);
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toMatchObject({ digest, via: "GET" });
    peer.answerAlways("GET", tagPath, 404);
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toBeUndefined();
  });

  test("believes no digest that the bytes contradict", async () => {
    await peer.push("acme/app:1");
    peer.answerAlways("HEAD", tagPath, 405);
    peer.digestHeader("GET", tagPath, "lie");
    const error = await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient));
    expect(error.code).toBe("FI_DIGEST_MISMATCH");
    expect(error.message).toContain(peer.host);
  });

  test("takes no web page for a manifest, whatever its headers promise", async () => {
    const page = "<!DOCTYPE html><title>Please log in</title>";
    peer.answerAlways(
      "*",
      tagPath,
      200,
      { "content-type": "text/html", "docker-content-digest": `sha256:${"1".repeat(64)}` },
      page,
    );
    const error = await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient));
    expect(error).toMatchObject({
      code: "FI_REGISTRY_PROTOCOL",
      retryable: false,
      details: { host: peer.host, status: 200 },
    });
    expect(error.message).toContain("a web page where a manifest was due");
  });

  test("refuses Docker's schema 1, from HEAD already", async () => {
    const schema1 = { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" };
    peer.answerAlways("*", tagPath, 200, schema1, JSON.stringify({ schemaVersion: 1 }));
    const error = await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient));
    expect(error.message).toContain("schema 1");
    peer.answerAlways("*", tagPath, 200, { "content-type": "application/json" }, JSON.stringify({ schemaVersion: 1 }));
    expect((await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient))).message).toContain("schema 1");
    expect(peer.counts).toMatchObject({ manifestHead: 2, manifestGet: 1 });
  });

  test("tells what the registry says of its rate limit", async () => {
    await peer.push("acme/app:1");
    peer.setHeaders("*", tagPath, { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600" });
    const resolution = await registry.resolve(sourceAt(peer, "acme/app"), "1", patient);
    expect(resolution?.rateLimit).toEqual({ limit: 100, remaining: 76, windowSeconds: 21_600 });
  });
});

describe("a refusal", () => {
  test.each([
    [401, "FI_UNAUTHORIZED", false],
    [403, "FI_FORBIDDEN", false],
    [408, "FI_REGISTRY_TIMEOUT", true],
    [429, "FI_RATE_LIMITED", true],
    [500, "FI_REGISTRY_UNAVAILABLE", true],
    [502, "FI_REGISTRY_UNAVAILABLE", true],
    [503, "FI_REGISTRY_UNAVAILABLE", true],
    [504, "FI_REGISTRY_UNAVAILABLE", true],
    [400, "FI_REGISTRY_PROTOCOL", false],
    [418, "FI_REGISTRY_PROTOCOL", false],
    [204, "FI_REGISTRY_PROTOCOL", false],
    [304, "FI_REGISTRY_PROTOCOL", false],
  ] as const)("of %i is %s, at once, naming host and status", async (status, code, retryable) => {
    peer.answerAlways("*", tagPath, status);
    const error = await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient));
    expect(error).toMatchObject({ code, retryable, details: { host: peer.host, status } });
    expect(error.message).toContain(`${peer.host} answered ${status} for ${peer.host}/acme/app:1`);
    expect(error.hint).not.toBe("");
    expect(peer.requests).toHaveLength(1);
  });

  test("with 429 is never followed by a GET, and carries how long to wait", async () => {
    await peer.push("acme/app:1");
    peer.answerNext("HEAD", tagPath, 429, { "retry-after": "7", "ratelimit-remaining": "0;w=21600" });
    const seconds = await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient));
    expect(seconds.details).toMatchObject({ host: peer.host, status: 429, retryAfterMs: 7000, remaining: 0 });
    expect(seconds.message).toContain("try again in 7 s");

    const now = Date.now();
    const [date, at] = [now, now + 90_000].map((ms) => new Date(ms).toUTCString());
    peer.answerNext("HEAD", tagPath, 429, { "retry-after": at ?? "", date: date ?? "" });
    const dated = await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient));
    expect(dated.details["retryAfterMs"]).toBe(90_000);
    expect(peer.counts).toMatchObject({ manifestHead: 2, manifestGet: 0 });
  });

  test("quotes the registry's own words, bounded and clean", async () => {
    peer.answerAlways("HEAD", tagPath, 405);
    const words = `go away\u001b[31m see https://help.example/?token=hunter2 ${"x".repeat(1000)}`;
    peer.answerAlways("GET", tagPath, 403, {}, JSON.stringify({ errors: [{ code: "DENIED", message: words }] }));
    const { message } = await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient));
    expect(message).toContain("DENIED: go away [31m see https://help.example/ x");
    expect(message).not.toContain("hunter2");
    expect(message).not.toContain("\u001b");
    expect(message.length).toBeLessThan(500);
  });

  test("says nothing strange when its body is no JSON, or has no end", async () => {
    peer.answerAlways("HEAD", tagPath, 405);
    peer.answerAlways("GET", tagPath, 500, {}, "<html>oops");
    expect((await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient))).message).not.toContain("oops");
    peer.endlessBody("GET", tagPath);
    expect((await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", patient))).code).toBe(
      "FI_REGISTRY_UNAVAILABLE",
    );
  });
});

describe("a source", () => {
  test("that names no registry means Docker Hub's library", async () => {
    await using hub = createImageRegistry({ endpoints: { "docker.io": peer.origin } });
    const { digest } = await peer.push("library/busybox:1.36");
    for (const repository of ["busybox", "library/busybox", "docker.io/busybox", "index.docker.io/library/busybox"]) {
      expect(await hub.resolve({ repository }, "1.36", patient)).toMatchObject({ digest, host: peer.host });
    }
    expect(new Set(peer.requests.map(({ path }) => path))).toEqual(new Set(["/v2/library/busybox/manifests/1.36"]));
  });

  test.each([
    [{ repository: "UPPER/case" }, "1", "FI_REFERENCE_INVALID"],
    [{ repository: "" }, "1", "FI_REFERENCE_INVALID"],
    [{ repository: "acme/app" }, "../../../etc/passwd", "FI_REFERENCE_INVALID"],
    [{ repository: "acme/app" }, "a b", "FI_REFERENCE_INVALID"],
    [{ repository: "acme/app" }, "x".repeat(129), "FI_REFERENCE_INVALID"],
    [{ repository: "acme/app", aws_region: "eu-west-1" }, "1", "FI_SOURCE_UNSUPPORTED"],
    [{ repository: "acme/app", azure_acr: true }, "1", "FI_SOURCE_UNSUPPORTED"],
    [{ repository: "acme/app", ca_certs: ["not a certificate"] }, "1", "FI_SOURCE_INVALID"],
  ])("like %j with tag %j is refused before anything is asked", async (source, tag, code) => {
    await using hub = createImageRegistry({ endpoints: { "docker.io": peer.origin } });
    expect((await failureOf(hub.resolve(source, tag, patient))).code).toBe(code);
    expect(peer.requests).toHaveLength(0);
  });
});

describe("a registry mirror", () => {
  let mirror: EmbeddedRegistry;
  let hub: OciRegistry;
  beforeEach(async () => {
    mirror = await startEmbeddedRegistry({ users: { mirrored: "m1rror" }, private: [{ prefix: "", scheme: "basic" }] });
    hub = createImageRegistry({ endpoints: { "docker.io": peer.origin } });
  });
  afterEach(async () => {
    await hub.close();
    await mirror.close();
  });
  const through = (): Parameters<OciRegistry["resolve"]>[0] => ({
    repository: "busybox",
    username: "alice",
    password: "s3cret",
    registry_mirror: { host: mirror.host, username: "mirrored", password: "m1rror" },
  });

  test("answers for Docker Hub, with its own login", async () => {
    await peer.push("library/busybox:1", { layers: ["origin"] });
    const { digest } = await mirror.push("library/busybox:1", { layers: ["mirror"] });
    expect(await hub.resolve(through(), "1", patient)).toMatchObject({ digest, host: mirror.host });
    expect(peer.requests).toHaveLength(0);
  });

  test("that knows nothing, fails or is not there, leaves the answer to the registry itself", async () => {
    const { digest } = await peer.push("library/busybox:1");
    expect(await hub.resolve(through(), "1", patient)).toMatchObject({ digest, host: peer.host });
    mirror.answerAlways("*", "*", 500);
    expect(await hub.resolve(through(), "1", patient)).toMatchObject({ digest, host: peer.host });
    await mirror.close();
    expect(await hub.resolve(through(), "1", patient)).toMatchObject({ digest, host: peer.host });
  });

  test("is not asked for another registry's images", async () => {
    const { digest } = await peer.push("acme/app:1");
    const source = { ...through(), repository: `${peer.host}/acme/app` };
    expect(await hub.resolve(source, "1", patient)).toMatchObject({ digest, host: peer.host });
    expect(mirror.requests).toHaveLength(0);
  });
});

describe("exists", () => {
  test("asks by digest, by GET where HEAD is not allowed", async () => {
    const { digest } = await peer.push("acme/app:1");
    const source = sourceAt(peer, "acme/app");
    expect(await registry.exists(source, digest, patient)).toBe(true);
    expect(await registry.exists(source, `sha256:${"0".repeat(64)}`, patient)).toBe(false);
    expect(peer.counts).toMatchObject({ manifestHead: 2, manifestGet: 0 });
    peer.answerAlways("HEAD", "*", 405);
    expect(await registry.exists(source, digest, patient)).toBe(true);
    expect(await registry.exists(source, `sha256:${"0".repeat(64)}`, patient)).toBe(false);
    peer.answerAlways("*", "*", 500);
    expect((await failureOf(registry.exists(source, digest, patient))).code).toBe("FI_REGISTRY_UNAVAILABLE");
  });
});
