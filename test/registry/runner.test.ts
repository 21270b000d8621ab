import { readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import {
  type CheckPlan,
  FetchImageError,
  type GetPlan,
  type JsonObject,
  type StepContext,
  type StepRunner,
  type Version,
} from "@fetch-image/core";
import { createImageRegistry, createRegistryImageRunner, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesBelow } from "../support/files-below.ts";
import { type Scratch, scratch } from "../support/scratch.ts";
import { type MemoryArtifacts, memoryArtifacts } from "./memory-artifacts.ts";
import { failureOf, patient } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
let store: MemoryArtifacts;
let runner: StepRunner;
let printed: string;
let place: Scratch;

beforeEach(async () => {
  peer = await startEmbeddedRegistry();
  registry = createImageRegistry();
  store = memoryArtifacts();
  place = scratch("runner");
  runner = createRegistryImageRunner({ registry, store, directory: place.path("gets") });
  printed = "";
});

afterEach(async () => {
  await registry.close();
  await peer.close();
  place[Symbol.dispose]();
});

function context(): StepContext {
  return {
    buildId: "1",
    effectKey: "e1",
    image: { privileged: false },
    output: async (chunk) => void (printed += chunk),
    ...patient,
  };
}

function check(source: JsonObject, from?: Version): Promise<readonly Version[]> {
  const plan: CheckPlan = {
    id: "1/image-check",
    check: { name: "image", type: "registry-image", source, ...(from ? { from_version: from } : {}) },
  };
  return runner.check(plan, context());
}

function get(source: JsonObject, version: Version, params?: JsonObject): Promise<{ handle: string }> {
  const plan: GetPlan = {
    id: "1/image-get",
    get: { name: "image", type: "registry-image", source, version, ...(params ? { params } : {}) },
  };
  return runner.get(plan, context());
}

const app = (): JsonObject => ({ repository: `${peer.host}/acme/app`, tag: "1" });

describe("a check", () => {
  test("gives the tag's version, and says what it asked", async () => {
    const { digest } = await peer.push("acme/app:1");
    expect(await check(app())).toEqual([{ tag: "1", digest }]);
    expect(printed).toBe(`checking ${peer.host}/acme/app:1\n1 is ${digest} (HEAD at ${peer.host})\n`);
  });

  test("takes a number for a tag, as the resource does", async () => {
    const { digest } = await peer.push("acme/app:42.1");
    expect(await check({ ...app(), tag: 42.1 })).toEqual([{ tag: "42.1", digest }]);
  });

  test("of a tag that is not there gives nothing, and says so", async () => {
    expect(await check(app())).toEqual([]);
    expect(printed).toContain("has no tag 1");
  });

  test("from a version gives that one first, while the registry still has it", async () => {
    const before = await peer.push("acme/app:1", { layers: ["before"] });
    const after = await peer.push("acme/app:1", { layers: ["after"] });
    const newest = { tag: "1", digest: after.digest };
    expect(await check(app(), { tag: "1", digest: before.digest })).toEqual([
      { tag: "1", digest: before.digest },
      newest,
    ]);
    expect(await check(app(), { digest: after.digest })).toEqual([newest]);
    expect(await check(app(), { tag: "1", digest: `sha256:${"0".repeat(64)}` })).toEqual([newest]);
    expect(await check(app(), { tag: "1" })).toEqual([newest]);
  });

  test("without a tag gives every version from the one it is given on, and says the newest", async () => {
    const [, second, third] = [
      await peer.push("acme/app:1.0.0"),
      await peer.push("acme/app:1.1.0"),
      await peer.push("acme/app:2.0.0"),
    ];
    const source = { repository: `${peer.host}/acme/app` };
    const versions = [
      { tag: "1.1.0", digest: second.digest },
      { tag: "2.0.0", digest: third.digest },
    ];
    expect(await check(source, versions[0])).toEqual(versions);
    expect(printed).toBe(`checking ${peer.host}/acme/app\n2.0.0 is ${third.digest} (HEAD at ${peer.host})\n`);
    expect(await check({ ...source, tag_regex: "^2" }, versions[0])).toEqual([versions[1]]);
  });

  test("that finds no version among the tags says why", async () => {
    await peer.push("acme/app:nightly");
    expect(await check({ repository: `${peer.host}/acme/app` })).toEqual([]);
    expect(printed).toContain("has no version\nnot nightly: it is not a version\n");
  });

  test.each([
    [{ tag_regex: "(" }, "tag_regex"],
    [{ tag: "1", aws_region: "eu-west-1" }, "aws_region"],
    [{ tag: "1", azure_acr: true }, "azure_acr"],
  ])("of %j cannot be answered here, and the field is named", async (fields, field) => {
    const error = await failureOf(check({ repository: `${peer.host}/acme/app`, ...fields }));
    expect(error).toMatchObject({ code: expect.stringMatching(/^FI_SOURCE_/), details: { field } });
    expect(error.message).toContain(field);
    expect(peer.requests).toHaveLength(0);
  });

  test("of a source that is none is refused with the field's name", async () => {
    expect(await failureOf(check({ tag: "1" }))).toMatchObject({
      code: "FI_SOURCE_INVALID",
      details: { field: "repository" },
    });
    expect((await failureOf(check({ ...app(), tagg: "1" }))).code).toBe("FI_SOURCE_INVALID");
  });

  test("through a mirror asks the mirror, which no client without the resource's rules may", async () => {
    await using mirror = await startEmbeddedRegistry();
    const { digest } = await mirror.push("library/busybox:1");
    const source = { repository: "busybox", tag: "1", registry_mirror: { host: mirror.host } };
    expect(await check(source)).toEqual([{ tag: "1", digest }]);
  });

  test("of another type needs another runner", async () => {
    const plan: CheckPlan = { id: "1", check: { name: "repo", type: "git", source: {} } };
    const error = await failureOf(runner.check(plan, context()));
    expect(error).toMatchObject({ code: "FI_STEP_RUNNER_MISSING", details: { name: "repo", type: "git" } });
  });

  test("that is aborted ends so", async () => {
    const plan: CheckPlan = { id: "1", check: { name: "image", type: "registry-image", source: app() } };
    const aborted = { ...context(), signal: AbortSignal.abort() };
    expect((await failureOf(runner.check(plan, aborted))).code).toBe("FI_ABORTED");
  });
});

describe("a get", () => {
  const layout = { format: "oci-layout" };

  test("fills a directory as the resource does, by the version's digest, whatever the tag points to by now", async () => {
    const { digest } = await peer.push("acme/app:1", { layers: [{ "etc/motd": "before" }] });
    await peer.push("acme/app:1", { layers: [{ "etc/motd": "after" }] });
    const { handle } = await get(app(), { tag: "1", digest });
    expect(readFileSync(join(handle, "rootfs/etc/motd"), "utf8")).toBe("before");
    expect(filesBelow(handle)).toEqual([
      "digest",
      "labels.json",
      "metadata.json",
      "repository",
      "rootfs/etc/motd",
      "tag",
    ]);
    expect(printed.split("\n")[0]).toBe(`fetching ${peer.host}/acme/app@${digest}`);
    expect(printed).toMatch(/2 of 2 blobs\nlinux\/amd64: \d+ kB, \d+ kB downloaded\n$/);
  });

  test.each([
    ["oci", "image.tar"],
    ["oci-layout", "oci/index.json"],
  ])("with format %s has %s", async (format, file) => {
    const { digest } = await peer.push("acme/app:1");
    const { handle } = await get(app(), { tag: "1", digest }, { format });
    expect(filesBelow(handle)).toContain(file);
  });

  test("done again asks nobody, and after an hour whether the image may still be had", async () => {
    const { digest } = await peer.push("acme/app:1");
    const first = await get(app(), { tag: "1", digest }, layout);
    peer.clearRequests();
    printed = "";
    expect(await get(app(), { tag: "1", digest }, layout)).toEqual(first);
    expect(peer.requests).toEqual([]);
    expect(printed).toContain("here already, from another get\n");

    const anHourAgo = new Date(Date.now() - 3_600_000);
    for (const file of filesBelow(place.path("gets-permits"))) {
      utimesSync(place.path(`gets-permits/${file}`), anHourAgo, anHourAgo);
    }
    expect(await get(app(), { tag: "1", digest }, layout)).toEqual(first);
    expect(peer.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `HEAD /v2/acme/app/manifests/${digest}`,
    ]);
  });

  test("that differs in anything is another directory", async () => {
    const { digest } = await peer.push("acme/app:1");
    const first = await get(app(), { tag: "1", digest }, layout);
    const others = [
      await get(app(), { tag: "2", digest }, layout),
      await get(app(), { tag: "1", digest }, { format: "oci" }),
      await get(app(), { tag: "1", digest }, { ...layout, platform: { architecture: "arm64" } }),
    ];
    expect(new Set([first, ...others].map(({ handle }) => handle)).size).toBe(4);
  });

  test("of bytes that others may have is refused to whoever may not", async () => {
    await using guarded = await startEmbeddedRegistry({
      users: { alice: "s3cret-of-alice" },
      private: [{ prefix: "acme", scheme: "basic" }],
    });
    const { digest } = await guarded.push("acme/app:1");
    const source = { repository: `${guarded.host}/acme/app` };
    await get({ ...source, username: "alice", password: "s3cret-of-alice" }, { digest }, layout);
    for (const login of [{}, { username: "alice", password: "a-guess" }]) {
      expect((await failureOf(get({ ...source, ...login }, { digest }, layout))).code).toBe("FI_UNAUTHORIZED");
    }
    // Nor does what is kept tell anybody the password.
    for (const file of filesBelow(place.path("gets-permits"))) expect(file).not.toContain("s3cret");
  });

  test("asked for many times at once is made once", async () => {
    const { digest } = await peer.push("acme/app:1", { layers: ["one", "two"] });
    const all = await Promise.all(Array.from({ length: 5 }, () => get(app(), { tag: "1", digest }, layout)));
    expect(new Set(all.map(({ handle }) => handle)).size).toBe(1);
    const blobs = peer.requests.filter(({ path }) => path.includes("/blobs/"));
    expect(blobs.length).toBe(3);
  });

  test("that fails leaves nothing, and the next one of the same makes it", async () => {
    const { digest } = await peer.push("acme/app:1");
    store.failWith(new FetchImageError("FI_STORE_FULL"));
    expect((await failureOf(get(app(), { digest }, layout))).code).toBe("FI_STORE_FULL");
    expect(filesBelow(place.directory)).toEqual([]);
    const healthy = createRegistryImageRunner({ registry, store: memoryArtifacts(), directory: place.path("gets") });
    const plan = { id: "1", get: { name: "image", type: "registry-image", source: app(), version: { digest } } };
    const { handle } = await healthy.get({ ...plan, get: { ...plan.get, params: layout } }, context());
    expect(filesBelow(handle)).toContain("oci/index.json");
  });

  test("takes the platform of the params for the source's whole", async () => {
    const { digest, platforms } = await peer.push("acme/app:1", {
      platforms: ["linux/amd64", "linux/arm64", "linux/s390x"],
    });
    const source = { ...app(), platform: { architecture: "s390x" } };
    const config = async (params?: JsonObject) => {
      const { handle } = await get(source, { digest }, { format: "oci", ...params });
      return readFileSync(join(handle, "image.tar"), "utf8");
    };
    expect(Object.keys(platforms)).toHaveLength(3);
    expect(await config()).toContain('"architecture":"s390x"');
    expect(await config({ platform: { architecture: "arm64", os: "linux" } })).toContain('"architecture":"arm64"');
  });

  test("of a version without a digest fetches nothing", async () => {
    await peer.push("acme/app:1");
    for (const version of [{ tag: "1" }, { digest: "sha256:abc" }]) {
      expect((await failureOf(get(app(), version))).code).toBe("FI_NO_VERSION");
    }
    expect(peer.requests).toHaveLength(0);
  });

  test("that is told to skip the download has nothing to give", async () => {
    const { digest } = await peer.push("acme/app:1");
    const error = await failureOf(get(app(), { digest }, { skip_download: true }));
    expect(error).toMatchObject({ code: "FI_SOURCE_UNSUPPORTED", details: { field: "params.skip_download" } });
  });

  test("of a large image says how far it is, a few times", async () => {
    const layers = Array.from({ length: 20 }, (_, at) => `${at}`.repeat(50_000));
    const { digest } = await peer.push("acme/app:1", { layers });
    await get(app(), { digest }, layout);
    const lines = printed.split("\n").filter((line) => line.includes(" blobs"));
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.length).toBeLessThanOrEqual(4);
    expect(lines.at(-1)).toContain("21 of 21 blobs");
  });
});
