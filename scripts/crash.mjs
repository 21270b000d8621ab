// `pnpm crash --store STORE --runs N [--seed S]`: kills real processes with SIGKILL at their work, as each of N consecutive
// seeds has it, has others go on, and looks through what they leave: docs/guides/durability.md. Ends with
// `N runs, N kills, 0 lost, 0 doubled` and exit status 0, or with the seed that failed and exit status 1.
// `pnpm crash --cluster [--store STORE] [--processes 4] [--fetches 500] [--claim-ms 30000]`: has many processes want one
// image, and kills the one that asks for it; the same ending rule.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "./lib/prepare.mjs";
import { root, runInForeground } from "./lib/process.mjs";

const stores = ["postgres", "postgres-pipeline", "pglite", "eventstoredb"];
/** Of which several processes can have one. */
const shared = stores.filter((store) => store !== "pglite");
const values = readArguments();

if (values?.here) {
  process.exitCode = await (values.cluster ? clusterHere(values) : crashHere(values));
} else if (values === undefined || values.help) {
  process.stderr.write(`usage: pnpm crash --store ${stores.join("|")} --runs N [--seed S]
       pnpm crash --cluster [--store ${shared.join("|")}] [--processes N] [--fetches N] [--claim-ms N]\n`);
  process.exitCode = values?.help ? 0 : 2;
} else {
  await prepare();
  // Node 20 runs no TypeScript: the runs are loaded through a hook, in a process that has it.
  const hook = pathToFileURL(join(root, "scripts/lib/typescript-hook.mjs")).href;
  const args = ["--import", hook, "scripts/crash.mjs", "--here", ...process.argv.slice(2)];
  process.exitCode = await runInForeground(process.execPath, args);
}

async function crashHere(values) {
  const here = (file) => import(pathToFileURL(join(root, "test/crash", file)).href);
  const [{ crash }, { storeMissing }] = await Promise.all([here("crash.ts"), here("store-makers.ts")]);
  const missing = storeMissing(values.store);
  if (missing !== undefined) {
    process.stderr.write(`${missing}\n`);
    return 2;
  }
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(values.seed);
  process.stdout.write(`seed ${seed}\n`);
  const { runs, kills, failure } = await crash({
    store: values.store,
    runs: Number(values.runs),
    seed,
    lanes: availableParallelism(),
    sources: false,
    onProgress: (done) => process.stderr.isTTY && process.stderr.write(`\r${done} of ${values.runs} runs`),
  });
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  if (failure === undefined) {
    process.stdout.write(`${runs} runs, ${kills} kills, 0 lost, 0 doubled\n`);
    return 0;
  }
  process.stdout.write(`${failure.problem}\n`);
  process.stdout.write(`again: pnpm crash --store ${values.store} --runs 1 --seed ${failure.seed}\n`);
  process.stdout.write(`seed ${failure.seed} failed\n`);
  return 1;
}

async function clusterHere(values) {
  const here = (file) => import(pathToFileURL(join(root, "test/crash", file)).href);
  const [{ crashCluster }, { storeMissing }] = await Promise.all([here("crash-cluster.ts"), here("store-makers.ts")]);
  const missing = storeMissing(values.store);
  if (missing !== undefined) {
    process.stderr.write(`${missing}\n`);
    return 2;
  }
  const { runs, kills, problem } = await crashCluster({
    store: values.store,
    processes: Number(values.processes),
    fetches: Number(values.fetches),
    claimMs: Number(values["claim-ms"]),
    sources: false,
    onRun: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(problem === undefined ? `${runs} runs, ${kills} kills, 0 lost, 0 doubled\n` : `${problem}\n`);
  return problem === undefined ? 0 : 1;
}

function readArguments() {
  const isCount = (text) => text === undefined || /^\d{1,9}$/.test(text);
  try {
    const { values: given } = parseArgs({
      options: {
        store: { type: "string", default: "postgres" },
        runs: { type: "string", default: "100" },
        seed: { type: "string" },
        cluster: { type: "boolean", default: false },
        processes: { type: "string", default: "4" },
        fetches: { type: "string", default: "500" },
        "claim-ms": { type: "string", default: "30000" },
        here: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const counts = [given.runs, given.seed, given.processes, given.fetches, given["claim-ms"]];
    const isShared = !given.cluster || shared.includes(given.store);
    return stores.includes(given.store) && isShared && counts.every(isCount) ? given : undefined;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}
