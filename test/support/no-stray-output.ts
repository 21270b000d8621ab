// Unit tests are silent: a line on the console is a forgotten debug print, or a log that did not go through the
// Logger port, and fails the test that it appeared in. A test that expects output replaces the method itself.
import { afterAll, afterEach } from "vitest";

const methods = ["log", "info", "warn", "error", "debug", "trace", "dir", "table"] as const;
let stray: string[] = [];

for (const method of methods) {
  console[method] = (...values: unknown[]) => {
    stray.push(`console.${method}: ${values.map(String).join(" ")}`);
  };
}
for (const stream of ["stdout", "stderr"] as const) {
  process[stream].write = (chunk: Uint8Array | string) => {
    stray.push(`process.${stream}: ${String(chunk).trimEnd()}`);
    return true;
  };
}

afterEach(() => failOnStrayOutput("this test"));
afterAll(() => failOnStrayOutput("code outside the tests of this file"));

function failOnStrayOutput(culprit: string): void {
  const lines = stray;
  stray = [];
  if (lines.length > 0) throw new Error(`${culprit} printed:\n${lines.join("\n")}`);
}
