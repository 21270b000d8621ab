import { FetchImageError } from "@fetch-image/core";
import { expect, test } from "vitest";
import type { ImageRow } from "./rows.ts";
import { showSummary } from "./summary.ts";

const wanted = { plan: "1", step: "pr", kind: "get", how: "later", because: "" } as const;
const row = (fields: Partial<ImageRow>): ImageRow => ({ wanted, state: "short-circuited", ms: 1, ...fields });
const show = (rows: readonly ImageRow[], traffic = { requests: 0, imageBytes: 0 }) =>
  showSummary({ rows, traffic, checkInterval: 60_000, color: false });

test("every way to know an image is counted once, in words", () => {
  const error = new FetchImageError("FI_CHECK_FAILED");
  const rows = [
    ...["HEAD", "GET", "joined", "fresh", "pin", "push", "base-type"].map((via) => row({ via })),
    row({ state: "deferred", because: "later" }),
    row({ state: "failed", error }),
    row({ state: "aborted", error, via: "HEAD" }),
  ];
  expect(show(rows)).toContain(
    "Images were needed in 10 places: 2 asked of a registry, 1 answered by a question already under way, " +
      "1 still fresh and not asked again, 1 pinned by the pipeline, 1 pushed for nodes to pull, 1 of base types, from the built-in table, " +
      "1 known only while the build runs, 1 failed, 1 aborted.",
  );
});

test("what fresh means is told where something was fresh, and nowhere else", () => {
  expect(show([row({ via: "fresh" })])).toContain("observed less than 1m ago");
  expect(show([row({ via: "HEAD" })])).not.toContain("Fresh");
});

test.each([
  [{ requests: 1, imageBytes: 1 }, "1 registry request, 1 byte of images downloaded."],
  [{ requests: 0, imageBytes: 0 }, "0 registry requests, 0 bytes of images downloaded."],
  [{ requests: 2, imageBytes: 12_345 }, "2 registry requests, 12 kB of images downloaded."],
  [{ requests: 2, imageBytes: 12_345_678 }, "2 registry requests, 12.3 MB of images downloaded."],
])("the traffic %j is told as %s", (traffic, says) => {
  expect(show([row({ via: "HEAD" })], traffic)).toContain(says);
});

test("a job that needs no image says so", () => {
  expect(show([])).toBe("No step of the job needs an image.\n");
});
