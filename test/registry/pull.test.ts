import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArtifactStore, Digest } from "@fetch-image/core";
import { type ArtifactProgress, createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, type PushedImage, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MemoryArtifacts, memoryArtifacts } from "./memory-artifacts.ts";
import { failureOf, hasty, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
let store: MemoryArtifacts;
let image: PushedImage;
const linux = { os: "linux", architecture: "amd64" };
const login = { username: "alice", password: "s3cret" };

beforeEach(async () => {
  peer = await startEmbeddedRegistry({
    users: { alice: "s3cret" },
    private: [{ prefix: "private/", scheme: "bearer" }],
  });
  registry = createImageRegistry(hasty);
  store = memoryArtifacts();
  image = await peer.push("acme/app:1", { platforms: ["linux/amd64", "linux/arm64/v8"], layers: ["one", "two"] });
});

afterEach(async () => {
  await registry.close();
  await peer.close();
});

const fetchArtifact = (
  digest: Digest = image.digest,
  options: Partial<Parameters<OciRegistry["fetchArtifact"]>[2]> = {},
): ReturnType<OciRegistry["fetchArtifact"]> =>
  registry.fetchArtifact(sourceAt(peer, "acme/app"), digest, { store, ...patient, platform: linux, ...options });
const blobPath = (digest: string | undefined): string => `/v2/acme/app/blobs/${digest}`;

describe("fetchArtifact", () => {
  test("makes a layout of the one platform's image, every byte in the store", async () => {
    const artifact = await fetchArtifact();
    const manifestDigest = image.platforms["linux/amd64"];
    expect(artifact).toMatchObject({ digest: image.digest, manifestDigest, platform: linux });
    expect(artifact.directory).toBe(`/layouts/${manifestDigest}`);
    expect(store.layouts).toHaveLength(1);
    expect(store.layouts[0]?.blobs).toEqual(expect.arrayContaining([...image.layers]));
    const stored = [...store.blobs.values()].reduce((sum, { length }) => sum + length, 0);
    expect([artifact.bytes, artifact.downloadedBytes]).toEqual([stored, stored]);
    expect(peer.counts).toMatchObject({ manifestHead: 0, manifestGet: 2, blob: 3 });
  });

  test("takes the platform that is asked for, down to its variant", async () => {
    const platform = { os: "linux", architecture: "arm64" };
    expect(await fetchArtifact(image.digest, { platform })).toMatchObject({ platform: { ...platform, variant: "v8" } });
    const error = await failureOf(fetchArtifact(image.digest, { platform: { ...platform, variant: "v9" } }));
    expect(error).toMatchObject({
      code: "FI_PLATFORM_UNAVAILABLE",
      details: { platform: "linux/arm64/v9", available: ["linux/amd64", "linux/arm64/v8"] },
    });
    expect(peer.counts.blob).toBe(3);
  });

  test.each(["oci", "docker"] as const)(
    "takes a single %s image as it is, and reads its platform there",
    async (format) => {
      const one = await peer.push("acme/app:2", { format });
      const artifact = await fetchArtifact(one.digest, { platform: { os: "linux", architecture: "s390x" } });
      expect(artifact).toMatchObject({ manifestDigest: one.digest, platform: linux });
    },
  );

  test("downloads nothing that the store has already", async () => {
    await fetchArtifact();
    peer.clearRequests();
    const manifests = [image.digest, image.platforms["linux/amd64"] ?? image.digest];
    const sizes = manifests.map((digest) => store.blobs.get(digest)?.length ?? 0);
    expect(await fetchArtifact()).toMatchObject({ downloadedBytes: sizes.reduce((sum, size) => sum + size, 0) });
    expect(peer.counts).toMatchObject({ manifestGet: 2, blob: 0 });
  });

  test("downloads a blob that stands twice in the manifest once", async () => {
    const twice = await peer.push("acme/app:2", { layers: [{ a: "same" }, { a: "same" }] });
    expect(new Set(twice.layers).size).toBe(1);
    await fetchArtifact(twice.digest);
    expect(peer.counts.blob).toBe(2);
  });

  test("downloads a few blobs at the same time, not all", async () => {
    const many = await peer.push("acme/app:2", { layers: Array.from({ length: 12 }, (_, at) => `layer ${at}`) });
    let [active, mostAtOnce] = [0, 0];
    const slow: ArtifactStore = {
      ...store,
      async put(digest, bytes, options) {
        const slowly = async function* (): AsyncGenerator<Uint8Array> {
          for await (const chunk of typeof bytes === "function" ? bytes(0) : bytes) {
            mostAtOnce = Math.max(mostAtOnce, ++active);
            await sleep(20);
            active--;
            yield chunk;
          }
        };
        await store.put(digest, slowly, options);
      },
    };
    await fetchArtifact(many.digest, { store: slow });
    expect(mostAtOnce).toBe(4);
    expect(store.layouts).toHaveLength(1);
  });

  test("tells how far it is, up to the end", async () => {
    const seen: ArtifactProgress[] = [];
    await fetchArtifact(image.digest, { onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toMatchObject({ receivedBytes: 0, blobsDone: 0, blobsTotal: 3 });
    const last = seen.at(-1);
    expect(last).toMatchObject({ blobsDone: 3, receivedBytes: last?.totalBytes });
    expect(seen.map(({ receivedBytes }) => receivedBytes)).toEqual(
      seen.map((progress) => progress.receivedBytes).toSorted((a, b) => a - b),
    );
  });

  test("logs in once for manifests and blobs alike", async () => {
    const secret = await peer.push("private/app:1");
    await registry.fetchArtifact(sourceAt(peer, "private/app", login), secret.digest, { store, ...patient });
    expect(peer.counts.token).toBe(1);
  });

  test("follows a blob to where the registry keeps it, leaving the token behind", async () => {
    await using storage = await startEmbeddedRegistry();
    const secret = await peer.push("private/app:1");
    const same = await storage.push("bucket/x:1", { layers: ["private/app:1\n"] });
    expect(same.layers).toEqual(secret.layers);
    const [layer] = secret.layers;
    peer.redirect("GET", `/v2/private/app/blobs/${layer}`, `${storage.origin}/v2/bucket/x/blobs/${layer}?sig=abc`);
    const source = sourceAt(peer, "private/app", login);
    const error = await failureOf(registry.fetchArtifact(source, secret.digest, { store, ...patient }));
    expect(error.code).toBe("FI_REGISTRY_UNTRUSTED");
    expect(storage.requests).toHaveLength(0);
    await using trusting = createImageRegistry({ allowedRealms: [storage.origin] });
    await trusting.fetchArtifact(source, secret.digest, { store, ...patient });
    expect(storage.requests).toMatchObject([{ query: "?sig=abc", authorization: false, status: 200 }]);
  });
});

const fetchImage = (
  digest: Digest = image.digest,
  options: Partial<Parameters<OciRegistry["fetchImage"]>[2]> = {},
): ReturnType<OciRegistry["fetchImage"]> =>
  registry.fetchImage(sourceAt(peer, "acme/app"), digest, { store, ...patient, platform: linux, ...options });

describe("fetchImage", () => {
  test("tells what the digest names, which image of it was chosen, and what is in the store now", async () => {
    const fetched = await fetchImage();
    const manifestDigest = image.platforms["linux/amd64"] ?? image.digest;
    expect(fetched).toMatchObject({
      digest: image.digest,
      host: peer.host,
      mirrored: false,
      root: { digest: image.digest, mediaType: "application/vnd.oci.image.index.v1+json" },
      image: {
        manifest: { digest: manifestDigest, mediaType: "application/vnd.oci.image.manifest.v1+json" },
        layers: image.layers.map((digest) => ({ digest })),
        platform: linux,
      },
    });
    for (const manifest of [fetched.root, fetched.image.manifest]) {
      expect(store.blobs.get(manifest.digest)?.equals(manifest.bytes)).toBe(true);
      expect(manifest.size).toBe(manifest.bytes.length);
    }
    expect([...fetched.blobs].toSorted()).toEqual([...store.blobs.keys()].toSorted());
    expect(store.layouts).toHaveLength(0);
  });

  test("without layers gets the manifests and the config", async () => {
    const fetched = await fetchImage(image.digest, { content: "config only" });
    expect(peer.counts.blob).toBe(1);
    expect(fetched.blobs).toEqual([image.digest, fetched.image.manifest.digest, fetched.image.config.digest]);
    expect(fetched.image.platform).toEqual(linux);
  });

  test("gets every platform's image when that is asked for, each blob once", async () => {
    const fetched = await fetchImage(image.digest, { everyPlatform: true });
    expect(fetched.image.manifest.digest).toBe(image.platforms["linux/amd64"]);
    const children = Object.values(image.platforms);
    expect(fetched.blobs).toEqual(expect.arrayContaining([image.digest, ...children, ...image.layers]));
    expect(new Set(fetched.blobs).size).toBe(fetched.blobs.length);
    // Two layers in common, a config each.
    expect(peer.counts).toMatchObject({ manifestGet: 3, blob: 4 });
    expect(fetched.bytes).toBe([...store.blobs.values()].reduce((sum, { length }) => sum + length, 0));
  });

  test("of every platform names the image of the index that the registry lacks", async () => {
    const child = image.platforms["linux/arm64/v8"];
    peer.answerAlways("GET", `/v2/acme/app/manifests/${child}`, 404);
    expect(await fetchImage()).toMatchObject({ digest: image.digest });
    const error = await failureOf(fetchImage(image.digest, { everyPlatform: true }));
    expect(error.code).toBe("FI_IMAGE_UNKNOWN");
    expect(error.message).toContain(String(child));
  });

  test("gets indexes within the index, and attestations that are for no platform, and nothing that is no image", async () => {
    const nested = await peer.push("acme/app:2", { platforms: ["linux/s390x"], layers: ["three"] });
    const attestation = await peer.push("acme/app:3", { layers: ["signed"] });
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        await descriptorOf(image.platforms["linux/amd64"], { platform: linux }),
        await descriptorOf(nested.digest, { mediaType: "application/vnd.oci.image.index.v1+json" }),
        await descriptorOf(attestation.digest, { platform: { os: "unknown", architecture: "unknown" } }),
        { mediaType: "application/vnd.example+json", digest: `sha256:${"0".repeat(64)}`, size: 1 },
      ],
    });
    const digest: Digest = `sha256:${createHash("sha256").update(index).digest("hex")}`;
    peer.answerAlways("GET", `/v2/acme/app/manifests/${digest}`, 200, {}, index);
    const fetched = await fetchImage(digest, { everyPlatform: true });
    const expected = [digest, nested.digest, nested.platforms["linux/s390x"], attestation.digest, ...nested.layers];
    expect(fetched.blobs).toEqual(expect.arrayContaining(expected));
    expect(fetched.blobs).toEqual(expect.arrayContaining([...attestation.layers]));
    expect(fetched.image.manifest.digest).toBe(image.platforms["linux/amd64"]);
  });

  async function descriptorOf(digest: Digest | undefined, more: object): Promise<object> {
    const answer = await fetch(`${peer.origin}/v2/acme/app/manifests/${digest}`, { headers: { accept: anyManifest } });
    const size = Buffer.from(await answer.arrayBuffer()).length;
    return { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size, ...more };
  }
  const anyManifest = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

  test("of an index with more images than anybody has is refused before they are asked for", async () => {
    const manifests = Array.from({ length: 1_001 }, (_, at) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: `sha256:${at.toString(16).padStart(64, "0")}`,
      size: 1,
    }));
    const [first] = Object.values(image.platforms);
    const known = await descriptorOf(first, { platform: linux });
    const index = JSON.stringify({ schemaVersion: 2, manifests: [known, ...manifests] });
    const digest: Digest = `sha256:${createHash("sha256").update(index).digest("hex")}`;
    peer.answerAlways("GET", `/v2/acme/app/manifests/${digest}`, 200, {}, index);
    peer.clearRequests();
    const error = await failureOf(fetchImage(digest, { everyPlatform: true }));
    expect(error.code).toBe("FI_ANSWER_TOO_LARGE");
    expect(peer.counts.manifestGet).toBe(2);
  });

  test("gives the annotations of the image's manifest", async () => {
    const annotations = { "org.opencontainers.image.revision": "abc" };
    const { digest } = await peer.push("acme/app:2", { annotations });
    expect((await fetchImage(digest)).image.annotations).toEqual(annotations);
  });

  test("tells how far each blob is", async () => {
    await fetchArtifact((await peer.push("acme/app:2", { layers: ["one"] })).digest);
    const seen: ArtifactProgress[] = [];
    await fetchImage(image.digest, { onProgress: (progress) => seen.push(progress) });
    expect(seen[0]?.layers.map(({ state }) => state)).toEqual(["waiting", "waiting", "waiting"]);
    const last = seen.at(-1)?.layers ?? [];
    expect(last.map(({ digest }) => digest).slice(1)).toEqual([...image.layers]);
    expect(last.map(({ state }) => state)).toEqual(["done", "present", "done"]);
    for (const { receivedBytes, totalBytes } of last) expect(receivedBytes).toBe(totalBytes);
  });

  test("gets again what somebody has pruned meanwhile", async () => {
    const [layer = image.digest] = image.layers;
    let forgetful = true;
    const pruned: ArtifactStore = {
      ...store,
      async put(digest, ...rest) {
        if (digest === layer && forgetful) forgetful = false;
        else await store.put(digest, ...rest);
      },
    };
    await fetchImage(image.digest, { store: pruned });
    expect(store.blobs.has(layer)).toBe(true);
  });
});

describe("an image that is not what it was promised to be", () => {
  test("by its manifest is refused", async () => {
    peer.answerAlways("GET", `/v2/acme/app/manifests/${image.digest}`, 200, {}, "{}");
    const error = await failureOf(fetchArtifact());
    expect(error).toMatchObject({ code: "FI_DIGEST_MISMATCH", details: { host: peer.host, wanted: image.digest } });
    expect(store.blobs.size).toBe(0);
  });

  test("by a layer of the same length is refused, naming the host, and no layout is made", async () => {
    const [layer] = image.layers;
    peer.answerAlways("GET", blobPath(layer), 200, {}, Buffer.alloc(2048, "x"));
    const error = await failureOf(fetchArtifact());
    expect(error).toMatchObject({ code: "FI_DIGEST_MISMATCH", details: { host: peer.host } });
    expect(error.message).toContain(`${peer.host} sent other bytes as blob ${layer}`);
    expect(store.layouts).toHaveLength(0);
    expect([...store.blobs.keys()]).not.toContain(layer);
  });

  test.each([
    ["longer, by its own word", 4096],
    ["shorter, by its own word", 512],
  ])("by a layer that is %s is refused before a byte is read", async (_, length) => {
    const [layer] = image.layers;
    peer.answerAlways("GET", blobPath(layer), 200, {}, Buffer.alloc(length, "x"));
    const error = await failureOf(fetchArtifact());
    expect(error.message).toMatch(`announces ${length} bytes, its manifest promised 2048`);
  });

  test("by a layer without end is cut off at its promised size", async () => {
    peer.endlessBody("GET", blobPath(image.layers[0]));
    const error = await failureOf(fetchArtifact());
    expect(error).toMatchObject({ code: "FI_DIGEST_MISMATCH" });
    expect(error.message).toContain("does not end, its manifest promised 2048");
  });

  test("by a layer that is cut is worth another try", async () => {
    peer.cutBodyAfter("GET", blobPath(image.layers[0]), 100);
    const error = await failureOf(fetchArtifact());
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNREACHABLE", retryable: true });
    peer.clearFaults();
    expect(await fetchArtifact()).toMatchObject({ digest: image.digest });
  });

  test("by an index within an index without end is refused", async () => {
    const nested = (child: string, size: number): Buffer =>
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: [{ mediaType: "application/vnd.oci.image.index.v1+json", digest: child, size, platform: linux }],
        }),
      );
    let [digest, body]: [Digest, Buffer] = [image.digest, Buffer.alloc(0)];
    for (let depth = 0; depth < 5; depth++) {
      body = nested(digest, depth === 0 ? 1 : body.length);
      digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
      peer.answerAlways("GET", `/v2/acme/app/manifests/${digest}`, 200, {}, body);
    }
    expect((await failureOf(fetchArtifact(digest))).message).toContain("an index within an index within an index");
  });
});

describe("a fetch that fails", () => {
  test.each([
    [401, "FI_UNAUTHORIZED"],
    [403, "FI_FORBIDDEN"],
    [404, "FI_IMAGE_UNKNOWN"],
    [429, "FI_RATE_LIMITED"],
    [500, "FI_REGISTRY_UNAVAILABLE"],
  ] as const)("with %i for a blob is %s", async (status, code) => {
    peer.answerAlways("GET", blobPath(image.layers[1]), status, { "retry-after": "2" });
    const error = await failureOf(fetchArtifact());
    expect(error).toMatchObject({ code, details: { host: peer.host, status } });
    expect(error.message).toContain(`blob ${image.layers[1]} of ${peer.host}/acme/app`);
    expect(store.layouts).toHaveLength(0);
  });

  test("because the digest is gone says so", async () => {
    const digest: Digest = `sha256:${"0".repeat(64)}`;
    const error = await failureOf(fetchArtifact(digest));
    expect(error).toMatchObject({ code: "FI_IMAGE_UNKNOWN", details: { subject: `${peer.host}/acme/app@${digest}` } });
  });

  test("in one blob ends the others, and its own error is the one that is seen", async () => {
    peer.hang("GET", blobPath(image.layers[0]));
    peer.answerAlways("GET", blobPath(image.layers[1]), 403);
    await using slow = createImageRegistry();
    const started = performance.now();
    const failing = slow.fetchArtifact(sourceAt(peer, "acme/app"), image.digest, {
      store,
      ...patient,
      platform: linux,
    });
    expect((await failureOf(failing)).code).toBe("FI_FORBIDDEN");
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test("because the store is full leaves no connection stuck", async () => {
    store.failWith(new Error("disk full"));
    await expect(fetchArtifact()).rejects.toThrow("disk full");
    expect(await registry.resolve(sourceAt(peer, "acme/app"), "1", patient)).toBeDefined();
  });

  test("because it is aborted ends at once", async () => {
    peer.stallBodyAfter("GET", blobPath(image.layers[0]), 10);
    await using slow = createImageRegistry();
    const controller = new AbortController();
    const options = { store, signal: controller.signal, platform: linux };
    const failing = failureOf(slow.fetchArtifact(sourceAt(peer, "acme/app"), image.digest, options));
    await expect.poll(() => peer.counts.blob).toBeGreaterThan(1);
    controller.abort();
    expect((await failing).code).toBe("FI_ABORTED");
    expect(store.layouts).toHaveLength(0);
  });

  test("at a mirror is done at the registry itself", async () => {
    await using mirror = await startEmbeddedRegistry();
    await using hub = createImageRegistry({ ...hasty, endpoints: { "docker.io": peer.origin } });
    const { digest } = await peer.push("library/busybox:1");
    await mirror.push("library/busybox:1");
    mirror.answerAlways("GET", /\/blobs\//, 500);
    const source = { repository: "busybox", registry_mirror: { host: mirror.host } };
    expect(await hub.fetchArtifact(source, digest, { store, ...patient })).toMatchObject({ digest });
    expect(mirror.counts.blob).toBeGreaterThan(0);
    expect(peer.counts.blob).toBe(2);
  });
});
