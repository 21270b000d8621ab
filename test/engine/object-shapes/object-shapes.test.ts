import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundle } from "../../support/bundle.ts";
import { lookedUpEachTime } from "./lookups.ts";

// docs/decisions/0020: what an object costs that has a hidden class of its own.
const times = 600;

test("a fetch, its replay and its log look up no field anew each time", { timeout: 120_000 }, async () => {
  using program = await bundle(new URL("fetches.ts", import.meta.url), { sources: true });
  expect(await lookedUpEachTime(program.file, times)).toEqual([]);
});

test.runIf(process.versions.node.startsWith("20."))("an object that is a copy with one field more shows", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-shapes-"));
  const program = join(directory, "program.mjs");
  writeFileSync(program, spreading);
  try {
    expect(await lookedUpEachTime(program, times)).toEqual(["seen at return copy.seen;"]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

const spreading = `function seenIn(copy) {
  return copy.seen;
}
for (let number = 0; number < Number(process.argv[2]); number++) seenIn({ ...{ number }, seen: true });
`;
