// The newest version alone, over HTTP: how many questions it costs, and what earlier ones spare.
import type { CheckOptions, Digest, RegistryImageSource } from "@fetch-image/core";
import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failureOf, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
let now: number;

beforeEach(async () => {
  peer = await startEmbeddedRegistry({
    users: { alice: "s3cret", bob: "s3cret" },
    private: [{ prefix: "private/", scheme: "basic" }],
  });
  now = Date.parse("2026-11-22T00:00:00Z");
  registry = createImageRegistry({ clock: { now: () => now } });
});

afterEach(async () => {
  await registry.close();
  await peer.close();
});

async function push(repository: string, tags: string): Promise<Map<string, Digest>> {
  const digests = new Map<string, Digest>();
  for (const [, tag = "", content = tag] of tags.matchAll(/([^\s:]+)(?::(\S+))?/g)) {
    digests.set(tag, (await peer.push(`${repository}:${tag}`, { layers: [content] })).digest);
  }
  return digests;
}

/** The newest, and the tags that were asked for. */
async function newest(
  fields: Partial<RegistryImageSource> = {},
  options: Partial<CheckOptions> = {},
  path = "acme/app",
) {
  peer.clearRequests();
  const found = await registry.check(sourceAt(peer, path, fields), { ...patient, want: "newest", ...options });
  return { ...found, tag: found.versions.at(-1)?.tag, tags: asked() };
}

function asked(): string {
  const heads = peer.requests.filter(({ method }) => method === "HEAD").map(({ path }) => path.split("/").at(-1) ?? "");
  return heads.toSorted((a, b) => (a < b ? -1 : 1)).join(" ");
}

const many = Array.from({ length: 60 }, (_, at) => `1.${at + 100}.0`).join(" ");

describe("the newest version", () => {
  test("costs a question for each tag that may have its digest, and next time for itself and latest", async () => {
    const digests = await push("acme/app", `${many} latest:1.159.0 nightly`);
    const first = await newest();
    expect(first.versions).toEqual([{ tag: "1.159.0", digest: digests.get("1.159.0") }]);
    expect(first).toMatchObject({ via: "HEAD", host: peer.host, status: 200, requests: 62 });
    expect(first.among).toEqual({ by: "semver", listed: 62, candidates: 61, asked: 61 });

    now += 3_600_000;
    const again = await newest({}, { previous: first.versions[0] });
    expect(again.versions).toEqual(first.versions);
    expect(again).toMatchObject({ tags: "1.159.0 latest", requests: 3 });
    expect(again.among).toEqual({ by: "semver", listed: 62, candidates: 61, asked: 2 });
    expect(again.rejected).toEqual([
      { candidate: "latest", reason: "it has the same digest as 1.159.0, which says more" },
      { candidate: "nightly", reason: "it is not a version" },
    ]);
  });

  test("that came since costs itself, the one before it and latest", async () => {
    await push("acme/app", `${many} latest:1.159.0`);
    const first = await newest();
    await push("acme/app", "1.160.0 latest:1.160.0");
    expect(await newest({}, { previous: first.versions[0] })).toMatchObject({
      tag: "1.160.0",
      tags: "1.159.0 1.160.0 latest",
    });
  });

  test("is told by a client that remembers nothing, as after a restart, for the same questions", async () => {
    const digests = await push("acme/app", `${many} latest:1.159.0`);
    const previous = { tag: "1.159.0", digest: digests.get("1.159.0") };
    expect(await newest({}, { previous })).toMatchObject({ tag: "1.159.0", tags: "1.159.0 latest" });
  });

  test("is asked for from the ground up where the one before it has moved or is gone", async () => {
    await push("acme/app", `${many} latest:1.159.0`);
    const previous = (await newest()).versions[0];
    await push("acme/app", "1.159.0:rebuilt");
    expect((await newest({}, { previous })).requests).toBe(62);
    peer.deleteTag("acme/app", "1.159.0");
    expect(await newest({}, { previous })).toMatchObject({ tag: "latest" });
  });

  test("by a pattern costs one question, and one by a tag, whatever the cursor", async () => {
    await push("acme/app", many);
    expect(await newest({ tag_regex: "^1\\.1[0-4]" })).toMatchObject({ tag: "1.149.0", tags: "1.149.0", requests: 2 });
    const cursor = { tag: "1.103.0", digest: `sha256:${"0".repeat(64)}` };
    expect(await newest({ tag: "1.103.0" }, { cursor })).toMatchObject({
      tag: "1.103.0",
      tags: "1.103.0",
      requests: 1,
    });
  });
});

describe("digests learned lately", () => {
  test("are not asked for again, but for the newest's own", async () => {
    await push("acme/app", `${many} latest:1.159.0`);
    await newest();
    now += 59_999;
    expect(await newest({ semver_constraint: ">=1" }, { recallMs: 60_000 })).toMatchObject({
      tag: "1.159.0",
      tags: "1.159.0",
    });
    now += 2;
    // Only 1.159.0 was asked for since, and holds: the others stand by it.
    expect(await newest({}, { recallMs: 60_000 })).toMatchObject({ tags: "1.159.0 latest" });
  });

  test("are kept for those who want all, too, where they say how old they may be", async () => {
    await push("acme/app", many);
    const source = sourceAt(peer, "acme/app");
    const first = await registry.check(source, patient);
    peer.clearRequests();
    now += 1000;
    expect(await registry.check(source, { ...patient, recallMs: 1000 })).toMatchObject({
      versions: first.versions,
      requests: 1,
    });
    expect((await registry.check(source, patient)).requests).toBe(61);
    now += 1001;
    expect((await registry.check(source, { ...patient, recallMs: 1000 })).requests).toBe(61);
  });

  test("survive a check that failed half way: the next attempt asks for the rest", async () => {
    await push("acme/app", many);
    peer.answerNext("HEAD", "/v2/acme/app/manifests/1.130.0", 503);
    peer.clearRequests();
    const source = sourceAt(peer, "acme/app");
    await using client = createImageRegistry({ limits: { concurrentQuestions: 1 } });
    expect((await failureOf(client.check(source, patient))).code).toBe("FI_REGISTRY_UNAVAILABLE");
    expect(peer.counts.manifestHead).toBe(31);
    expect((await client.check(source, { ...patient, recallMs: 60_000 })).requests).toBe(1 + 30);
  });

  test("are nobody else's: not another user's, not those of one who needs other certificates, nor a mirror's", async () => {
    await push("private/app", many);
    const alice = { username: "alice", password: "s3cret" };
    const ask = async (fields: Partial<RegistryImageSource>) => {
      const source = sourceAt(peer, "private/app", fields);
      return (await registry.check(source, { ...patient, recallMs: 60_000 })).requests;
    };
    expect(await ask(alice)).toBe(61);
    expect(await ask(alice)).toBe(1);
    expect(await ask({ ...alice, tag_regex: "^1" })).toBe(1);
    expect(await ask({ ...alice, username: "bob" })).toBe(61);
    expect(await ask({ ...alice, insecure: true })).toBe(61);
    expect((await failureOf(ask({ username: "mallory", password: "x" }))).code).toBe("FI_UNAUTHORIZED");
  });

  test("of a tag that is not listed any more are forgotten", async () => {
    await push("acme/app", "1.0.0 2.0.0");
    const source = sourceAt(peer, "acme/app");
    await registry.check(source, patient);
    peer.deleteTag("acme/app", "2.0.0");
    await registry.check(source, patient);
    await push("acme/app", "2.0.0:another");
    const found = await registry.check(source, { ...patient, recallMs: 60_000 });
    expect(found).toMatchObject({ requests: 2, versions: [{ tag: "1.0.0" }, { tag: "2.0.0" }] });
  });

  test("never answer for a source with a tag: whether it moved is the question", async () => {
    await push("acme/app", "1.0.0");
    await newest();
    expect(await newest({ tag: "1.0.0" }, { recallMs: 60_000 })).toMatchObject({ tags: "1.0.0", requests: 1 });
  });
});
