// `pnpm soak [--minutes 30] [--rate 50] [--store postgres|pglite|eventstoredb] [--seed S]`: fetches at a constant rate
// through one engine, and looks at its memory, its handles and how far the read model is behind: docs/guides/durability.md.
// Ends with `N fetches, 0 lost, 0 doubled, nothing grew` and exit status 0, or with what did not hold and exit status 1.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "./lib/prepare.mjs";
import { root, runInForeground } from "./lib/process.mjs";

const stores = ["postgres", "pglite", "eventstoredb"];
const values = readArguments();

if (values?.here) {
  process.exitCode = await soakHere(values);
} else if (values === undefined || values.help) {
  process.stderr.write(`usage: pnpm soak [--minutes N] [--rate N] [--store ${stores.join("|")}] [--seed S]\n`);
  process.exitCode = values?.help ? 0 : 2;
} else {
  await prepare();
  // Node 20 runs no TypeScript: what runs is loaded through a hook, in a process that has it.
  const hook = pathToFileURL(join(root, "scripts/lib/typescript-hook.mjs")).href;
  const args = ["--expose-gc", "--import", hook, "scripts/soak.mjs", "--here", ...process.argv.slice(2)];
  process.exitCode = await runInForeground(process.execPath, args);
}

async function soakHere(given) {
  const { store, minutes, rate } = given;
  const here = (file) => import(pathToFileURL(join(root, "test/crash", file)).href);
  const [{ soak }, { storeMissing }] = await Promise.all([here("soak/soak.ts"), here("store-makers.ts")]);
  const missing = storeMissing(store);
  if (missing !== undefined) {
    process.stderr.write(`${missing}\n`);
    return 2;
  }
  const seed = given.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(given.seed);
  process.stdout.write(`seed ${seed}\n`);
  const { fetches, problems } = await soak({
    store,
    minutes: Number(minutes),
    rate: Number(rate),
    seed,
    // As many as the engine keeps the folds of, and some.
    scopesBefore: 5500,
    tell: (line) => process.stdout.write(`${line}\n`),
  });
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  process.stdout.write(
    problems.length === 0 ? `${fetches} fetches, 0 lost, 0 doubled, nothing grew\n` : `seed ${seed} failed\n`,
  );
  return problems.length === 0 ? 0 : 1;
}

function readArguments() {
  const isNumber = (text) => text === undefined || /^\d{1,9}(\.\d{1,3})?$/.test(text);
  try {
    const { values: given } = parseArgs({
      options: {
        store: { type: "string", default: "postgres" },
        minutes: { type: "string", default: "30" },
        rate: { type: "string", default: "50" },
        seed: { type: "string" },
        here: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const isRight = stores.includes(given.store) && [given.minutes, given.rate, given.seed].every(isNumber);
    return isRight ? given : undefined;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}
