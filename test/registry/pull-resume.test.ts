import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArtifactStore, Digest } from "@fetch-image/core";
import { createImageRegistry, type OciRegistry, type RegistryOptions, type StoredImage } from "@fetch-image/registry";
import { type EmbeddedRegistry, type PushedImage, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type InstantClock, instantClock } from "./instant-clock.ts";
import { failureOf, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
let clock: InstantClock;
let directory: string;
let store: ArtifactStore;
let image: PushedImage;
let layer: Digest;
/** Of the layer, a tar with one file. */
const size = 1_001_984;

beforeEach(async () => {
  peer = await startEmbeddedRegistry({
    users: { alice: "s3cret" },
    private: [{ prefix: "private/", scheme: "bearer" }],
  });
  clock = instantClock();
  registry = open();
  directory = mkdtempSync(join(tmpdir(), "fetch-image-resume-"));
  store = createFileArtifactStore({ directory });
  image = await peer.push("acme/app:1", { layers: [{ file: "0123456789".repeat(100_000) }] });
  layer = image.layers[0] ?? image.digest;
});

afterEach(async () => {
  await registry.close();
  await peer.close();
  rmSync(directory, { recursive: true, force: true });
});

const silence = { connectMs: 5_000, headersMs: 5_000, bodyMs: 200, exchangeMs: 10_000 };

function open(options: RegistryOptions = {}): OciRegistry {
  return createImageRegistry({ clock, random: () => 0.5, ...options });
}

const fetchImage = (options: Partial<Parameters<OciRegistry["fetchImage"]>[2]> = {}): Promise<StoredImage> =>
  registry.fetchImage(sourceAt(peer, "acme/app"), image.digest, { store, ...patient, ...options });
const path = (): string => `/v2/acme/app/blobs/${layer}`;
const layerRequests = (at: EmbeddedRegistry = peer): EmbeddedRegistry["requests"] =>
  at.requests.filter((request) => request.path.endsWith(layer));
const ranges = (at: EmbeddedRegistry = peer): (string | undefined)[] => layerRequests(at).map(({ range }) => range);

async function sizeOf(digest: Digest): Promise<number> {
  let length = 0;
  for await (const chunk of store.read(digest)) length += chunk.length;
  return length;
}

const partials = (): string[] => readdirSync(join(directory, "partials"));

describe("a body that breaks off", () => {
  test("several times is gone on with, and no byte comes twice", async () => {
    peer.cutBodyAfter("GET", path(), 300_000, 3);
    const fetched = await fetchImage();
    expect(ranges()).toEqual([undefined, "bytes=300000-", "bytes=600000-", "bytes=900000-"]);
    expect(fetched.downloadedBytes).toBe(fetched.bytes);
    expect(await sizeOf(layer)).toBe(size);
    // Each break came after enough bytes to count as a new trouble.
    expect(clock.waits).toEqual([375, 375, 375]);
    expect(partials()).toEqual([]);
  });

  test("after few bytes each time makes each wait longer", async () => {
    peer.cutBodyAfter("GET", path(), 1000, 4);
    await fetchImage();
    expect(clock.waits).toEqual([375, 750, 1500, 3000]);
  });

  test("is got from its start where the registry takes no notice of ranges", async () => {
    peer.ignoreRanges("GET", path());
    peer.cutBodyAfter("GET", path(), 600_000, 1);
    const fetched = await fetchImage();
    expect(layerRequests().map(({ status }) => status)).toEqual([200, 200]);
    expect(fetched.downloadedBytes).toBe(fetched.bytes + 600_000);
    expect(await sizeOf(layer)).toBe(size);
  });

  test.each([
    ["another place", "bytes 0-699999/1001984"],
    ["a blob of another size", "bytes 300000-1001983/2000000"],
    ["more than there is", "bytes 300000-2000000/1001984"],
    ["nothing that can be read", "300000-1001983"],
    ["no place at all", ""],
  ])("and goes on with a part that says it is of %s: not a byte of it is used", async (_, range) => {
    peer.cutBodyAfter("GET", path(), 300_000, 1);
    peer.setHeaders("GET", path(), { "content-range": range });
    const fetched = await fetchImage();
    expect(layerRequests().map(({ status }) => status)).toEqual([200, 206, 200]);
    expect(ranges()).toEqual([undefined, "bytes=300000-", undefined]);
    expect(fetched.downloadedBytes).toBe(fetched.bytes + 300_000);
    expect(await sizeOf(layer)).toBe(size);
  });

  test("and has no more parts, by the registry's word, is asked for whole", async () => {
    await leavePart();
    peer.answerNext("GET", path(), 416);
    await fetchImage();
    expect(ranges()).toEqual(["bytes=300000-", undefined]);
  });

  test("is resumed after silence too", async () => {
    await using hasty = open({ timeouts: silence });
    peer.stallBodyAfter("GET", path(), 300_000, 1);
    await hasty.fetchImage(sourceAt(peer, "acme/app"), image.digest, { store, ...patient });
    expect(ranges()).toEqual([undefined, "bytes=300000-"]);
  });

  test("with an end as if that were all is resumed; ending there again, it is refused by name", async () => {
    peer.endBodyAfter("GET", path(), 300_000, 1);
    await fetchImage();
    expect(ranges()).toEqual([undefined, "bytes=300000-"]);
    const other = await peer.push("acme/app:2", { layers: [{ file: "x".repeat(500_000) }] });
    peer.ignoreRanges("GET", "*");
    peer.endBodyAfter("GET", `/v2/acme/app/blobs/${other.layers[0]}`, 300_000);
    const failing = registry.fetchImage(sourceAt(peer, "acme/app"), other.digest, { store, ...patient });
    const error = await failureOf(failing);
    expect(error).toMatchObject({ code: "FI_DIGEST_MISMATCH", details: { host: peer.host } });
    expect(error.message).toMatch(/ends after 300000 bytes, its manifest promised \d+/);
  });

  test("and goes on with other bytes is fetched again from the start, once", async () => {
    const range = { "content-range": `bytes 300000-${size - 1}/${size}` };
    const wrong = Buffer.alloc(size - 300_000, "x");
    await leavePart();
    peer.answerNext("GET", path(), 206, range, wrong);
    await fetchImage();
    expect(ranges()).toEqual(["bytes=300000-", undefined]);
    expect(await sizeOf(layer)).toBe(size);
  });

  test("and whose whole is wrong as well is refused, naming the host, with nothing left", async () => {
    await leavePart();
    peer.answerAlways("GET", path(), 200, {}, Buffer.alloc(size, "x"));
    const error = await failureOf(fetchImage());
    expect(error).toMatchObject({ code: "FI_DIGEST_MISMATCH", retryable: false, details: { host: peer.host } });
    expect(layerRequests()).toHaveLength(2);
    expect(await store.has(layer)).toBe(false);
    expect(partials()).toEqual([]);
  });

  test("is not waited for when the fetch is aborted", async () => {
    const controller = new AbortController();
    await using slow = createImageRegistry();
    peer.reset("GET", path());
    const options = { store, signal: controller.signal };
    const failing = failureOf(slow.fetchImage(sourceAt(peer, "acme/app"), image.digest, options));
    await expect.poll(() => layerRequests().length).toBeGreaterThan(0);
    controller.abort();
    expect((await failing).code).toBe("FI_ABORTED");
  });

  test("is gone on with by the next fetch, when this one is out of patience", async () => {
    await leavePart();
    const fetched = await fetchImage();
    expect(ranges()).toEqual(["bytes=300000-"]);
    expect(fetched.downloadedBytes).toBe(fetched.bytes - 300_000 - fetched.image.config.size);
  });

  test("at a place that the registry redirected to is asked for at the registry again, no Authorization leaving it", async () => {
    await using storage = await startEmbeddedRegistry();
    const recipe = { layers: [{ file: "y".repeat(1_000_000) }] };
    const secret = await peer.push("private/app:1", recipe);
    await storage.push("bucket/x:1", recipe);
    const [blob] = secret.layers;
    peer.redirect("GET", `/v2/private/app/blobs/${blob}`, `${storage.origin}/v2/bucket/x/blobs/${blob}?sig=abc`);
    storage.cutBodyAfter("GET", `/v2/bucket/x/blobs/${blob}`, 400_000, 2);
    await using trusting = open({ allowedRealms: [storage.origin] });
    const source = sourceAt(peer, "private/app", { username: "alice", password: "s3cret" });
    await trusting.fetchImage(source, secret.digest, { store, ...patient });
    expect(
      peer.requests.filter((request) => request.path.endsWith(String(blob)) && request.status === 307),
    ).toHaveLength(3);
    const answers = storage.requests.map(({ authorization, range, status }) => [authorization, range, status]);
    expect(answers).toEqual([
      [false, undefined, 200],
      [false, "bytes=400000-", 206],
      [false, "bytes=800000-", 206],
    ]);
  });
});

/** Fetches the first 300,000 bytes of the layer, gives up, and forgets the faults and requests that it took. */
async function leavePart(): Promise<void> {
  await using hurried = open({ timeouts: { downloadPatienceMs: 1 } });
  peer.cutBodyAfter("GET", path(), 300_000, 1);
  await failureOf(hurried.fetchImage(sourceAt(peer, "acme/app"), image.digest, { store, ...patient }));
  expect(partials()).toHaveLength(1);
  peer.clearFaults();
  peer.clearRequests();
}

describe("a registry that refuses for a while", () => {
  test("is asked again after as many seconds as it says, or until the time it says", async () => {
    peer.answerNext("GET", path(), 429, { "retry-after": "42" });
    const date = new Date(clock.now() + 100_000).toUTCString();
    peer.answerNext("GET", path(), 429, { "retry-after": date, date: new Date(clock.now()).toUTCString() });
    await fetchImage();
    expect(clock.waits).toEqual([42_000, 100_000]);
  });

  test.each([408, 429, 500, 502, 503, 504])("with %i is asked again, longer and longer after", async (status) => {
    for (let times = 0; times < 3; times++) peer.answerNext("GET", path(), status);
    peer.answerNext("GET", `/v2/acme/app/manifests/${image.digest}`, status);
    await fetchImage();
    expect(clock.waits).toEqual([375, 375, 750, 1500]);
  });

  test("by dropping connections is asked again", async () => {
    peer.reset("GET", path(), 4);
    await fetchImage();
    expect(clock.waits.length).toBeGreaterThan(0);
    expect(await sizeOf(layer)).toBe(size);
  });

  test.each([400, 401, 403, 404, 410, 451, 501, 505])("is not asked again after %i", async (status) => {
    peer.answerAlways("GET", path(), status);
    expect((await failureOf(fetchImage())).details).toMatchObject({ host: peer.host, status });
    expect([clock.waits, layerRequests().length]).toEqual([[], 1]);
  });

  test("for ever is given up on within the patience, and nobody is to be patient once more", async () => {
    peer.answerAlways("GET", path(), 429, { "retry-after": "70" });
    const started = clock.now();
    const error = await failureOf(fetchImage());
    expect(clock.waits).toEqual([70_000, 70_000, 70_000, 70_000]);
    expect(clock.now() - started).toBeLessThanOrEqual(5 * 60_000);
    expect(error).toMatchObject({
      code: "FI_RATE_LIMITED",
      retryable: false,
      details: { host: peer.host, status: 429, until: "2026-11-22T08:05:50.000Z", patienceMs: 300_000 },
    });
    expect(error.message).toContain("limited until 2026-11-22T08:05:50.000Z; given up after 280 s of trouble");
  });

  test("with server errors for ever is given up on within the patience as well", async () => {
    peer.answerAlways("GET", path(), 503);
    const started = clock.now();
    const error = await failureOf(fetchImage());
    expect(clock.now() - started).toBeLessThanOrEqual(5 * 60_000);
    expect(clock.now() - started).toBeGreaterThan(4 * 60_000);
    expect(Math.max(...clock.waits)).toBeLessThanOrEqual(30_000);
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNAVAILABLE", retryable: false, details: { status: 503 } });
  });

  test("for longer than the patience is left to the caller at once, with the time", async () => {
    peer.answerAlways("GET", path(), 429, { "retry-after": "3600" });
    const error = await failureOf(fetchImage());
    expect(clock.waits).toEqual([]);
    expect(error).toMatchObject({
      code: "FI_RATE_LIMITED",
      retryable: true,
      details: { retryAfterMs: 3_600_000, until: "2026-11-22T09:00:00.000Z" },
    });
  });

  test("takes its time from one patience, for all blobs and manifests together", async () => {
    const two = await peer.push("acme/app:2", { layers: ["one", "two"] });
    const host = /acme/;
    peer.answerAlways("GET", /\/blobs\//, 429, { "retry-after": "100" });
    peer.answerNext("GET", host, 429, { "retry-after": "100" });
    const started = clock.now();
    const error = await failureOf(registry.fetchImage(sourceAt(peer, "acme/app"), two.digest, { store, ...patient }));
    expect(error.code).toBe("FI_RATE_LIMITED");
    expect(clock.now() - started).toBeLessThanOrEqual(5 * 60_000);
  });

  test("by a byte now and then is not put up with for ever", async () => {
    await using hasty = createImageRegistry({ timeouts: { ...silence, downloadPatienceMs: 1_000 } });
    peer.trickle("GET", path(), { bytes: 10, everyMs: 10 });
    const error = await failureOf(hasty.fetchImage(sourceAt(peer, "acme/app"), image.digest, { store, ...patient }));
    expect(error).toMatchObject({ code: "FI_REGISTRY_TIMEOUT", details: { reason: "slow", host: peer.host } });
  });

  test("by breaking off after each byte is not put up with for ever", async () => {
    peer.cutBodyAfter("GET", path(), 1);
    const started = clock.now();
    expect((await failureOf(fetchImage())).code).toBe("FI_REGISTRY_UNREACHABLE");
    expect(clock.now() - started).toBeLessThanOrEqual(5 * 60_000);
    expect(layerRequests().length).toBeLessThan(30);
  });

  test("by not being there at all is told at once", async () => {
    await peer.close();
    const error = await failureOf(fetchImage());
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNREACHABLE", retryable: true });
    expect(clock.waits).toEqual([]);
    peer = await startEmbeddedRegistry();
  });
});

describe("a mirror", () => {
  test("is not waited for as long, and what it gave is gone on with at the registry itself", async () => {
    await using mirror = await startEmbeddedRegistry();
    await using hub = open({ endpoints: { "docker.io": peer.origin } });
    const recipe = { layers: [{ file: "z".repeat(1_000_000) }] };
    const { digest, layers } = await peer.push("library/busybox:1", recipe);
    await mirror.push("library/busybox:1", recipe);
    const [blob = digest] = layers;
    layer = blob;
    mirror.cutBodyAfter("GET", `/v2/library/busybox/blobs/${blob}`, 1000);
    const source = { repository: "busybox", registry_mirror: { host: mirror.host } };
    const started = clock.now();
    const fetched = await hub.fetchImage(source, digest, { store, ...patient });
    expect(fetched).toMatchObject({ mirrored: false, host: peer.host });
    expect(clock.now() - started).toBeLessThanOrEqual(30_000);
    const fromMirror = layerRequests(mirror).length * 1000;
    expect(ranges()).toEqual([`bytes=${fromMirror}-`]);
    mirror.clearFaults();
    const again = await hub.fetchImage(source, digest, { store, ...patient });
    expect(again).toMatchObject({ mirrored: true, host: mirror.host });
  });
});

describe("two fetches of one image in one process", () => {
  test("get each blob once, whichever registry objects and stores they use", async () => {
    await using other = open();
    const second = createFileArtifactStore({ directory });
    const [first, again] = await Promise.all([
      fetchImage(),
      other.fetchImage(sourceAt(peer, "acme/app"), image.digest, { store: second, ...patient }),
    ]);
    expect(peer.counts.blob).toBe(2);
    expect(first.downloadedBytes + again.downloadedBytes).toBe(first.bytes + first.root.size);
  });

  test("are not ended by each other's abort, and lose nothing by it", async () => {
    const controller = new AbortController();
    peer.stallBodyAfter("GET", path(), 300_000, 1);
    const first = failureOf(fetchImage({ signal: controller.signal }));
    await expect.poll(() => layerRequests().length).toBe(1);
    const second = fetchImage();
    await expect.poll(() => peer.counts.manifestGet).toBe(2);
    controller.abort();
    expect((await first).code).toBe("FI_ABORTED");
    expect(await second).toMatchObject({ digest: image.digest });
    expect(await sizeOf(layer)).toBe(size);
  });
});
