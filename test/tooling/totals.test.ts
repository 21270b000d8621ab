import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SuiteTotals } from "../support/reporter.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fetch-image-totals-"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("what passed, failed and was skipped is counted, each skip with its reason", () => {
  const { totals, output } = runSuite(`
    test("holds", () => { expect(1).toBe(1); });
    test("breaks", () => { expect({ a: 1 }).toEqual({ a: 2 }); });
    test("lacks a peer", (context) => context.skip("no docker-registry"));
    test.skip("is off", () => {});
  `);
  expect(totals).toEqual({
    passed: 1,
    failed: 1,
    skipped: ["a.test.ts > lacks a peer (no docker-registry)", "a.test.ts > is off"],
    running: [],
  });
  expect(output).toContain("✗ a.test.ts > breaks");
  expect(output).toContain("a.test.ts:4");
});

test("a file that does not load, a hook that throws and a rejection that nobody awaits are failures", () => {
  expect(runSuite(`import "./nowhere.ts";`).totals).toMatchObject({ passed: 0, failed: 1 });
  const hook = `describe("all", () => { beforeAll(() => { throw new Error("no") }); test("never", () => {}); });`;
  expect(runSuite(hook).totals).toMatchObject({ passed: 0, failed: 1 });
  const stray = runSuite(`test("looks fine", () => { void Promise.reject(new Error("stray")); });`);
  expect(stray.totals).toMatchObject({ passed: 1, failed: 1 });
  expect(stray.output).toContain("an error that no test caught\n    Error: stray");
});

test("the tests of a worker that died are failures, not skips", () => {
  const { totals } = runSuite(`
    test("kills its process", () => { process.kill(process.pid, "SIGKILL"); });
    test("never runs", () => {});
  `);
  expect(totals.passed).toBe(0);
  expect(totals.failed).toBeGreaterThanOrEqual(2);
  expect(totals.skipped).toEqual([]);
});

test("what a failed file printed is shown, what a passing one printed is not", () => {
  expect(runSuite(`test("fails", () => { console.log("seed 7"); throw new Error("no"); });`).output).toContain(
    "seed 7",
  );
  expect(runSuite(`test("passes", () => { console.log("seed 7"); });`).output).toBe("");
});

test("a unit test that prints fails", () => {
  const setup = join(root, "test", "support", "no-stray-output.ts");
  const { totals, output } = runSuite(
    `test("logs", () => { console.log("hi"); });
     test("writes", () => { process.stderr.write("ho\\n"); });
     test("is silent", () => {});`,
    { setupFiles: [setup] },
  );
  expect(totals).toMatchObject({ passed: 1, failed: 2 });
  expect(output).toContain("console.log: hi");
  expect(output).toContain("process.stderr: ho");
});

function runSuite(source: string, config: object = {}): { totals: SuiteTotals; output: string } {
  const head = `import { beforeAll, describe, expect, test } from "vitest";\n`;
  writeFileSync(join(folder, "a.test.ts"), head + source);
  const options = { test: { pool: "forks", ...config } };
  writeFileSync(join(folder, "vitest.config.mjs"), `export default ${JSON.stringify(options)};`);
  const file = join(folder, "totals.json");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--reporter", join(root, "test", "support", "reporter.ts")];
  const { stdout } = spawnSync(process.execPath, args, {
    cwd: folder,
    env: { PATH: process.env["PATH"], FETCH_IMAGE_TEST_TOTALS: file },
    encoding: "utf8",
  });
  return { totals: JSON.parse(readFileSync(file, "utf8")), output: stdout.trim() };
}
