import type { ArtifactProgress, LayerProgress } from "@fetch-image/registry";
import { expect, test } from "vitest";
import { barLines } from "./bar-lines.ts";
import { size } from "./size-text.ts";

const digest = (at: number) => `sha256:${String(at).padStart(64, "0")}` as const;

function layer(at: number, state: LayerProgress["state"], receivedBytes: number): LayerProgress {
  return { digest: `sha256:${"abcdef"[at] ?? "0"}${digest(at).slice(8)}`, receivedBytes, totalBytes: 20e6, state };
}

function progress(layers: readonly LayerProgress[]): ArtifactProgress {
  const receivedBytes = layers.reduce((sum, each) => sum + each.receivedBytes, 0);
  const blobsDone = layers.filter(({ state }) => state === "done" || state === "present").length;
  return { layers, receivedBytes, totalBytes: layers.length * 20e6, blobsDone, blobsTotal: layers.length };
}

const four = progress([
  layer(0, "done", 20e6),
  layer(1, "present", 20e6),
  layer(2, "downloading", 10e6),
  layer(3, "waiting", 0),
]);

test("each blob has a bar, and all of them one", () => {
  expect(barLines(four, { columns: 100, rows: 24 })).toEqual([
    `a00000000000 [${"=".repeat(40)}] 20.0 MB, done`,
    `b00000000000 [${"=".repeat(40)}] 20.0 MB, here already`,
    `c00000000000 [${"=".repeat(19)}>${" ".repeat(20)}] 10.0 MB / 20.0 MB`,
    `d00000000000 [${" ".repeat(40)}] 20.0 MB`,
    `total        [${"=".repeat(24)}>${" ".repeat(15)}] 50.0 MB / 80.0 MB, 2 of 4 blobs`,
  ]);
});

test.each([20, 40, 61, 62, 80, 200])(
  "no line is longer than a window of %d columns, where its text fits at all",
  (columns) => {
    for (const line of barLines(four, { columns, rows: 24 })) {
      expect(line.length).toBeLessThan(Math.max(columns, "total        50.0 MB / 80.0 MB, 2 of 4 blobs".length + 1));
    }
    expect(barLines(four, { columns: 40, rows: 24 })[0]).toBe("a00000000000 20.0 MB, done");
  },
);

test("in a low window those under way are shown, and the total", () => {
  const names = barLines(four, { columns: 80, rows: 4 }).map((line) => line.slice(0, 5));
  expect(names).toEqual(["c0000", "d0000", "total"]);
  expect(barLines(four, { columns: 80, rows: 1 })).toHaveLength(1);
});

test("an image of nothing is all there", () => {
  expect(barLines(progress([]), { columns: 80, rows: 24 })).toEqual([expect.stringContaining("0 B / 0 B, 0 of 0")]);
});

test("sizes are in units that people read", () => {
  expect([0, 999, 1000, 20_100, 200_751_840, 3.2e9, 5e15].map(size)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "20.1 kB",
    "200.8 MB",
    "3.2 GB",
    "5000.0 TB",
  ]);
});
