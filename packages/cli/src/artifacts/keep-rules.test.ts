import { expect, test } from "vitest";
import { keepRules } from "./keep-rules.ts";

const digest = `sha256:${"ab".repeat(32)}` as const;

test.each([
  ["7d", { usedWithinMs: 7 * 86_400_000 }],
  ["1d12h", { usedWithinMs: 129_600_000 }],
  ["1h30m", { usedWithinMs: 5_400_000 }],
  ["0s", { usedWithinMs: 0 }],
  ["20GB", { bytes: 20e9 }],
  ["1.5GiB", { bytes: 1.5 * 1024 ** 3 }],
  ["512MiB", { bytes: 512 * 1024 ** 2 }],
  ["0B", { bytes: 0 }],
  [digest, { digests: [digest] }],
])("--keep %s", (text, keep) => {
  expect(keepRules([text])).toEqual(keep);
});

test("several keep what any of them keeps", () => {
  expect(keepRules(["1d", "20GB", digest, "7d", "500MB", digest.replaceAll("ab", "cd")])).toEqual({
    usedWithinMs: 7 * 86_400_000,
    bytes: 20e9,
    digests: [digest, digest.replaceAll("ab", "cd")],
  });
});

test.each(["", "7", "20", "d", "-7d", "-1h", "1w", "20gb", "sha256:abc", "constructorB", "7d 1h"])(
  "--keep %j is no rule",
  (text) => {
    expect(() => keepRules([text])).toThrow(/neither an age, nor a size, nor a digest/);
  },
);
