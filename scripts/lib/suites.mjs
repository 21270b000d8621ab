// The suites of test/suites.json, each run by vitest in a process of its own.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { inParallel } from "./parallel.mjs";
import { inSeconds, lastLines, root, run } from "./process.mjs";

/** @typedef {{folder: string, budgetSeconds: number}} Suite `budgetSeconds`: beside others, on two processors */
/** @typedef {{passed: number, failed: number, skipped: string[]}} Totals */

/** @type {Readonly<Record<string, Suite>>} */
export const suites = JSON.parse(readFileSync(join(root, "test", "suites.json"), "utf8"));

// A suite waits for most of its time, for what it talks to: more of them than there are processors keep those busy.
const suitesAtOnce = 3;

/**
 * Runs suites beside each other, those that take long first, and tells of each when it has ended.
 * @param {readonly string[]} names of the suites
 * @param {readonly string[]} filters parts of test files' paths
 * @returns {Promise<Totals>}
 */
export async function runSuites(names, filters) {
  // Below test/, from where what is bundled there finds its dependencies.
  const cache = join(root, "test", "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const modules = mkdtempSync(join(cache, "run-"));
  chmodSync(modules, 0o755);
  process.once("exit", () => rmSync(modules, { recursive: true, force: true }));
  const atOnce = Math.min(names.length, suitesAtOnce);
  const workers = atOnce === 1 ? availableParallelism() : Math.max(1, Math.floor(availableParallelism() / 2));
  let totals = noTotals();
  const piece = (name) => ({
    name,
    work: async () => {
      const result = await runSuite(name, { filters, workers, modules });
      totals = sum(totals, result);
    },
  });
  const longestFirst = names.toSorted((one, other) => suites[other].budgetSeconds - suites[one].budgetSeconds);
  await inParallel(longestFirst.map(piece), atOnce);
  return totals;
}

/**
 * Runs one suite and tells on standard output how it went, against its budget. A run that crashed, hung or ran no test
 * counts as one failure more.
 * @param {string} name of the suite
 * @param {{filters?: readonly string[], node?: string, workers?: number, modules?: string}} [options] parts of test
 *   files' paths; the Node binary; how many files run at the same time; where suites find modules that another compiled
 * @returns {Promise<Totals>}
 */
export async function runSuite(name, options = {}) {
  const { filters = [], node = process.execPath, workers = availableParallelism(), modules } = options;
  const { budgetSeconds } = suites[name];
  const scratch = mkdtempSync(join(tmpdir(), "fetch-image-test-"));
  const file = join(scratch, "totals.json");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--project", name, "--reporter", "./test/support/reporter.ts", ...filters];
  try {
    const { code, output, seconds, timedOut } = await run(node, args, {
      env: {
        FETCH_IMAGE_TEST_TOTALS: file,
        FETCH_IMAGE_TEST_WORKERS: String(workers),
        ...(modules === undefined ? {} : { FETCH_IMAGE_TEST_MODULES: modules }),
      },
      // Four times the budget is a suite that hangs, on any machine.
      timeoutSeconds: 4 * budgetSeconds,
    });
    const result = readTotals(file);
    const over = seconds > budgetSeconds ? ", over its budget" : "";
    say(`${name.padEnd(14)} ${summary(result).padEnd(38)} (${inSeconds(seconds)} of ${budgetSeconds} s${over})`);
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
