import type { ArtifactProgress } from "@fetch-image/registry";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createDownloadBars } from "./download-bars.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

function watched(size: { readonly columns: number; readonly rows: number } | undefined) {
  const drawn: string[] = [];
  const bars = createDownloadBars({ progress: (text) => void drawn.push(text), progressSize: () => size });
  return { bars, drawn };
}

const at = (receivedBytes: number): ArtifactProgress => {
  return { layers: [], receivedBytes, totalBytes: 1000e6, blobsDone: 0, blobsTotal: 1 };
};

test("a second of progress is drawn ten times at most, the last of it always", () => {
  const { bars, drawn } = watched({ columns: 80, rows: 24 });
  for (let ms = 0; ms < 1000; ms++) {
    bars.download(at(ms * 1e6));
    vi.advanceTimersByTime(1);
  }
  expect(drawn.length).toBeGreaterThan(5);
  expect(drawn.length).toBeLessThanOrEqual(11);
  vi.advanceTimersByTime(200);
  expect(drawn.at(-1)).toContain("999.0 MB / 1.0 GB");
});

test("at the end the bars are gone, and nothing is drawn any more", () => {
  const { bars, drawn } = watched({ columns: 80, rows: 24 });
  bars.download(at(1));
  bars.download(at(2));
  bars.end();
  vi.advanceTimersByTime(1000);
  expect(drawn.at(-1)).toBe("");
  expect(drawn).toHaveLength(2);
});

test("unpacking is told after the download", () => {
  const { bars, drawn } = watched({ columns: 80, rows: 24 });
  bars.unpack({ layer: 2, layers: 10, bytes: 5e6, entries: 120 });
  expect(drawn).toEqual(["unpacking layer 2 of 10: 120 files, 5.0 MB"]);
});

test("where nobody watches nothing is drawn", () => {
  const { bars, drawn } = watched(undefined);
  bars.download(at(1));
  vi.advanceTimersByTime(1000);
  expect(drawn).toEqual([]);
});
