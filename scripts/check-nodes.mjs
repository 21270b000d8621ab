// `pnpm test:nodes`: the unit suite on the Node lines that are newer than the one we develop on. The binaries come as
// ordinary npm packages, one for each platform (the package `node` itself wants an install script, which we forbid).
import { prepare } from "./lib/prepare.mjs";
import { run } from "./lib/process.mjs";
import { noTotals, runSuite, say, sum, summary, withFailure } from "./lib/suites.mjs";

const versions = ["22.23.3", "24.21.0"];

let totals = noTotals();
await prepare();
for (const version of versions) {
  const node = await nodeBinary(version);
  say(`Node ${version}`);
  totals = node === undefined ? withFailure(totals, "cannot be had") : sum(totals, await runSuite("unit", { node }));
}
say(`\n${summary(totals)}`);
process.exitCode = totals.failed === 0 ? 0 : 1;

async function nodeBinary(version) {
  const binaries = `node-${process.platform}-${process.arch}@${version}`;
  const { code, output } = await run("npx", ["--yes", "--package", binaries, "--", "node", "-p", "process.execPath"]);
  if (code !== 0) say(output.trim());
  // Whatever npm has to say comes before.
  return code === 0 ? output.trim().split("\n").at(-1) : undefined;
}
