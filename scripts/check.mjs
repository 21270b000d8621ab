// `pnpm check [--no-tests]`: everything that must hold before a change lands. Each step tells how it went and how long
// it took; exit status 1 when one failed.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { packAll } from "./lib/pack.mjs";
import { inParallel } from "./lib/parallel.mjs";
import { buildPackages, buildPage, install } from "./lib/prepare.mjs";
import { inSeconds, run, tool } from "./lib/process.mjs";

/** @typedef {{code: number, output: string, seconds: number}} Result the output is shown where the code is not 0 */
/** @typedef {{name: string, needs?: string, after?: string[], work: () => Promise<Result>}} Step */

/** @type {Step[]} */
const steps = [
  { name: "types", work: checkTypes },
  { name: "lint", work: () => look(tool("oxlint"), ["--type-aware", "--deny-warnings"]) },
  { name: "format", work: () => look(tool("prettier"), ["--check", "--log-level", "warn", "."]) },
  { name: "boundaries", work: () => look(tool("depcruise"), ["packages", "test", "scripts"]) },
  { name: "dead code", work: () => look(tool("knip"), ["--no-progress", "--no-config-hints"]) },
  { name: "packaging", needs: "types", work: checkPackaging },
  { name: "generated", needs: "types", work: () => run(process.execPath, ["scripts/generate.mjs", "--check"]) },
];
const tests = {
  name: "tests",
  after: steps.map(({ name }) => name),
  work: () => run(process.execPath, ["scripts/test.mjs"], { live: true }),
};

const failed = new Set();
try {
  await install();
  const chosen = process.argv.includes("--no-tests") ? steps : [...steps, tests];
  await inParallel(chosen.map(asPiece), availableParallelism());
  process.stdout.write(failed.size === 0 ? "all ok\n" : `failed: ${[...failed].join(", ")}\n`);
} catch (error) {
  failed.add("check");
  process.stdout.write(`${error.message}\n`);
}
process.exitCode = failed.size === 0 ? 0 : 1;

/** @param {Step} step */
function asPiece({ name, needs, after = [], work }) {
  const tellingWork = async () => {
    const { code, output, seconds } = needs !== undefined && failed.has(needs) ? notRun(needs) : await work();
    if (code !== 0) failed.add(name);
    const verdict = code === 0 ? "ok    " : "failed";
    process.stdout.write(`${verdict}  ${name.padEnd(10)}  ${inSeconds(seconds)}\n`);
    if (code !== 0 && name !== tests.name) process.stdout.write(`${output.trim().replaceAll(/^/gm, "    ")}\n`);
  };
  return { name, after: needs === undefined ? after : [...after, needs], work: tellingWork };
}

function notRun(needed) {
  return { code: 1, output: `not run: it needs ${needed}`, seconds: 0 };
}

async function checkTypes() {
  const packages = await buildPackages();
  if (packages.code !== 0) return packages;
  // Packing wants the inspector's page as the sources have it.
  await buildPage();
  /** @type {Result} */
  let result = packages;
  for (const args of [
    ["-b", "test"],
    ["-p", "scripts"],
    ["-p", "packages/inspector/web"],
  ]) {
    result = both(result, await run(tool("tsc"), args));
  }
  return result;
}

async function checkPackaging() {
  const scratch = mkdtempSync(join(tmpdir(), "fetch-image-pack-"));
  try {
    const started = performance.now();
    const tarballs = await packAll(scratch);
    let result = { code: 0, output: "", seconds: (performance.now() - started) / 1000 };
    for (const tarball of tarballs) {
      result = both(result, await look(tool("publint"), [tarball, "--strict"]));
      // A package that is only a command has nothing to be imported.
      if (!tarball.includes("fetch-image-cli-")) {
        result = both(result, await look(tool("attw"), ["--profile", "esm-only", "--format", "ascii", tarball]));
      }
      result = both(result, await checkManifest(tarball));
    }
    return result;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

// A consumer has no sources: the condition that leads to them must not be published.
async function checkManifest(tarball) {
  const { output, seconds } = await run("tar", ["-xOf", tarball, "package/package.json"]);
  const condition = "fetch-image:source";
  const clean = output.includes('"name"') && !output.includes(condition);
  return { code: clean ? 0 : 1, output: `${tarball}: its package.json names ${condition}\n`, seconds };
}

// Their output is shown later, indented, and perhaps in a log: no colours.
function look(command, args) {
  return run(command, args, { env: { NO_COLOR: "1" } });
}

/** Two results as one: the first failure's exit status, the output of what failed. */
function both(first, second) {
  return {
    code: first.code === 0 ? second.code : first.code,
    output: [first, second].map(({ code, output }) => (code === 0 ? "" : output)).join(""),
    seconds: first.seconds + second.seconds,
  };
}
