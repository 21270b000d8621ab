// The suites of test/suites.json, each run by vitest in a process of its own.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inSeconds, lastLines, root, run } from "./process.mjs";

/** @typedef {{folder: string, budgetSeconds: number}} Suite */
/** @typedef {{passed: number, failed: number, skipped: string[]}} Totals */

/** @type {Readonly<Record<string, Suite>>} */
export const suites = JSON.parse(readFileSync(join(root, "test", "suites.json"), "utf8"));

/**
 * Runs one suite and tells on standard output how it went, against its budget. A run that crashed, hung or ran no test
 * counts as one failure more.
 * @param {string} name of the suite
 * @param {{filters?: readonly string[], node?: string}} [options] parts of test files' paths; the Node binary
 * @returns {Promise<Totals>}
 */
export async function runSuite(name, { filters = [], node = process.execPath } = {}) {
  const { budgetSeconds } = suites[name];
  const scratch = mkdtempSync(join(tmpdir(), "fetch-image-test-"));
  const file = join(scratch, "totals.json");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--project", name, "--reporter", "./test/support/reporter.ts", ...filters];
  try {
    const { code, output, seconds, timedOut } = await run(node, args, {
      env: { FETCH_IMAGE_TEST_TOTALS: file },
      // Four times the budget is a suite that hangs, on any machine.
      timeoutSeconds: 4 * budgetSeconds,
    });
    const result = readTotals(file);
    const over = seconds > budgetSeconds ? ", over its budget" : "";
    say(`${name.padEnd(12)} ${summary(result).padEnd(38)} (${inSeconds(seconds)} of ${budgetSeconds} s${over})`);
    if (result.failed > 0) {
      say(output.trim());
      return result;
    }
    const death =
      code === 0 ? undefined : `${timedOut ? "hung" : `crashed with exit status ${code}`}${placeOf(result)}`;
    if (death !== undefined) say(lastLines(output, 40));
    const idle = result.passed + result.skipped.length === 0 ? "ran no test" : undefined;
    const reason = death ?? idle;
    return reason === undefined ? result : withFailure(result, `suite ${name} ${reason}`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** @type {() => Totals} */
export const noTotals = () => ({ passed: 0, failed: 0, skipped: [] });

/**
 * @param {Totals} first
 * @param {Totals} second
 * @returns {Totals}
 */
export const sum = (first, second) => ({
  passed: first.passed + second.passed,
  failed: first.failed + second.failed,
  skipped: [...first.skipped, ...second.skipped],
});

/** Counts a failure that no test stands for, and says what it is. */
export function withFailure(totals, reason) {
  say(`✗ ${reason}`);
  return { ...totals, failed: totals.failed + 1 };
}

/** The line that a test command ends with. */
export const summary = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped.length} skipped`;

export const say = (text) => process.stdout.write(`${text}\n`);

function readTotals(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { ...noTotals(), running: [] };
  }
}

const placeOf = ({ running }) => (running.length > 0 ? ` in ${running.join(", ")}` : "");
