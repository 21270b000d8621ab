import { createHash, randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "@fetch-image/core/fetching";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFileArtifactStore } from "./artifact-store.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fetch-image-artifacts-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const { signal } = new AbortController();

test("what is put is read back, under its digest", async () => {
  const store = createFileArtifactStore({ directory });
  const bytes = randomBytes(300_000);
  await store.put(digestOf(bytes), chunks(bytes), { size: bytes.length, signal });
  expect(await store.has(digestOf(bytes))).toBe(true);
  expect(await all(store.read(digestOf(bytes)))).toEqual(bytes);
});

test.each([
  ["bytes that hash to something else", (bytes: Buffer) => chunks(Buffer.from(bytes).fill(0, 0, 1)), undefined],
  ["too many bytes", (bytes: Buffer) => chunks(Buffer.concat([bytes, bytes])), 1000],
  ["too few bytes", (bytes: Buffer) => chunks(bytes.subarray(1)), 1000],
])("keeps nothing of %s", async (_, given, size) => {
  const store = createFileArtifactStore({ directory });
  const bytes = Buffer.alloc(1000, "x");
  const digest = digestOf(bytes);
  const putting = store.put(digest, given(bytes), { ...(size === undefined ? {} : { size }), signal });
  await expect(putting).rejects.toMatchObject({ code: "FI_DIGEST_MISMATCH", details: { digest } });
  expect(await store.has(digest)).toBe(false);
  expect(filesBelow(directory)).toEqual([]);
});

test("keeps nothing where the source breaks off or the caller aborts", async () => {
  const store = createFileArtifactStore({ directory });
  const bytes = Buffer.alloc(1000, "x");
  async function* broken(): AsyncIterable<Uint8Array> {
    yield bytes.subarray(0, 500);
    throw new Error("connection reset");
  }
  await expect(store.put(digestOf(bytes), broken(), { signal })).rejects.toThrow("connection reset");
  const aborted = AbortSignal.abort();
  await expect(store.put(digestOf(bytes), chunks(bytes), { signal: aborted })).rejects.toMatchObject({
    code: "FI_ABORTED",
  });
  expect(filesBelow(directory)).toEqual([]);
});

test("many writers of one blob all succeed, and one file stands", async () => {
  const bytes = randomBytes(200_000);
  const stores = Array.from({ length: 8 }, () => createFileArtifactStore({ directory }));
  await Promise.all(stores.map((store) => store.put(digestOf(bytes), chunks(bytes), { signal })));
  expect(filesBelow(directory)).toEqual([join("blobs", "sha256", digestOf(bytes).slice(7))]);
});

test("bytes that are wrong are refused also where the right ones stand already", async () => {
  const store = createFileArtifactStore({ directory });
  const bytes = Buffer.alloc(1000, "x");
  await store.put(digestOf(bytes), chunks(bytes), { signal });
  const wrong = store.put(digestOf(bytes), chunks(Buffer.alloc(1000, "y")), { signal });
  await expect(wrong).rejects.toMatchObject({ code: "FI_DIGEST_MISMATCH" });
  expect(await all(store.read(digestOf(bytes)))).toEqual(bytes);
});

test("a put ends as soon as its signal aborts, though the source is silent, and lets the source go", async () => {
  const store = createFileArtifactStore({ directory });
  const controller = new AbortController();
  let left = false;
  const silent: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        setTimeout(() => controller.abort(), 10);
        return new Promise(() => undefined);
      },
      return: async () => {
        left = true;
        return { done: true, value: undefined };
      },
    }),
  };
  const putting = store.put(digestOf(Buffer.from("x")), silent, { signal: controller.signal });
  await expect(putting).rejects.toMatchObject({ code: "FI_ABORTED" });
  expect(left).toBe(true);
  expect(filesBelow(directory)).toEqual([]);
});

test("nothing can be written to a blob, and one that the disk has spoilt is told while it is read", async () => {
  const store = createFileArtifactStore({ directory });
  const bytes = randomBytes(100_000);
  await store.put(digestOf(bytes), chunks(bytes), { signal });
  const path = join(directory, "blobs", "sha256", digestOf(bytes).slice(7));
  expect(statSync(path).mode & 0o222).toBe(0);
  rmSync(path);
  writeFileSync(path, randomBytes(100_000));
  await expect(all(store.read(digestOf(bytes)))).rejects.toMatchObject({ code: "FI_DIGEST_MISMATCH" });
});

test("a digest that is none leads nowhere", async () => {
  const store = createFileArtifactStore({ directory });
  for (const text of ["sha256:../../etc/passwd", "", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e"]) {
    const digest: Digest = JSON.parse(JSON.stringify(text));
    await expect(store.has(digest)).rejects.toMatchObject({ code: "FI_IMAGE_UNKNOWN" });
    await expect(all(store.read(digest))).rejects.toMatchObject({ code: "FI_IMAGE_UNKNOWN" });
    await expect(store.put(digest, chunks(Buffer.from("x")), { signal })).rejects.toMatchObject({
      code: "FI_IMAGE_UNKNOWN",
    });
  }
});

test("sha512 is taken as well", async () => {
  const store = createFileArtifactStore({ directory });
  const bytes = Buffer.from("x");
  const digest: Digest = `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
  await store.put(digest, chunks(bytes), { signal });
  expect(await all(store.read(digest))).toEqual(bytes);
});

test("what nobody has written to for a day is removed, what another is writing now is not", async () => {
  const folder = join(directory, "partials");
  mkdirSync(folder, { recursive: true });
  for (const name of ["old.part", "old.left", "new.part"]) writeFileSync(join(folder, name), "");
  for (const name of ["old.part", "old.left"]) utimesSync(join(folder, name), new Date(0), new Date(0));
  const store = createFileArtifactStore({ directory });
  const bytes = Buffer.from("x");
  await store.put(digestOf(bytes), chunks(bytes), { signal });
  expect(readdirSync(folder)).toEqual(["new.part"]);
});

test("an absent blob is named, with the store", async () => {
  const store = createFileArtifactStore({ directory });
  const digest = digestOf(Buffer.from("absent"));
  await expect(all(store.read(digest))).rejects.toMatchObject({
    code: "FI_IMAGE_UNKNOWN",
    message: expect.stringContaining(digest),
  });
});

test("a layout is complete, costs no second copy, and is made once however many ask", async () => {
  const store = createFileArtifactStore({ directory });
  const manifest = Buffer.from("{}");
  const layer = randomBytes(1000);
  for (const bytes of [manifest, layer]) await store.put(digestOf(bytes), chunks(bytes), { signal });
  const wanted = {
    digest: digestOf(manifest),
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    size: manifest.length,
    blobs: [digestOf(layer)],
  };
  const paths = new Set(await Promise.all([1, 2, 3].map(() => store.layout(wanted))));
  expect(paths.size).toBe(1);
  const [path = ""] = paths;
  expect(readFileSync(join(path, "oci-layout"), "utf8")).toBe('{"imageLayoutVersion":"1.0.0"}');
  const index: unknown = JSON.parse(readFileSync(join(path, "index.json"), "utf8"));
  expect(index).toMatchObject({ schemaVersion: 2, manifests: [{ digest: wanted.digest, size: 2 }] });
  const blob = join("blobs", "sha256", digestOf(layer).slice(7));
  expect(statSync(join(path, blob)).ino).toBe(statSync(join(directory, blob)).ino);
  expect(filesBelow(directory).filter((file) => file.includes(".part"))).toEqual([]);
});

test("other annotations make another layout", async () => {
  const store = createFileArtifactStore({ directory });
  const manifest = Buffer.from("{}");
  await store.put(digestOf(manifest), chunks(manifest), { signal });
  const wanted = { digest: digestOf(manifest), mediaType: "x", size: 2, blobs: [] };
  const annotations = { "org.opencontainers.image.ref.name": "v1" };
  const plain = await store.layout(wanted);
  const named = await store.layout({ ...wanted, annotations });
  expect(named).not.toBe(plain);
  expect(await store.layout({ ...wanted, annotations })).toBe(named);
  const index: unknown = JSON.parse(readFileSync(join(named, "index.json"), "utf8"));
  expect(index).toMatchObject({ manifests: [{ annotations }] });
});

test("an index with more of its images is another layout", async () => {
  const store = createFileArtifactStore({ directory });
  const [index, child] = [Buffer.from("{}"), Buffer.from("child")];
  for (const bytes of [index, child]) await store.put(digestOf(bytes), chunks(bytes), { signal });
  const wanted = { digest: digestOf(index), mediaType: "application/vnd.oci.image.index.v1+json", size: 2 };
  const some = await store.layout({ ...wanted, blobs: [] });
  const whole = await store.layout({ ...wanted, blobs: [digestOf(child)] });
  expect(filesBelow(some)).toHaveLength(3);
  expect(filesBelow(whole)).toHaveLength(4);
});

test("a layout whose blob is missing is not there at all", async () => {
  const store = createFileArtifactStore({ directory });
  const digest = digestOf(Buffer.from("absent"));
  const making = store.layout({ digest, mediaType: "x", size: 1, blobs: [] });
  await expect(making).rejects.toMatchObject({ code: "FI_IMAGE_UNKNOWN", details: { digest } });
  expect(filesBelow(directory)).toEqual([]);
});

test("a directory that is a file is refused by name", async () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  const store = createFileArtifactStore({ directory: file });
  const bytes = Buffer.from("x");
  await expect(store.put(digestOf(bytes), chunks(bytes), { signal })).rejects.toMatchObject({
    code: "FI_STORE_UNREADABLE",
    message: expect.stringContaining(file),
  });
});

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function* chunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
