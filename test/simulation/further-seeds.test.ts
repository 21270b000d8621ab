import { expect, test } from "vitest";
import { firstFailure } from "./first-failure.ts";

// In a file of its own, since files run beside each other.
test("the same holds for as many seeds more", async () => {
  expect(await firstFailure({ from: 250, count: 250 })).toBeUndefined();
}, 240_000);

// Who joined on a node that died took an answer from before the question; who came when a claim that was followed had
// ended took its answer, and so did who knew of a claim that nobody followed; who asked once a pause was over gave way to
// his own question; who joined by hand what had been answered unseen took that answer once his node had died; a step's image
// went on when the step's fetch had ended; who tried a registry was forgotten when an old failure came in; who gave up a
// question freed another's claim, or the next one of his own; who came by hand joined a question that the stream answered;
// who had been given up asked all the same, beside the next one, and so did one whose claim or turn had run out on its way;
// who came long after an answer that the store did not take had it; who followed a claim asked beside the one whose it was,
// who had come back to the same node. The others were judged wrongly: by what the store did
// not take, by a question from before, by clocks that differ or were set back, by a process that no longer had the build.
test.each([
  50_556, 50_948, 61_368, 62_072, 62_301, 62_714, 62_974, 63_149, 64_709, 65_200, 70_007, 70_392, 80_334, 81_113,
  81_336, 81_470, 90_610, 101_804, 102_676, 102_852, 103_793, 110_897, 113_266, 122_061, 122_118, 133_373, 137_602,
  138_788, 151_112, 151_933, 152_436, 157_790, 161_256, 172_725, 173_984, 181_151, 186_860, 304_795, 323_877, 403_640,
  414_737,
])("and for seed %i, which failed once", async (from) => {
  expect(await firstFailure({ from, count: 1 })).toBeUndefined();
});
