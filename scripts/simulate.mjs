// `pnpm simulate --seeds N [--seed S]`: lets engines, stores, registries and clocks fail in simulated time, as each of N
// consecutive seeds has it, and holds all that happens against the promises of docs/guides/durability.md. Ends with
// `N seeds, N faults, 0 lost, 0 doubled` and exit status 0, or with the seed that failed, its history as a file, and
// exit status 1. `--seeds 1 --seed S` does the very same again.
import { fork } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "./lib/prepare.mjs";
import { root } from "./lib/process.mjs";

const values = readArguments();

if (process.send !== undefined) {
  await simulateHere();
} else if (values === undefined || values.help) {
  process.stderr.write("usage: pnpm simulate --seeds N [--seed S]\n");
  process.exitCode = values?.help ? 0 : 2;
} else {
  await prepare();
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(values.seed);
  process.stdout.write(`seed ${seed}\n`);
  process.exitCode = await simulateAll(seed, Number(values.seeds));
}

/** One process for each processor, each with every so-manieth seed. */
async function simulateAll(seed, seeds) {
  const count = Math.min(availableParallelism(), seeds);
  const totals = { seeds: 0, faults: 0 };
  const children = Array.from({ length: count }, (_, index) => {
    // Node 20 runs no TypeScript: the simulation is loaded through a hook.
    const hook = pathToFileURL(join(root, "scripts/lib/typescript-hook.mjs")).href;
    const child = fork(fileURLToPath(import.meta.url), [], { cwd: root, execArgv: ["--import", hook] });
    child.send({ first: seed + index, end: seed + seeds, step: count });
    return child;
  });
  const results = children.map(
    (child) =>
      new Promise((resolve) => {
        let failure;
        child.on("message", (/** @type {any} */ result) => {
          totals.seeds += 1;
          totals.faults += result.faults;
          if (result.problems.length > 0) failure = result;
          if (process.stderr.isTTY) process.stderr.write(`\r${totals.seeds} of ${seeds} seeds`);
        });
        child.on("exit", (code) => resolve(code === 0 || failure !== undefined ? failure : { code }));
      }),
  );
  const failure = (await raceToFailure(results)) ?? undefined;
  for (const child of children) if (child.exitCode === null) child.kill();
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  if (failure === undefined) {
    process.stdout.write(`${totals.seeds} seeds, ${totals.faults} faults, 0 lost, 0 doubled\n`);
    return 0;
  }
  return tell(failure);
}

/** The first failure; undefined when all have ended without one. */
async function raceToFailure(results) {
  const failing = results.map((result) => result.then((failure) => failure ?? new Promise(() => {})));
  return await Promise.race([...failing, Promise.all(results).then((all) => all.find((each) => each !== undefined))]);
}

function tell({ seed, problems, trace, code }) {
  if (seed === undefined) {
    process.stdout.write(`a simulating process ended with ${code}\n`);
    return 1;
  }
  const file = join(mkdtempSync(join(tmpdir(), "fetch-image-simulation-")), `${seed}.txt`);
  writeFileSync(file, `${trace.join("\n")}\n`);
  process.stdout.write(`${problems.join("\n")}\nhistory: ${file}\nagain: pnpm simulate --seeds 1 --seed ${seed}\n`);
  process.stdout.write(`seed ${seed} failed\n`);
  return 1;
}

async function simulateHere() {
  const { simulate } = await import(pathToFileURL(join(root, "test/simulation/simulate.ts")).href);
  const { first, end, step } = await new Promise((resolve) => process.once("message", resolve));
  for (let seed = first; seed < end; seed += step) {
    const { problems, faults } = await simulate(seed);
    const trace = problems.length > 0 ? (await simulate(seed, { keepTrace: true })).trace : [];
    await new Promise((resolve) => process.send?.({ seed, problems, faults, trace }, resolve));
    if (problems.length > 0) break;
  }
  process.disconnect();
}

function readArguments() {
  const isCount = (text) => text === undefined || /^\d{1,9}$/.test(text);
  try {
    const { values: given } = parseArgs({
      options: {
        seeds: { type: "string", default: "1000" },
        seed: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return isCount(given.seeds) && isCount(given.seed) ? given : undefined;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}
