import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "@fetch-image/core/fetching";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFileArtifactStore } from "./artifact-store.ts";
import { draftName } from "./drafts.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fetch-image-put-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const { signal } = new AbortController();
const bytes = randomBytes(3_000_000);
const digest: Digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const size = bytes.length;
const stored = (): Buffer => readFileSync(join(directory, "blobs", "sha256", digest.slice(7)));
const partials = (): string[] => readdirSync(join(directory, "partials"));
const newStore = (): ReturnType<typeof createFileArtifactStore> => createFileArtifactStore({ directory });

/** The bytes from an offset on, up to `until`; then an error, where that is not the end. `asked` notes the offsets. */
function source(until: number = size, { of = bytes, asked = [] }: { of?: Buffer; asked?: number[] } = {}) {
  return async function* (from: number): AsyncGenerator<Uint8Array> {
    asked.push(from);
    for (let at = from; at < until; at += 50_000) yield of.subarray(at, Math.min(at + 50_000, until));
    if (until < of.length) throw new Error("connection reset");
  };
}

describe("a put whose source breaks off", () => {
  test("is gone on with by the next one, in another store object, from the very byte", async () => {
    const asked: number[] = [];
    for (const until of [1_234_567, 2_345_678]) {
      const put = newStore().put(digest, source(until, { asked }), { size, signal });
      await expect(put).rejects.toThrow("connection reset");
      expect(existsSync(join(directory, "blobs", "sha256", digest.slice(7)))).toBe(false);
    }
    await newStore().put(digest, source(size, { asked }), { size, signal });
    expect(asked).toEqual([0, 1_234_567, 2_345_678]);
    expect(stored().equals(bytes)).toBe(true);
    expect(partials()).toEqual([]);
  });

  test("leaves nothing where nothing had come", async () => {
    await expect(newStore().put(digest, source(0), { size, signal })).rejects.toThrow("connection reset");
    expect(partials()).toEqual([]);
  });

  test("is gone on with after an abort, once nothing of it is on its way to the disk any more", async () => {
    const controller = new AbortController();
    const asked: number[] = [];
    const putting = newStore().put(
      digest,
      async function* (from) {
        yield bytes.subarray(from, 2_000_000);
        controller.abort();
        yield* source()(2_000_000);
      },
      { size, signal: controller.signal },
    );
    await expect(putting).rejects.toMatchObject({ code: "FI_ABORTED" });
    await newStore().put(digest, source(size, { asked }), { size, signal });
    expect(asked[0]).toBeGreaterThan(0);
    expect(stored().equals(bytes)).toBe(true);
  });

  test("that has everything already asks for nothing more", async () => {
    const complete = newStore().put(
      digest,
      async function* () {
        yield bytes;
        throw new Error("connection reset");
      },
      { size, signal },
    );
    await expect(complete).rejects.toThrow("connection reset");
    const asked: number[] = [];
    await newStore().put(digest, source(size, { asked }), { size, signal });
    expect(asked).toEqual([size]);
    expect(stored().equals(bytes)).toBe(true);
  });
});

describe("what an earlier put has left", () => {
  test("is dropped when it turns out to be wrong, and the next put begins from the start", async () => {
    const wrong = Buffer.from(bytes);
    wrong.fill(0, 5, 10);
    await expect(newStore().put(digest, source(1_000_000, { of: wrong }), { size, signal })).rejects.toThrow("reset");
    const second = newStore().put(digest, source(), { size, signal });
    await expect(second).rejects.toMatchObject({ code: "FI_DIGEST_MISMATCH", details: { digest } });
    expect(partials()).toEqual([]);
    const asked: number[] = [];
    await newStore().put(digest, source(size, { asked }), { size, signal });
    expect(asked).toEqual([0]);
    expect(stored().equals(bytes)).toBe(true);
  });

  test("is dropped when it is larger than the blob", async () => {
    await expect(newStore().put(digest, source(1_000_000), { signal })).rejects.toThrow("reset");
    const [name = ""] = partials();
    writeFileSync(join(directory, "partials", name), randomBytes(size + 1));
    const asked: number[] = [];
    await newStore().put(digest, source(size, { asked }), { size, signal });
    expect(asked).toEqual([0]);
  });

  test("is not touched while its writer may live", async () => {
    mkdirSync(join(directory, "partials"), { recursive: true });
    const busy = draftName(join(directory, "partials", digest.replace(":", "-")));
    writeFileSync(busy, bytes.subarray(0, 1_000_000));
    const asked: number[] = [];
    await newStore().put(digest, source(size, { asked }), { size, signal });
    expect(asked).toEqual([0]);
    expect(readFileSync(busy)).toHaveLength(1_000_000);
  });

  test("by a process of another machine is not touched either: nobody here knows whether it lives", async () => {
    const folder = join(directory, "partials");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${digest.replace(":", "-")}.0123456789ab-1-1.00000000.part`), bytes.subarray(0, 1000));
    const asked: number[] = [];
    await newStore().put(digest, source(size, { asked }), { size, signal });
    expect(asked).toEqual([0]);
    expect(partials()).toHaveLength(1);
  });
});

describe("several puts of one blob in one process", () => {
  test("ask its source once", async () => {
    const asked: number[] = [];
    const puts = Array.from({ length: 5 }, () => newStore().put(digest, source(size, { asked }), { size, signal }));
    await Promise.all(puts);
    expect(asked).toEqual([0]);
    expect(stored().equals(bytes)).toBe(true);
  });

  test("go on with what the first has, when that one is aborted", async () => {
    const controller = new AbortController();
    const asked: number[] = [];
    let silent = false;
    const first = newStore().put(
      digest,
      async function* (from) {
        yield bytes.subarray(from, 1_500_000);
        silent = true;
        await new Promise(() => undefined);
      },
      { size, signal: controller.signal },
    );
    await expect.poll(() => silent).toBe(true);
    const others = [1, 2].map(() => newStore().put(digest, source(size, { asked }), { size, signal }));
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: "FI_ABORTED" });
    await Promise.all(others);
    expect(asked).toEqual([1_500_000]);
    expect(stored().equals(bytes)).toBe(true);
  });

  test("one of them aborted while it waits ends at once and disturbs nobody", async () => {
    let release: (() => void) | undefined;
    const first = newStore().put(
      digest,
      async function* (from) {
        await new Promise<void>((resolve) => (release = resolve));
        yield* source()(from);
      },
      { size, signal },
    );
    const controller = new AbortController();
    await expect.poll(() => release).toBeDefined();
    const second = newStore().put(digest, source(), { size, signal: controller.signal });
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: "FI_ABORTED" });
    release?.();
    await first;
    expect(stored().equals(bytes)).toBe(true);
  });

  test("do not share a failure: each of the others asks its own source", async () => {
    let go: (() => void) | undefined;
    const first = newStore().put(
      digest,
      async function* (from) {
        await new Promise<void>((resolve) => (go = resolve));
        yield* source(1_000_000)(from);
      },
      { size, signal },
    );
    await expect.poll(() => go).toBeDefined();
    const others = [1, 2].map(() => newStore().put(digest, source(), { size, signal }));
    go?.();
    await expect(first).rejects.toThrow("connection reset");
    await Promise.all(others);
    expect(stored().equals(bytes)).toBe(true);
    expect(partials()).toEqual([]);
  });
});
