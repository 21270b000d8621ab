// `pnpm fuzz [TARGET] --runs N [--seed S]`: hands what a seed decides to every parser that meets foreign bytes, or to
// one of them. Ends with `N runs, 0 failed` and exit status 0, or with the seed that failed, the input as a file, and
// exit status 1. `--seed S --runs 1` makes the input of seed S again. What failed once is kept in test/fuzz/kept, and
// is tried with every `npm test`.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect, parseArgs } from "node:util";
import { prepare } from "./lib/prepare.mjs";
import { root, runInForeground } from "./lib/process.mjs";

const hook = ["--import", pathToFileURL(join(root, "scripts/lib/typescript-hook.mjs")).href];
const { values, positionals } = readArguments();

if (values.here) {
  process.exitCode = await fuzzHere();
} else if (values.help || positionals.length > 1 || !isCount(values.runs) || !isCount(values.seed)) {
  process.stderr.write("usage: pnpm fuzz [TARGET] --runs N [--seed S]\n");
  process.exitCode = values.help ? 0 : 2;
} else {
  await prepare();
  // Node 20 runs no TypeScript: the targets are loaded through a hook, in a process that has it.
  process.exitCode = await runInForeground(process.execPath, [
    ...hook,
    "scripts/fuzz.mjs",
    "--here",
    ...process.argv.slice(2),
  ]);
}

async function fuzzHere() {
  const [{ targets }, { fuzz }] = await Promise.all(
    ["targets.ts", "target.ts"].map((file) => import(pathToFileURL(join(root, "test/fuzz", file)).href)),
  );
  const chosen = targets.filter(({ name }) => positionals.length === 0 || name === positionals[0]);
  if (chosen.length === 0) {
    process.stderr.write(`no target ${positionals[0]}; there are: ${targets.map(({ name }) => name).join(", ")}\n`);
    return 2;
  }
  const runs = Number(values.runs);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(values.seed);
  process.stdout.write(`seed ${seed}\n`);
  for (const target of chosen) {
    const started = performance.now();
    const failure = await fuzz(target, { runs, seed });
    if (failure !== undefined) return tell(failure);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${target.name.padEnd(14)} ${runs} runs, 0 failed (${seconds} s)\n`);
  }
  process.stdout.write(`${runs * chosen.length} runs, 0 failed\n`);
  return 0;
}

function tell({ target, seed, input, error }) {
  const file = join(mkdtempSync(join(tmpdir(), "fetch-image-fuzz-")), `${target}.${seed}`);
  writeFileSync(file, input);
  process.stdout.write(`${target}: ${inspect(error)}\n`);
  process.stdout.write(`input: ${file}\nagain: pnpm fuzz ${target} --runs 1 --seed ${seed}\n`);
  process.stdout.write(`seed ${seed} failed\n`);
  return 1;
}

function isCount(text) {
  return text === undefined || /^\d{1,9}$/.test(text);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        runs: { type: "string", default: "1000" },
        seed: { type: "string" },
        here: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return { values: { runs: "?", seed: undefined, here: false, help: false }, positionals: [] };
  }
}
