import type { CheckOptions, Digest, RegistryCheck, RegistryImageSource } from "@fetch-image/core";
import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { buildImage, type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failureOf, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;

beforeEach(async () => {
  peer = await startEmbeddedRegistry();
  registry = createImageRegistry();
});

afterEach(async () => {
  await registry.close();
  await peer.close();
});

/** `1.0.0:a latest:b`: tags and the contents of the images they point to. */
async function fill(repository: string, tags: string, at: EmbeddedRegistry = peer): Promise<void> {
  for (const [, tag = "", content = ""] of tags.matchAll(/(\S+):(\S+)/g)) {
    await at.push(`${repository}:${tag}`, { layers: [content] });
  }
}

function digestOf(content: string): Digest {
  return buildImage({ layers: [content] }).digest;
}

/** `1.0.0 a, latest b` */
function versionsOf({ versions }: RegistryCheck, contents = "a b c d e f g"): string {
  const contentOf = new Map(contents.split(" ").map((content) => [digestOf(content), content]));
  return versions.map(({ tag, digest }) => `${tag} ${contentOf.get(digest) ?? digest}`).join(", ");
}

function check(fields: Partial<RegistryImageSource> = {}, options: Partial<CheckOptions> = {}): Promise<RegistryCheck> {
  return registry.check(sourceAt(peer, "acme/app", fields), { ...patient, ...options });
}

describe("a check of a tag", () => {
  test("costs one HEAD, and tells what resolve tells", async () => {
    await fill("acme/app", "1:a 2:b");
    const { digest, ...evidence } = (await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)) ?? {};
    peer.clearRequests();
    expect(await check({ tag: "1", tag_regex: ".*", semver_constraint: "2" })).toEqual({
      versions: [{ tag: "1", digest }],
      rejected: [],
      requests: 1,
      ...evidence,
    });
    expect(peer.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(["HEAD /v2/acme/app/manifests/1"]);
  });

  test("that is not there finds nothing, and tells who said so", async () => {
    await fill("acme/app", "1:a");
    expect(await check({ tag: "2" })).toEqual({
      versions: [],
      rejected: [{ candidate: "2", reason: "the registry has no such tag" }],
      via: "HEAD",
      host: peer.host,
      status: 404,
      requests: 1,
    });
    peer.answerAlways("HEAD", "*", 405);
    expect(await check({ tag: "2" })).toMatchObject({ versions: [], via: "GET", status: 404, requests: 2 });
  });

  test("that has moved gives the cursor's digest first, while the registry has it", async () => {
    await fill("acme/app", "1:a 1:b");
    const from = (content: string) => ({ cursor: { tag: "1", digest: digestOf(content) } });
    const moved = await check({ tag: "1" }, from("a"));
    expect(versionsOf(moved)).toBe("1 a, 1 b");
    expect(moved.requests).toBe(2);
    const same = await check({ tag: "1" }, from("b"));
    expect(versionsOf(same)).toBe("1 b");
    expect(same.requests).toBe(1);
    const gone = await check({ tag: "1" }, from("never pushed"));
    expect(versionsOf(gone)).toBe("1 b");
    expect(gone.rejected).toEqual([{ candidate: digestOf("never pushed"), reason: "the registry has it no more" }]);
    expect(peer.counts).toMatchObject({ manifestHead: 5, manifestGet: 0, tags: 0 });
  });

  test("asks for it, whatever is known of it", async () => {
    await fill("acme/app", "1:b");
    const known = new Map([["1", digestOf("a")]]);
    expect(versionsOf(await check({ tag: "1" }, { known }))).toBe("1 b");
  });

  test("tells the rate limit that came with the newest version", async () => {
    await fill("acme/app", "1:a");
    peer.setHeaders("*", "*", { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600" });
    expect(await check({ tag: "1" })).toMatchObject({ rateLimit: { limit: 100, remaining: 76, windowSeconds: 21600 } });
  });
});

describe("a check of semver tags", () => {
  test("gives each digest once, oldest first, and latest last", async () => {
    await fill("acme/app", "2.0:c 1.10.0:b 1.9.0:a 1.9:a 2.0.0:c latest:d nightly:e");
    const found = await check();
    expect(versionsOf(found)).toBe("1.9.0 a, 1.10.0 b, 2.0.0 c, latest d");
    expect(found).toMatchObject({ via: "HEAD", host: peer.host, status: 200, requests: 7 });
    expect(found.rejected).toEqual([
      { candidate: "nightly", reason: "it is not a version" },
      { candidate: "1.9", reason: expect.stringContaining("the same digest as 1.9.0") },
      { candidate: "2.0", reason: expect.stringContaining("the same digest as 2.0.0") },
    ]);
    expect(peer.counts).toMatchObject({ tags: 1, manifestHead: 6, manifestGet: 0 });
  });

  test.each<[title: string, fields: Partial<RegistryImageSource>, versions: string]>([
    ["latest is left out where a version has its digest", { variant: "slim" }, "1.0.0-slim c, 2.0.0-slim d"],
    ["a constraint leaves latest out", { semver_constraint: "1.x" }, "1.0.0 a, 1.1.0 b"],
    ["pre-releases are wanted or not", { pre_releases: true }, "1.0.0 a, 1.1.0 b, 2.0.0-rc.1 e, 2.0.0 f"],
    [
      "and those of other names too",
      { pre_releases: true, pre_release_prefixes: ["dev"] },
      "1.0.0 a, 1.1.0 b, 2.0.0-dev.1 g, 2.0.0-rc.1 e, 2.0.0 f",
    ],
  ])("%s", async (_, fields, versions) => {
    await fill(
      "acme/app",
      "1.0.0:a 1.1.0:b 2.0.0:f latest:f 1.0.0-slim:c 2.0.0-slim:d slim:d 2.0.0-rc.1:e 2.0.0-dev.1:g",
    );
    expect(versionsOf(await check(fields))).toBe(versions);
  });

  test("goes on from a cursor that still holds, and asks for nothing older", async () => {
    await fill("acme/app", "1.0.0:a 1.1.0:b 1.2.0:c latest:c");
    const found = await check({}, { cursor: { tag: "1.1.0", digest: digestOf("b") } });
    expect(versionsOf(found)).toBe("1.1.0 b, 1.2.0 c");
    expect(found.requests).toBe(4);
    expect(peer.requests.map(({ path }) => path)).not.toContain("/v2/acme/app/manifests/1.0.0");
  });

  test("starts anew from a cursor whose tag has moved or is gone", async () => {
    await fill("acme/app", "1.0.0:a 1.1.0:b");
    for (const tag of ["1.1.0", "1.0.5"]) {
      const found = await check({}, { cursor: { tag, digest: digestOf("a") } });
      expect(versionsOf(found)).toBe("1.0.0 a, 1.1.0 b");
    }
  });

  test("passes over what is listed and not there", async () => {
    await fill("acme/app", "1.0.0:a 1.1.0:b");
    peer.answerAlways("*", "/v2/acme/app/manifests/1.1.0", 404);
    const found = await check();
    expect(versionsOf(found)).toBe("1.0.0 a");
    expect(found.rejected).toEqual([{ candidate: "1.1.0", reason: expect.stringContaining("has no such tag") }]);
  });

  test("of a repository without any finds nothing, by the word of the list", async () => {
    await fill("acme/app", "nightly:a");
    const list = { versions: [], via: "GET", host: peer.host, status: 200, requests: 1 };
    const among = { by: "semver", listed: 1, candidates: 0, asked: 0 };
    expect(await check()).toEqual({
      ...list,
      rejected: [{ candidate: "nightly", reason: "it is not a version" }],
      among,
    });
  });
});

describe("a check of tags that match", () => {
  test("gives them all in the registry's order, whatever the cursor", async () => {
    await fill("acme/app", "b-2:a b-1:b c-1:c b-3:a");
    const cursor = { tag: "b-3", digest: digestOf("a") };
    expect(versionsOf(await check({ tag_regex: "^b-" }, { cursor }))).toBe("b-1 b, b-2 a, b-3 a");
  });

  test("puts them in the order in which their images were made, where that is wanted", async () => {
    const dates = { x: "2024-03-01T00:00:00Z", y: "2024-01-01T00:00:00.000000001+01:00", z: null };
    const digests: { [tag: string]: Digest } = {};
    for (const [tag, created] of Object.entries(dates)) {
      const image = await peer.push(`acme/app:${tag}`, { created, platforms: ["linux/arm64", "linux/amd64"] });
      digests[tag] = image.digest;
    }
    const { versions, requests } = await check({ tag_regex: ".", created_at_sort: true });
    expect(versions).toEqual(["z", "y", "x"].map((tag) => ({ tag, digest: digests[tag] })));
    // The list, three HEADs, and for each image its index, its manifest and its config.
    expect(requests).toBe(1 + 3 + 3 * 3);
    expect(peer.counts).toMatchObject({ tags: 1, manifestHead: 3, manifestGet: 6, blob: 3 });
  });

  test("asks once in its life when an image was made", async () => {
    await fill("acme/app", "x:a y:b");
    const source = { tag_regex: ".", created_at_sort: true };
    await check(source);
    await fill("acme/app", "z:c");
    expect((await check(source)).requests).toBe(1 + 3 + 2);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    [
      "is for another platform",
      () => peer.push("acme/app:x", { platforms: ["linux/arm64"] }),
      "FI_PLATFORM_UNAVAILABLE",
    ],
    ["says no time", () => peer.push("acme/app:x", { created: "yesterday" }), "FI_REGISTRY_PROTOCOL"],
    [
      "has no config",
      async () => {
        await peer.push("acme/app:x");
        peer.answerAlways("GET", /\/blobs\//, 404);
      },
      "FI_IMAGE_UNKNOWN",
    ],
    [
      "has a config that hashes to something else",
      async () => {
        await peer.push("acme/app:x");
        peer.answerAlways("GET", /\/blobs\//, 200, {}, `{"created":"2024-01-01T00:00:00Z"}`);
      },
      "FI_DIGEST_MISMATCH",
    ],
    [
      "has a config that never ends",
      async () => {
        await peer.push("acme/app:x");
        peer.endlessBody("GET", /\/blobs\//);
      },
      "FI_ANSWER_TOO_LARGE",
    ],
  ])("fails where an image %s", async (_, prepare, code) => {
    await fill("acme/app", "w:a");
    await prepare();
    expect((await failureOf(check({ tag_regex: ".", created_at_sort: true }))).code).toBe(code);
  });

  test("reads no config that is larger than allowed", async () => {
    await using wary = createImageRegistry({ limits: { configBytes: 10 } });
    await fill("acme/app", "x:a");
    const source = sourceAt(peer, "acme/app", { tag_regex: ".", created_at_sort: true });
    expect((await failureOf(wary.check(source, patient))).code).toBe("FI_ANSWER_TOO_LARGE");
    expect(peer.counts.blob).toBe(0);
  });
});

test("what a check passed over is told up to twenty times, and never at length", async () => {
  const names = ["\u001b[31m", "x".repeat(10_000), ...Array.from({ length: 100 }, (_, at) => `nightly-${at}`)];
  peer.answerAlways("GET", "/v2/acme/app/tags/list", 200, {}, JSON.stringify({ tags: names }));
  const { versions, rejected } = await check();
  expect(versions).toEqual([]);
  expect(rejected).toHaveLength(20);
  expect(rejected.at(-1)).toEqual({ candidate: "83 others", reason: expect.stringContaining("too many") });
  expect(rejected.every(({ candidate }) => candidate.length < 150 && !candidate.includes("\u001b"))).toBe(true);
});

describe("a check through a mirror", () => {
  let mirror: EmbeddedRegistry;
  let hub: OciRegistry;
  beforeEach(async () => {
    mirror = await startEmbeddedRegistry();
    hub = createImageRegistry({ endpoints: { "docker.io": peer.origin } });
  });
  afterEach(async () => {
    await hub.close();
    await mirror.close();
  });
  const through = (fields: Partial<RegistryImageSource> = {}): Promise<RegistryCheck> =>
    hub.check({ repository: "busybox", registry_mirror: { host: mirror.host }, ...fields }, patient);

  test("is the mirror's answer, where it has one", async () => {
    await fill("library/busybox", "1.0.0:a 1.1.0:b");
    await fill("library/busybox", "1.0.0:a", mirror);
    const found = await through();
    expect(versionsOf(found)).toBe("1.0.0 a");
    expect(found.host).toBe(mirror.host);
    expect(peer.requests).toHaveLength(0);
  });

  test("is the registry's own, where the mirror finds nothing or fails", async () => {
    await fill("library/busybox", "1.0.0:a");
    await fill("library/busybox", "nightly:b", mirror);
    const nothing = await through();
    expect(versionsOf(nothing)).toBe("1.0.0 a");
    expect(nothing).toMatchObject({ host: peer.host, requests: 3 });
    mirror.answerAlways("*", "*", 429);
    const limited = await through({ tag: "1.0.0" });
    expect(versionsOf(limited)).toBe("1.0.0 a");
    expect(limited).toMatchObject({ host: peer.host, requests: 2 });
  });

  test("is never pieced together from both", async () => {
    await fill("library/busybox", "1.0.0:a 1.1.0:b");
    await fill("library/busybox", "1.0.0:c 1.1.0:d", mirror);
    mirror.answerAlways("*", "/v2/library/busybox/manifests/1.1.0", 500);
    expect(versionsOf(await through())).toBe("1.0.0 a, 1.1.0 b");
  });
});
