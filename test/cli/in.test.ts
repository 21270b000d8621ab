import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandOptions, login, repository, startFetchImage, startNode } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { filesBelow } from "../support/files-below.ts";
import { loadedModules } from "../support/loaded-modules.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let registry: EmbeddedRegistry;
beforeAll(async () => {
  registry = await startEmbeddedRegistry({
    users: { [login.username]: login.password },
    private: [{ prefix: "acme/private", scheme: "bearer" }],
  });
});
afterAll(() => registry.close());

const source = (name = "app") => ({ repository: `${registry.host}/acme/${name}` });
const push = (
  reference = "app:1",
  layers: readonly { readonly [path: string]: string }[] = [{ "etc/motd": "hello" }],
) => registry.push(`acme/${reference}`, { layers, config: { Env: ["A=b"], Labels: { maintainer: "acme" } } });

/** From an empty directory of the test's own, so that it has no data directory that it did not make. */
function get(
  payload: object,
  args: readonly string[],
  { place, ...options }: CommandOptions & { readonly place: Scratch },
) {
  return fetchImage(["in", ...args], { cwd: place.directory, ...options, input: JSON.stringify(payload) });
}

test("the destination is filled, the version and metadata go to standard output, words to standard error", async () => {
  using place = scratch("in");
  const { digest } = await push();
  const version = { tag: "1", digest };
  const payload = { source: { ...source(), label_regex: "^maint" }, version, params: null };
  const { status, stdout, stderr } = await get(payload, ["dest"], { place });
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: `${JSON.stringify({
      version,
      metadata: [
        { name: "repository", value: source().repository },
        { name: "tag", value: "1" },
        { name: "maintainer", value: "acme" },
      ],
    })}\n`,
  });
  expect(stderr).toMatch(/^fetching .+\/acme\/app@sha256:[0-9a-f]{64}\n[\d.]+ kB, [\d.]+ kB downloaded\n$/);
  expect(readFileSync(place.path("dest/rootfs/etc/motd"), "utf8")).toBe("hello");
  expect(readdirSync(place.path("dest")).toSorted()).toEqual([
    "digest",
    "labels.json",
    "metadata.json",
    "repository",
    "rootfs",
    "tag",
  ]);
  // Nobody named a data directory: none is made, and nothing stays.
  expect(readdirSync(place.directory)).toEqual(["dest"]);
});

test("a directory that is there is filled, and what has the same names in it replaced", async () => {
  using place = scratch("in");
  const { digest } = await push();
  const { digest: later } = await push("app:2", [{ "etc/motd": "later" }]);
  mkdirSync(place.path("dest/rootfs"), { recursive: true });
  writeFileSync(place.path("dest/rootfs/stale"), "");
  writeFileSync(place.path("dest/kept"), "");
  for (const version of [
    { tag: "1", digest },
    { tag: "2", digest: later },
  ]) {
    expect((await get({ source: source(), version }, ["dest"], { place })).status).toBe(0);
  }
  expect(filesBelow(place.path("dest"))).toEqual([
    "digest",
    "kept",
    "labels.json",
    "metadata.json",
    "repository",
    "rootfs/etc/motd",
    "tag",
  ]);
  expect(readFileSync(place.path("dest/rootfs/etc/motd"), "utf8")).toBe("later");
});

test("as Concourse calls it: a link in the place of /opt/resource/in, the destination an absolute path", async () => {
  using place = scratch("in");
  const { digest } = await push();
  mkdirSync(place.path("get"));
  symlinkSync(join(repository, "packages", "cli", "dist", "bin.js"), place.path("in"));
  const input = JSON.stringify({ source: source(), version: { tag: "1", digest }, params: { skip_download: true } });
  const { ended } = startNode([place.path("in"), place.path("get")], { input, cwd: place.directory });
  expect(await ended).toMatchObject({ status: 0, stdout: expect.stringContaining('"version":{"tag":"1"') });
  expect(filesBelow(place.path("get"))).toEqual(["digest", "repository", "tag"]);
});

test("layers are kept in the data directory that is named, and not fetched twice", async () => {
  using place = scratch("in");
  const shared = { "usr/lib/base": "x".repeat(200_000) };
  const first = await push("shared:1", [shared, { app: "1" }]);
  const second = await push("shared:2", [shared, { app: "2" }]);
  const data = ["--data", place.path("data")];
  for (const [name, { digest }] of Object.entries({ first, second })) {
    const version = { tag: "1", digest };
    const { status } = await get({ source: source("shared"), version }, [name, ...data], { place });
    expect(status).toBe(0);
  }
  const base = registry.requests.filter(({ path }) => path.endsWith(`/blobs/${first.layers[0]}`));
  expect(base).toHaveLength(1);
  expect(filesBelow(place.path("data", "artifacts", "blobs", "sha256"))).toContain(
    first.layers[0]?.slice("sha256:".length),
  );
});

test("a data directory that cannot be written to is told, and done without", async () => {
  using place = scratch("in");
  const { digest } = await push();
  // A file where a directory must be, which keeps root out, too.
  writeFileSync(place.path("data"), "");
  const { status, stderr } = await get(
    { source: source(), version: { tag: "1", digest } },
    ["dest", "--data", "data"],
    { place },
  );
  expect(status).toBe(0);
  expect(stderr).toContain("artifacts cannot be written to (ENOTDIR)");
  expect(filesBelow(place.path("dest"))).toContain("rootfs/etc/motd");
});

test.each<[string, object, string]>([
  ["a version without a digest", { version: { tag: "1" } }, "to get has no digest"],
  ["no version", { version: null }, "to get has no digest"],
  ["an unknown format", { params: { format: "tar" } }, "params.format must be one of rootfs, oci, oci-layout"],
  ["an unknown param", { params: { unpack: true } }, "params.unpack is no param of a get"],
  ["an unknown field", { step: "get" }, '"step" is no field of it'],
  ["a label_regex that is none", { source: { repository: "busybox", label_regex: "(" } }, "source.label_regex"],
])("%s is refused with status 2, asks nobody and makes nothing", async (_what, wrong, says) => {
  using place = scratch("in");
  registry.clearRequests();
  const version = { tag: "1", digest: `sha256:${"0".repeat(64)}` };
  const { status, stdout, stderr } = await get({ source: source(), version, ...wrong }, ["dest"], { place });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(says);
  expect(stderr).toContain("\n  fix: ");
  expect(registry.requests).toEqual([]);
  expect(readdirSync(place.directory)).toEqual([]);
});

test("a destination that cannot be filled is refused with status 2, by its name", async () => {
  using place = scratch("in");
  writeFileSync(place.path("file"), "");
  registry.clearRequests();
  const version = { tag: "1", digest: `sha256:${"0".repeat(64)}` };
  const { status, stderr } = await get({ source: source(), version }, ["file/dest"], { place });
  expect(status).toBe(2);
  expect(stderr).toContain("error FI_DESTINATION_UNUSABLE: ");
  expect(stderr).toContain("file/dest");
  expect(registry.requests).toEqual([]);
});

test("what fails on the way leaves the destination as it was", async () => {
  using place = scratch("in");
  const { digest, layers } = await push("broken:1", [{ one: "1" }, { two: "2" }]);
  const { digest: good } = await push();
  mkdirSync(place.path("dest"));
  expect((await get({ source: source(), version: { digest: good } }, ["dest"], { place })).status).toBe(0);
  const before = filesBelow(place.path("dest"));
  registry.answerAlways("GET", `/v2/acme/broken/blobs/${layers[1]}`, 404);
  const { status, stdout, stderr } = await get({ source: source("broken"), version: { digest } }, ["dest"], { place });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("error FI_IMAGE_UNKNOWN: ");
  expect(filesBelow(place.path("dest"))).toEqual(before);
  expect(readFileSync(place.path("dest/digest"), "utf8")).toBe(good);
  // Where there was none, none is left.
  await get({ source: source("broken"), version: { digest } }, ["fresh"], { place });
  expect(existsSync(place.path("fresh"))).toBe(false);
});

test("a mirror that fails leaves it to the source's own registry", async () => {
  using place = scratch("in");
  const { digest } = await registry.push("library/busybox:1", { layers: [{ "etc/motd": "hub" }] });
  await using mirror = await startEmbeddedRegistry();
  const payload = {
    source: { repository: "busybox", registry_mirror: { host: mirror.host } },
    version: { tag: "1", digest },
  };
  const { status, stderr } = await get(payload, ["dest", "--registry-endpoint", `docker.io=${registry.origin}`], {
    place,
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(mirror.requests.length).toBeGreaterThan(0);
  expect(readFileSync(place.path("dest/repository"), "utf8")).toBe("busybox");
});

test("whoever interrupts it finds nothing half-written, and the status is 130", async () => {
  using place = scratch("in");
  const { digest, layers } = await push("slow:1", [{ one: "1".repeat(100_000) }]);
  registry.hang("GET", `/v2/acme/slow/blobs/${layers[0]}`);
  const input = JSON.stringify({ source: source("slow"), version: { tag: "1", digest } });
  const running = startFetchImage(["in", "dest"], { cwd: place.directory, input });
  await running.says("fetching");
  running.kill("SIGINT");
  const { status, stdout } = await running.ended;
  expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
  expect(readdirSync(place.directory)).toEqual([]);
});

test("neither the engine nor a database is loaded", async () => {
  using place = scratch("in");
  const { digest } = await registry.push("acme/private:1", { layers: [{ a: "1" }] });
  const payload = { source: { ...source("private"), ...login }, version: { tag: "1", digest } };
  const { ended, loaded } = await loadedModules((options) => get(payload, ["dest"], { ...options, place }));
  expect(ended).toMatchObject({ status: 0 });
  const unneeded = /\/packages\/engine\/dist\/(?!redact)|\/node_modules\/(?:pg|@electric-sql|xstate|zod|yaml)\//;
  expect(loaded.filter((url) => unneeded.test(url))).toEqual([]);
});
