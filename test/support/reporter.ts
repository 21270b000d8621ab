// Vitest's reporter for scripts/test.mjs: silent about what passes, one short entry for what fails, and the totals as
// JSON in the file that FETCH_IMAGE_TEST_TOTALS names. scripts/test.mjs adds the suites up.
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { SerializedError, TestError, UserConsoleLog } from "vitest";
import type { Reporter, TestCase, TestModule } from "vitest/node";

export interface SuiteTotals {
  readonly passed: number;
  /** Failed tests, tests that a dead worker left, files that did not load, errors no test caught. */
  readonly failed: number;
  /** The full names of the tests that were skipped, each with the reason that the test gave. */
  readonly skipped: readonly string[];
  /** The files under way: where a run that never ended hung. */
  readonly running: readonly string[];
}

export default class TotalsReporter implements Reporter {
  readonly #running = new Set<string>();
  readonly #printed: UserConsoleLog[] = [];

  onTestModuleStart(module: TestModule): void {
    this.#running.add(pathOf(module));
    this.#write({ passed: 0, failed: 0, skipped: [] });
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(pathOf(module));
  }

  onUserConsoleLog(log: UserConsoleLog): void {
    this.#printed.push(log);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const failures = [
      ...modules.flatMap((module) => failuresOutsideTests(module)),
      ...tests.filter((test) => test.result().state === "failed").map(describeFailure),
      // A worker that died leaves its tests pending: they did not run, and nobody asked for that.
      ...tests.filter((test) => test.result().state === "pending").map((test) => `${fullName(test)}\n    did not run`),
      ...unhandled.map((error) => `an error that no test caught\n${describeError(error)}`),
    ];
    for (const failure of failures) process.stdout.write(`\n✗ ${failure}\n`);
    // What a failed file printed may explain it: the seed of a property, for one.
    for (const module of modules.filter((each) => !each.ok())) {
      const printed = this.#printed.filter(({ taskId }) => taskId?.startsWith(module.id));
      if (printed.length > 0) process.stdout.write(`\n${pathOf(module)} printed:\n`);
      for (const { content } of printed) process.stdout.write(content.replaceAll(/^(?=.)/gm, "    "));
    }
    this.#write({
      passed: tests.filter((test) => test.result().state === "passed").length,
      failed: failures.length,
      skipped: tests.filter((test) => test.result().state === "skipped").map(describeSkip),
    });
  }

  #write(counts: Omit<SuiteTotals, "running">): void {
    const file = process.env["FETCH_IMAGE_TEST_TOTALS"];
    const totals: SuiteTotals = { ...counts, running: [...this.#running] };
    if (file !== undefined) writeFileSync(file, JSON.stringify(totals));
  }
}

const fullName = (test: TestCase): string => `${pathOf(test.module)} > ${test.fullName}`;

const pathOf = (module: TestModule): string => relative(process.cwd(), module.moduleId);

function describeSkip(test: TestCase): string {
  const result = test.result();
  const note = result.state === "skipped" ? result.note : undefined;
  return note === undefined ? fullName(test) : `${fullName(test)} (${note})`;
}

const describeFailure = (test: TestCase): string =>
  [fullName(test), ...(test.result().errors ?? []).map(describeError)].join("\n");

// A file that does not load and a hook that throws fail no test of their own.
function failuresOutsideTests(module: TestModule): string[] {
  const suites = [...module.children.allSuites()];
  return [
    ...module.errors().map((error) => `${pathOf(module)}\n${describeError(error)}`),
    ...suites.flatMap((suite) =>
      suite.errors().map((error) => `${pathOf(module)} > ${suite.fullName}\n${describeError(error)}`),
    ),
  ];
}

const longest = 40;

function describeError(error: TestError): string {
  const { cause } = error;
  const lines = [
    ...`${error.name ?? "Error"}: ${error.message}`.split("\n"),
    ...(error.diff === undefined ? [] : stripVTControlCharacters(error.diff).split("\n")),
    ...framesOf(error).slice(0, 3),
    ...(cause?.message === undefined ? [] : [`caused by ${cause.name ?? "Error"}: ${cause.message}`]),
  ];
  const shown = lines.length > longest ? [...lines.slice(0, longest), `… ${lines.length - longest} lines more`] : lines;
  return shown.map((line) => `    ${line}`).join("\n");
}

// Only a test's own error comes with parsed frames.
function framesOf(error: TestError): string[] {
  const parsed = error.stacks?.map(({ file, line, column }) => `at ${relative(process.cwd(), file)}:${line}:${column}`);
  const raw = error.stack?.split("\n").filter((line) => line.startsWith("    at ")) ?? [];
  return (parsed ?? raw.map((line) => line.trim())).filter((line) => !line.includes("node_modules"));
}
