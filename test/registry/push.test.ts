// Against a registry that misbehaves on command, and artifacts that are no images.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import {
  createImageRegistry,
  type ImageToPush,
  type OciRegistry,
  type PushedImage,
  readArtifact,
} from "@fetch-image/registry";
import { buildImage, type BuiltImage } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type PushRegistry, startPushRegistry } from "../support/push-registry.ts";
import { scratch, type Scratch } from "../support/scratch.ts";
import { type InstantClock, instantClock } from "./instant-clock.ts";
import { failureOf, patient, sourceAt } from "./support.ts";
import { tarOf } from "./tar-builder.ts";

let peer: PushRegistry;
let registry: OciRegistry;
let clock: InstantClock;
let files: Scratch;

beforeEach(async () => {
  peer = await startPushRegistry();
  clock = instantClock();
  registry = createImageRegistry({ clock, random: () => 0.5 });
  files = scratch("push");
});

afterEach(async () => {
  await registry.close();
  await peer[Symbol.asyncDispose]();
  files[Symbol.dispose]();
});

const built = buildImage({ layers: [{ "bin/tool": "0123456789".repeat(100_000) }, "second"] });
const [layer = built.digest] = built.layers;
const layerSize = built.blobs[0]?.bytes.length ?? 0;

const push = (image: ImageToPush, options: Partial<Parameters<OciRegistry["push"]>[2]> = {}): Promise<PushedImage> =>
  registry.push(sourceAt(peer, "built/tool"), image, { ...patient, ...options });
const uploads = (): readonly string[] =>
  peer.requests
    .filter(({ method }) => method === "PUT" || method === "PATCH")
    .map(({ method, contentRange, bytes }) => `${method} ${contentRange ?? bytes}`);

describe("a push", () => {
  test("sends blobs, manifest and tag, and gives the reference that a kubelet pulls", async () => {
    const pushed = await push(inMemory(built), { tag: "b42" });
    expect(pushed).toEqual({
      reference: `${peer.host}/built/tool:b42@${built.digest}`,
      digest: built.digest,
      host: peer.host,
      blobs: { present: 0, mounted: 0, uploaded: 3 },
      uploadedBytes: built.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0),
    });
    for (const { digest, bytes } of built.blobs) expect(peer.blobs.get(digest)?.equals(bytes)).toBe(true);
    expect(peer.manifests.get("b42")).toEqual(peer.manifests.get(built.digest));
  });

  test("of what is there already costs one question", async () => {
    await push(inMemory(built));
    peer.requests.length = 0;
    expect(await push(inMemory(built))).toMatchObject({ blobs: { present: 3, uploaded: 0 }, uploadedBytes: 0 });
    expect(peer.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("of an index sends each of its images before it", async () => {
    const index = buildImage({ platforms: ["linux/amd64", "linux/arm64"] });
    await push(inMemory(index));
    const order = peer.requests.filter(({ method, path }) => method === "PUT" && path.includes("/manifests/"));
    expect(order.map(({ path }) => path.slice(path.lastIndexOf("/") + 1))).toEqual(
      index.manifests.map(({ digest }) => digest),
    );
  });

  test("mounts the blobs that another repository has, and sends the rest", async () => {
    await push(inMemory(buildImage({ layers: ["shared"] })));
    const image = inMemory(buildImage({ layers: ["own", { "layer-1.txt": "shared" }] }));
    const pushed = await registry.push(sourceAt(peer, "other/tool"), image, {
      ...patient,
      mountFrom: ["nobody/knows", "built/tool"],
    });
    expect(pushed.blobs).toEqual({ present: 0, mounted: 1, uploaded: 2 });
  });
});

describe("an upload that breaks off", () => {
  test("goes on behind what the registry has", async () => {
    peer.misbehave("PUT", "/blobs/uploads/", { cutAfter: 300_000 });
    await push(inMemory(built, [layer]));
    expect(
      uploads()
        .filter((upload) => !upload.endsWith(" 0"))
        .slice(0, 2),
    ).toEqual(["PUT 300000", `PATCH 300000-${layerSize - 1}`]);
    expect(peer.blobs.get(layer)?.length).toBe(layerSize);
    expect(clock.waits).toEqual([375]);
  });

  test("begins anew where the registry does not tell how far it came", async () => {
    peer.resumes = false;
    peer.misbehave("PUT", "/blobs/uploads/", { cutAfter: 300_000 });
    await push(inMemory(built, [layer]));
    expect(uploads().slice(0, 2)).toEqual(["PUT 300000", `PUT ${layerSize}`]);
  });

  test("begins anew where the registry has lost count", async () => {
    peer.misbehave("PUT", "/blobs/uploads/", { cutAfter: 300_000 });
    peer.misbehave("PATCH", "/blobs/uploads/", { answer: 416 });
    await push(inMemory(built, [layer]));
    expect(peer.blobs.get(layer)?.length).toBe(layerSize);
  });
});

describe("a registry that is busy", () => {
  test.each([
    ["POST", 503],
    ["PUT", 500],
    ["HEAD", 502],
  ])("is asked again (%s, %d)", async (method, answer) => {
    peer.misbehave(method, "/blobs/", { answer }, { answer });
    await push(inMemory(built, [layer]));
    expect(peer.manifests.has(built.digest)).toBe(true);
  });

  test("is left alone as long as it asks for", async () => {
    peer.misbehave("PUT", "/manifests/", { answer: 429, headers: { "retry-after": "20" } });
    await push(inMemory(built));
    expect(clock.waits).toEqual([20_000]);
  });

  test("for longer than the patience ends the push, and the error says until when", async () => {
    peer.misbehave("POST", "/blobs/", ...Array.from({ length: 40 }, () => ({ answer: 503 })));
    const error = await failureOf(push(inMemory(built, [layer])));
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNAVAILABLE", retryable: false });
    expect(error.message).toContain(peer.host);
  });
});

describe("the place of an upload", () => {
  test("may be an absolute URL, or have a query of its own, which stays as it is", async () => {
    peer.location = (path) => `${peer.origin}${path}?_state=a%2Bb%3D%3D&x=1+2`;
    await push(inMemory(built, [layer]));
    const put = peer.requests.find(({ method, path }) => method === "PUT" && path.includes("/blobs/"));
    expect(put?.query).toBe(`?_state=a+b==&x=1+2&digest=${layer}`);
  });

  test("on another host is not given the registry's login", async () => {
    await using elsewhere = await startPushRegistry();
    await using trusting = createImageRegistry({ clock, allowedRealms: [elsewhere.origin] });
    peer.misbehave("HEAD", "/manifests/", { answer: 401, headers: { "www-authenticate": "Basic realm=x" } });
    const begun = await startUpload(elsewhere);
    peer.misbehave("POST", "/blobs/", { answer: 202, headers: { location: `${elsewhere.origin}${begun}` } });
    const source = sourceAt(peer, "built/tool", { username: "alice", password: "s3cret" });
    await trusting.push(source, inMemory(built, [layer]), patient);
    expect(peer.requests.some(({ authorization }) => authorization)).toBe(true);
    expect(
      elsewhere.requests.filter(({ method }) => method === "PUT").map(({ authorization }) => authorization),
    ).toEqual([false]);
    expect(elsewhere.blobs.get(layer)?.length).toBe(layerSize);
  });

  test("on a private address that nobody allowed is refused", async () => {
    peer.misbehave("POST", "/blobs/", { answer: 202, headers: { location: "http://10.0.0.1/steal" } });
    expect(await failureOf(push(inMemory(built, [layer])))).toMatchObject({ code: "FI_REGISTRY_UNTRUSTED" });
  });

  test("that is not told is an error", async () => {
    peer.misbehave("POST", "/blobs/", { answer: 202 });
    expect(await failureOf(push(inMemory(built, [layer])))).toMatchObject({ code: "FI_REGISTRY_PROTOCOL" });
  });
});

describe("bytes that are others than they should be", () => {
  test("never reach the registry whole", async () => {
    const changed = inMemory(built, [layer], (bytes) => Buffer.from(bytes).fill(120, 500));
    expect(await failureOf(push(changed))).toMatchObject({ code: "FI_DIGEST_MISMATCH" });
    expect(peer.blobs.size).toBe(0);
    expect(peer.manifests.size).toBe(0);
  });

  test.each([
    ["a blob", "/blobs/uploads/"],
    ["the manifest", "/manifests/"],
  ])("as the registry says that it has got %s, are an error", async (_, path) => {
    peer.misbehave("PUT", path, { answer: 201, headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` } });
    expect(await failureOf(push(inMemory(built, [layer])))).toMatchObject({ code: "FI_DIGEST_MISMATCH" });
  });
});

describe("a refusal", () => {
  test.each([
    [403, "FI_FORBIDDEN", /the right to push to built\/tool/],
    [401, "FI_UNAUTHORIZED", /the right to push to built\/tool/],
    [405, "FI_REGISTRY_PROTOCOL", /takes no pushes/],
  ])("%d says what is missing", async (answer, code, hint) => {
    peer.misbehave("POST", "/blobs/", { answer });
    const error = await failureOf(push(inMemory(built, [layer])));
    expect(error).toMatchObject({ code, retryable: false });
    expect(error.hint).toMatch(hint);
  });
});

describe("what a step has built", () => {
  const artifact = () => readArtifact(files.directory, patient);

  test("without an image is told to hold none", async () => {
    writeFileSync(files.path("README.md"), "hello");
    const error = await failureOf(artifact());
    expect(error).toMatchObject({ code: "FI_ARTIFACT_INVALID" });
    expect(error.message).toContain("no OCI layout, no image.tar and no rootfs directory");
  });

  test("that is not there is an error, not an exception", async () => {
    expect(await failureOf(readArtifact(files.path("nowhere"), patient))).toMatchObject({
      code: "FI_ARTIFACT_INVALID",
    });
  });

  test.each([
    ["image.tar", "garbage", /is no whole tar archive/],
    ["image.tar", tarOf([{ name: "etc/passwd", content: "x" }]), /neither index.json nor manifest.json/],
    ["image.tar", tarOf([{ name: "manifest.json", content: "[]" }]), /not what docker save writes/],
    [
      "image.tar",
      tarOf([{ name: "manifest.json", content: `[{"Config":"c","Layers":[]},{"Config":"d","Layers":[]}]` }]),
      /holds 2 images/,
    ],
    [
      "image.tar",
      tarOf([{ name: "manifest.json", content: `[{"Config":"c","Layers":[]}]` }]),
      /c" of the artifact is missing/,
    ],
    ["index.json", "{", /is no index of an OCI layout/],
    ["index.json", `{"manifests":[]}`, /lists no image/],
    ["index.json", layoutIndex([built, built]), /only one can be run/],
    ["index.json", layoutIndex([built]), /blobs\/sha256\/[0-9a-f]{64}" of the artifact is missing/],
  ])("as %s that is wrong is refused, saying how (%#)", async (name, content, says) => {
    writeFileSync(files.path(name), content);
    const error = await failureOf(artifact());
    expect(error).toMatchObject({ code: "FI_ARTIFACT_INVALID" });
    expect(error.message).toMatch(says);
  });

  test("is never read beyond its own directory", async () => {
    using outside = scratch("outside");
    writeFileSync(outside.path("secret.tar"), tarOf([{ name: "manifest.json", content: "[]" }]));
    symlinkSync(outside.path("secret.tar"), files.path("image.tar"));
    expect((await failureOf(artifact())).message).toMatch(/is a link to outside of it/);
  });

  test("as a root file system has the same digest wherever and whenever it is made", async () => {
    using other = scratch("again");
    const digests: string[] = [];
    for (const made of [files, other]) {
      mkdirSync(made.path("rootfs", "bin"), { recursive: true });
      // In another order, and later.
      for (const name of made === files ? ["a", "b"] : ["b", "a"])
        writeFileSync(made.path("rootfs", "bin", name), name);
      writeFileSync(made.path("metadata.json"), `{"env":["A=1"],"user":"nobody"}`);
      digests.push((await readArtifact(made.directory, patient)).digest);
    }
    expect(digests[1]).toBe(digests[0]);
  });

  test("as a root file system with a name that deletes files in a layer is refused", async () => {
    mkdirSync(files.path("rootfs"));
    writeFileSync(files.path("rootfs", ".wh.passwd"), "");
    expect((await failureOf(artifact())).message).toMatch(/deletes another in a layer/);
  });
});

/** The image as it lies in memory, or only these blobs of it. */
function inMemory(
  image: BuiltImage,
  only?: readonly string[],
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
): ImageToPush {
  const blobs = image.blobs
    .filter(({ digest }) => only?.includes(digest) ?? true)
    .map(({ digest, mediaType, bytes }) => ({
      digest,
      mediaType,
      size: bytes.length,
      async *open(from: number) {
        const content = change(bytes);
        for (let at = from; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
      },
    }));
  const manifests = image.manifests.map((manifest) => ({ ...manifest, size: manifest.bytes.length }));
  return { digest: image.digest, manifests, blobs };
}

function layoutIndex(images: readonly BuiltImage[]): string {
  const manifests = images.flatMap((image) =>
    image.manifests.map(({ mediaType, digest, bytes }) => ({ mediaType, digest, size: bytes.length })),
  );
  return JSON.stringify({ schemaVersion: 2, manifests });
}

/** Begins an upload there, and gives its path. */
async function startUpload({ origin }: PushRegistry): Promise<string> {
  const answer = await fetch(`${origin}/v2/built/tool/blobs/uploads/`, { method: "POST" });
  return answer.headers.get("location") ?? "";
}
