import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "@fetch-image/core";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seedFromEnv } from "./seed.ts";

/** One put: how far its source gets, in which pieces, and whether it lies about a byte on the way. */
interface Attempt {
  readonly ends: number;
  readonly piece: number;
  readonly wrongAt: number | undefined;
  readonly how: "breaks off" | "is aborted" | "just ends" | "goes on for ever";
}

const size = 5_000;
const bytes = Buffer.from(Array.from({ length: size }, (_, at) => (at * 7 + at / 256) & 255));
const digest: Digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const attempts: fc.Arbitrary<Attempt[]> = fc.array(
  fc.record({
    ends: fc.integer({ min: 0, max: size }),
    piece: fc.integer({ min: 1, max: size }),
    wrongAt: fc.option(fc.integer({ min: 0, max: size - 1 }), { nil: undefined, freq: 3 }),
    how: fc.constantFrom("breaks off", "is aborted", "just ends", "goes on for ever"),
  }),
  { maxLength: 6 },
);

test("whatever sources do, one after another or at once, a store holds a digest's bytes or nothing", async () => {
  await fc.assert(
    fc.asyncProperty(attempts, fc.boolean(), async (tried, atOnce) => {
      const directory = mkdtempSync(join(tmpdir(), "fetch-image-property-"));
      try {
        const puts = tried.map((attempt) => () => put(directory, attempt).catch(() => undefined));
        if (atOnce) await Promise.all(puts.map((start) => start()));
        else for (const start of puts) await start();
        expectNothingElse(directory);
        // At most once more than there are poisoned parts: each of them is dropped when it does not fit.
        for (let again = 0; again <= tried.length && !holds(directory); again++) {
          const good = { ends: size, piece: 1_000, wrongAt: undefined, how: "just ends" } as const;
          await put(directory, good).catch(() => undefined);
        }
        expect(holds(directory)).toBe(true);
        expectNothingElse(directory);
        expect(await stored(directory)).toEqual(bytes);
      } finally {
        rmSync(directory, { recursive: true });
      }
    }),
    { seed: seedFromEnv(), numRuns: 100 },
  );
});

function put(directory: string, { ends, piece, wrongAt, how }: Attempt): Promise<void> {
  const controller = new AbortController();
  const bytesFrom = async function* (from: number): AsyncGenerator<Uint8Array> {
    for (let at = from; at < ends; at += piece) {
      const chunk = Buffer.from(bytes.subarray(at, Math.min(at + piece, ends)));
      if (wrongAt !== undefined && wrongAt >= at && wrongAt < at + chunk.length)
        chunk.writeUInt8(chunk.readUInt8(wrongAt - at) ^ 1, wrongAt - at);
      yield chunk;
    }
    if (how === "breaks off") throw new Error("connection reset");
    if (how === "is aborted") controller.abort();
    if (how === "goes on for ever") for (;;) yield Buffer.alloc(1_000);
  };
  const store = createFileArtifactStore({ directory });
  return store.put(digest, bytesFrom, { size, signal: controller.signal });
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function holds(directory: string): boolean {
  return filesIn(join(directory, "blobs", "sha256")).length > 0;
}

function expectNothingElse(directory: string): void {
  for (const name of filesIn(join(directory, "blobs", "sha256"))) {
    expect(name).toBe(digest.slice(7));
    expect(readFileSync(join(directory, "blobs", "sha256", name)).equals(bytes)).toBe(true);
  }
  // Nobody writes any more: whatever is left may be gone on with.
  expect(filesIn(join(directory, "partials")).filter((name) => !name.endsWith(".left"))).toEqual([]);
}

async function stored(directory: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of createFileArtifactStore({ directory }).read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
