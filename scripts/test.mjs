// `npm test [-- FILTER…]`: on a fresh clone installs, builds, gets what the tests need, and runs every suite of
// test/suites.json in a process of its own. A filter is a part of a test file's path. Ends with
// `N passed, N failed, N skipped` alone on a line; a suite that crashed, hung or ran no test counts as failed.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesBelow, prepare } from "./lib/prepare.mjs";
import { inSeconds, lastLines, root, run, tool } from "./lib/process.mjs";

const filters = process.argv.slice(2);
const suites = Object.entries(JSON.parse(readFileSync(join(root, "test", "suites.json"), "utf8")));
const say = (text) => process.stdout.write(`${text}\n`);
const started = performance.now();

/** @type {{passed: number, failed: number, skipped: string[]}} */
const totals = { passed: 0, failed: 0, skipped: [] };
try {
  await prepare();
  await setUpPeers();
  await runSuites();
} catch (error) {
  countFailure(error.message);
}
if (totals.skipped.length > 0) say(`\nskipped:\n${totals.skipped.map((name) => `  ${name}`).join("\n")}`);
say(`\n${inSeconds((performance.now() - started) / 1000)} in all`);
say(summary(totals));
process.exitCode = totals.failed === 0 ? 0 : 1;

/** Installs the servers that tests talk to; it names what it cannot get, and the tests that need that skip. */
async function setUpPeers() {
  say("peers of the tests:");
  const { code, output, seconds } = await run(process.execPath, ["scripts/setup-test-peers.mjs"], {
    timeoutSeconds: 600,
  });
  say(`${lastLines(output, 20)}  (${inSeconds(seconds)})`);
  if (code !== 0) countFailure(`scripts/setup-test-peers.mjs exited with ${code}`);
}

async function runSuites() {
  const all = [...filesBelow("packages"), ...filesBelow("test")].filter(
    (file) => file.endsWith(".test.ts") && !file.includes("/dist/"),
  );
  const chosen = filters.length === 0 ? all : all.filter((file) => filters.some((filter) => file.includes(filter)));
  if (chosen.length === 0) throw new Error(`no test file matches ${filters.join(" ")}`);
  const folders = suites.map(([, { folder }]) => `${folder}/`);
  const homeless = all.filter((file) => !folders.some((folder) => file.startsWith(folder)));
  for (const file of homeless) countFailure(`${file} is in no suite of test/suites.json, so it would never run`);
  for (const [name, suite] of suites) {
    const files = chosen.filter((file) => file.startsWith(`${suite.folder}/`));
    if (files.length > 0) await runSuite(name, suite);
    else if (filters.length === 0) countFailure(`suite ${name} has no test file in ${suite.folder}`);
  }
}

async function runSuite(name, { budgetSeconds }) {
  const scratch = mkdtempSync(join(tmpdir(), "fetch-image-test-"));
  const file = join(scratch, "totals.json");
  try {
    const { code, output, seconds, timedOut } = await run(
      tool("vitest"),
      ["run", "--project", name, "--reporter", "./test/support/reporter.ts", ...filters],
      // Four times the budget is a suite that hangs, on any machine.
      { env: { FETCH_IMAGE_TEST_TOTALS: file, FORCE_COLOR: "0" }, timeoutSeconds: 4 * budgetSeconds },
    );
    const result = readTotals(file);
    const over = seconds > budgetSeconds ? ", over its budget" : "";
    say(`${name.padEnd(12)} ${summary(result).padEnd(38)} (${inSeconds(seconds)} of ${budgetSeconds} s${over})`);
    totals.passed += result.passed;
    totals.failed += result.failed;
    totals.skipped.push(...result.skipped);
    if (result.failed > 0) say(output.trimEnd());
    else if (code !== 0) {
      say(lastLines(output, 40));
      const where = result.running.length > 0 ? ` in ${result.running.join(", ")}` : "";
      countFailure(`suite ${name} ${timedOut ? "hung" : `crashed with exit status ${code}`}${where}`);
    } else if (result.passed + result.skipped.length === 0) countFailure(`suite ${name} ran no test`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function readTotals(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: [], running: [] };
  }
}

function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}

function countFailure(reason) {
  totals.failed += 1;
  say(`✗ ${reason}`);
}
