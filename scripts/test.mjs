// `npm test [-- FILTER…]`: on a fresh clone installs, builds, gets what the tests need, and runs every suite of
// test/suites.json. A filter is a part of a test file's path. Ends with `N passed, N failed, N skipped` alone on a
// line; a suite that crashed, hung or ran no test counts as failed.
import { filesBelow, prepare } from "./lib/prepare.mjs";
import { inSeconds, lastLines, run } from "./lib/process.mjs";
import { noTotals, runSuites, say, suites, sum, summary, withFailure } from "./lib/suites.mjs";

const filters = process.argv.slice(2);
const started = performance.now();
let totals = noTotals();
try {
  await prepare();
  await setUpPeers();
  await runChosen();
} catch (error) {
  totals = withFailure(totals, error.message);
}
if (totals.skipped.length > 0) say(`\nskipped:\n${totals.skipped.map((name) => `  ${name}`).join("\n")}`);
say(`\n${inSeconds((performance.now() - started) / 1000)} in all`);
say(summary(totals));
process.exitCode = totals.failed === 0 ? 0 : 1;

/** Installs the servers that tests talk to; it names what it cannot get, and the tests that need that skip. */
async function setUpPeers() {
  const script = "scripts/setup-test-peers.mjs";
  const { code, output, seconds } = await run(process.execPath, [script], { timeoutSeconds: 600 });
  say(`peers of the tests (${inSeconds(seconds)}):\n${lastLines(output, 20).replaceAll(/^/gm, "  ")}\n`);
  if (code !== 0) totals = withFailure(totals, `${script} exited with ${code}`);
}

async function runChosen() {
  const all = [...filesBelow("packages"), ...filesBelow("test")].filter(
    (file) => file.endsWith(".test.ts") && !file.includes("/dist/"),
  );
  const chosen = filters.length === 0 ? all : all.filter((file) => filters.some((filter) => file.includes(filter)));
  if (chosen.length === 0) throw new Error(`no test file matches ${filters.join(" ")}`);
  const folders = Object.values(suites).map(({ folder }) => `${folder}/`);
  for (const file of all.filter((path) => !folders.some((folder) => path.startsWith(folder)))) {
    totals = withFailure(totals, `${file} is in no suite of test/suites.json, so it would never run`);
  }
  const names = Object.keys(suites).filter((name) => chosen.some((file) => file.startsWith(`${suites[name].folder}/`)));
  for (const name of Object.keys(suites)) {
    if (filters.length > 0 || names.includes(name)) continue;
    totals = withFailure(totals, `suite ${name} has no test file in ${suites[name].folder}`);
  }
  totals = sum(totals, await runSuites(names, filters));
}
