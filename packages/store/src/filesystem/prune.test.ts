import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArtifactStore, Digest } from "@fetch-image/core/fetching";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFileArtifactStore } from "./artifact-store.ts";
import { draftName } from "./drafts.ts";
import { pruneArtifacts, type PruneOptions } from "./prune.ts";

const hour = 60 * 60_000;
const day = 24 * hour;
const now = Date.now();

let directory: string;
let store: ArtifactStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fetch-image-prune-"));
  store = createFileArtifactStore({ directory });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const { signal } = new AbortController();
const prune = (keep: PruneOptions["keep"], options: Partial<PruneOptions> = {}): ReturnType<typeof pruneArtifacts> =>
  pruneArtifacts({ directory, keep, now, ...options });

/** Puts a blob, last used so long ago. */
async function put(content: number | object, ageMs: number): Promise<Digest> {
  const bytes = typeof content === "number" ? randomBytes(content) : Buffer.from(JSON.stringify(content));
  const digest: Digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await store.put(digest, () => once(bytes), { size: bytes.length, signal });
  age(pathOf(digest), ageMs);
  return digest;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function pathOf(digest: Digest): string {
  return join(directory, "blobs", "sha256", digest.slice(7));
}

function age(path: string, ageMs: number): void {
  const used = new Date(now - ageMs);
  utimesSync(path, used, used);
}

const present = (...digests: readonly Digest[]): boolean[] => digests.map((digest) => existsSync(pathOf(digest)));

describe("pruning keeps", () => {
  test("what was used lately, and says what else it removed", async () => {
    const [old, young] = [await put(1000, 8 * day), await put(2000, 6 * day)];
    expect(await prune({ usedWithinMs: 7 * day })).toEqual({
      removed: { blobs: 1, layouts: 0, partials: 0 },
      removedBytes: 1000,
      kept: { blobs: 1, layouts: 0, partials: 0 },
      keptBytes: 2000,
    });
    expect(present(old, young)).toEqual([false, true]);
  });

  test("what was used last, up to a size; what does not fit goes, and a smaller one may stay", async () => {
    const [small, huge, large] = [await put(10, 4 * day), await put(5000, 3 * day), await put(500, 2 * day)];
    expect(await prune({ bytes: 600 })).toMatchObject({ removedBytes: 5000, keptBytes: 510 });
    expect(present(small, huge, large)).toEqual([true, false, true]);
  });

  test("what any of the rules asks for, and counts it all against the size", async () => {
    const [named, recent, other] = [await put(400, 9 * day), await put(300, day), await put(200, 2 * day)];
    await prune({ usedWithinMs: 1.5 * day, digests: [named], bytes: 800 });
    expect(present(named, recent, other)).toEqual([true, true, false]);
  });

  test("with the digest of an index everything that it leads to", async () => {
    const [layer, config, alien] = [
      await put(100, 9 * day),
      await put({ os: "linux" }, 9 * day),
      await put(100, 9 * day),
    ];
    const manifest = await put({ config: { digest: config }, layers: [{ digest: layer }] }, 9 * day);
    const index = await put({ manifests: [{ digest: manifest }, { digest: 7 }, null] }, 9 * day);
    await prune({ digests: [index] });
    expect(present(index, manifest, config, layer, alien)).toEqual([true, true, true, true, false]);
  });

  test("nothing where no rule asks for it, but for what may just be in use", async () => {
    const [old, fresh] = [await put(100, 2 * hour), await put(100, 0.5 * hour)];
    await prune({});
    expect(present(old, fresh)).toEqual([false, true]);
    await prune({}, { graceMs: 0.1 * hour });
    expect(present(fresh)).toEqual([false]);
  });

  test("a blob that was asked for or read meanwhile: both are uses", async () => {
    const [asked, read, old] = [await put(100, 9 * day), await put(100, 9 * day), await put(100, 9 * day)];
    expect(await store.has(asked)).toBe(true);
    for await (const _ of store.read(read));
    await prune({ usedWithinMs: day }, { now: Date.now() });
    expect(present(asked, read, old)).toEqual([true, true, false]);
  });

  test("everything in a dry run, telling the same", async () => {
    await put(1000, 8 * day);
    await put(2000, 6 * day);
    const told = await prune({ usedWithinMs: 7 * day }, { dryRun: true });
    expect(told).toMatchObject({ removedBytes: 1000, keptBytes: 2000 });
    expect(await prune({ usedWithinMs: 7 * day })).toEqual(told);
  });
});

describe("a layout", () => {
  async function layoutOf(digest: Digest, ageMs: number): Promise<string> {
    const path = await store.layout({ digest, mediaType: "x", size: 1, blobs: [] });
    age(path, ageMs);
    age(pathOf(digest), 9 * day);
    return path;
  }

  test("that stays keeps its blobs though the store loses them; the disk has nothing back, and is told so", async () => {
    const digest = await put(1000, 9 * day);
    const layout = await layoutOf(digest, 9 * day);
    age(layout, hour / 2);
    expect(await prune({})).toMatchObject({
      removed: { blobs: 1, layouts: 0 },
      removedBytes: 0,
      keptBytes: 1000 + sizesIn(layout),
    });
    expect(readdirSync(join(layout, "blobs", "sha256"))).toEqual([digest.slice(7)]);
  });

  test("goes as a whole, and its blobs' bytes are counted once", async () => {
    const layout = await layoutOf(await put(1000, 9 * day), 9 * day);
    const sizes = sizesIn(layout);
    const pruned = await prune({ usedWithinMs: day });
    expect(pruned).toMatchObject({ removed: { blobs: 1, layouts: 1 }, removedBytes: 1000 + sizes, keptBytes: 0 });
    expect(existsSync(layout)).toBe(false);
    expect(readdirSync(join(directory, "layouts"))).toEqual([]);
  });

  test("is kept by the digest of its image", async () => {
    const layout = await layoutOf(await put(1000, 9 * day), 9 * day);
    const other = await layoutOf(await put(1000, 9 * day), 9 * day);
    const [kept = ""] = readdirSync(join(layout, "blobs", "sha256"));
    await prune({ digests: [`sha256:${kept}`] });
    expect([existsSync(layout), existsSync(other)]).toEqual([true, false]);
  });

  test("of a further folder is treated alike", async () => {
    const folder = join(directory, "elsewhere");
    for (const [name, ageMs] of [
      ["old", 9 * day],
      ["younger", day],
    ] as const) {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "file"), "12345");
      age(join(folder, name), ageMs);
    }
    for (const [name, ageMs] of [
      ["made-now.part", 2 * hour],
      ["forgotten.part", 9 * day],
    ] as const) {
      mkdirSync(join(folder, name));
      age(join(folder, name), ageMs);
    }
    const pruned = await prune({ usedWithinMs: hour }, { folders: [folder] });
    expect(pruned).toMatchObject({ removed: { layouts: 2, partials: 1 }, removedBytes: 10 });
    expect(readdirSync(folder)).toEqual(["made-now.part"]);
  });

  const sizesIn = (layout: string): number =>
    ["oci-layout", "index.json"].reduce((sum, name) => sum + statSync(join(layout, name)).size, 0);
});

describe("what is being written", () => {
  test("is never removed, however old; what nobody writes any more goes like a blob", async () => {
    const partials = join(directory, "partials");
    mkdirSync(partials, { recursive: true });
    const busy = draftName(join(partials, `sha256-${"1".repeat(64)}`));
    const left = `${draftName(join(partials, `sha256-${"2".repeat(64)}`)).slice(0, -5)}.left`;
    for (const path of [busy, left]) {
      writeFileSync(path, "12345");
      age(path, 9 * day);
    }
    expect(await prune({})).toMatchObject({ removed: { partials: 1 }, removedBytes: 5, kept: { partials: 1 } });
    expect([existsSync(busy), existsSync(left)]).toEqual([true, false]);
  });
});

test("bytes that somebody outside the store has too are not counted as freed", async () => {
  const digest = await put(1000, 9 * day);
  linkSync(pathOf(digest), join(directory, "mine"));
  expect(await prune({})).toMatchObject({ removed: { blobs: 1 }, removedBytes: 0 });
});

test("a store that is not there holds nothing, and is not made", async () => {
  const absent = join(directory, "absent");
  expect(await pruneArtifacts({ directory: absent, keep: {} })).toMatchObject({ removedBytes: 0, keptBytes: 0 });
  expect(existsSync(absent)).toBe(false);
});

test("what is no part of a store is left alone", async () => {
  mkdirSync(join(directory, "blobs", "sha256"), { recursive: true });
  const paths = [join(directory, "notes.txt"), join(directory, "blobs", "sha256", "notes.txt")];
  for (const path of paths) {
    writeFileSync(path, "");
    age(path, 99 * day);
  }
  await prune({});
  expect(paths.map(existsSync)).toEqual([true, true]);
});
