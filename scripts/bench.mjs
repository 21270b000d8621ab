// `pnpm bench [NAME…]`: runs test/bench/NAME.bench.mjs, or all of them, one after another, each in a process of its
// own. Standard output has one JSON line for each measurement, everything else goes to standard error.
//
// A benchmark is plain JavaScript, since Node 20 runs no TypeScript, and imports the packages by name, so that it
// measures what is published and not sources under a test runner. It exports `name`, which is NAME, and `run(emit)`.
// `emit` takes either all runs of a measurement or, where one run has many operations, the value itself:
//   emit({ name: "fetch-warm-p50", unit: "ms", samples: [0.41, 0.40, 0.44] })
//   emit({ name: "fetch-warm-64", unit: "fetches", per: "s", value: 5120, runs: 3, spread: 0.04, ratioTo: "bare-head" })
// `value` is the samples' median, `spread` (largest − smallest) / median; `ratio` is this value divided by that of
// the earlier measurement of the same benchmark that `ratioTo` names: ratios are only made within one run.
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { filesBelow, prepare } from "./lib/prepare.mjs";
import { root, runInForeground } from "./lib/process.mjs";

const suffix = ".bench.mjs";
const hook = ["--import", pathToFileURL(join(root, "scripts/lib/typescript-hook.mjs")).href];

if (process.argv[2] === "--only") await runHere(process.argv[3]);
else await runEach(process.argv.slice(2));

async function runEach(names) {
  const files = filesBelow("test/bench").filter((file) => file.endsWith(suffix));
  const unknown = names.filter((name) => !files.some((file) => nameOf(file) === name));
  if (unknown.length > 0 || files.length === 0) {
    process.stderr.write(`no benchmark ${unknown.join(", ")}; there are: ${files.map(nameOf).join(", ")}\n`);
    process.exitCode = 2;
    return;
  }
  await prepare();
  for (const file of files.filter((path) => names.length === 0 || names.includes(nameOf(path)))) {
    process.stderr.write(`${nameOf(file)}\n`);
    const code = await runInForeground(process.execPath, [...hook, "--expose-gc", "scripts/bench.mjs", "--only", file]);
    if (code !== 0) process.exitCode = code;
  }
}

function nameOf(file) {
  return basename(file, suffix);
}

async function runHere(file) {
  const bench = await import(pathToFileURL(join(root, file)).href);
  if (bench.name !== nameOf(file)) throw new Error(`${file} must export name = "${nameOf(file)}"`);
  const values = new Map();
  await bench.run((measurement) => {
    const line = lineOf(measurement, values);
    values.set(line.name, line.value);
    process.stdout.write(`${JSON.stringify(line)}\n`);
  });
  if (values.size === 0) throw new Error(`${file} measured nothing`);
}

function lineOf({ name, unit, per, ratioTo, samples, ...given }, values) {
  const { value, runs, spread } = samples === undefined ? given : statisticsOf(samples);
  const base = ratioTo === undefined ? undefined : values.get(ratioTo);
  const whole = [value, runs, spread].every(Number.isFinite) && [name, unit].every((text) => typeof text === "string");
  if (!whole || values.has(name)) throw new Error(`measurement ${name} is incomplete, or there twice`);
  if (ratioTo !== undefined && base === undefined) throw new Error(`${name}: nothing called ${ratioTo} before it`);
  const ratio = base === undefined ? undefined : rounded(value / base);
  return { name, value: rounded(value), unit, per, ratioTo, ratio, runs, spread: rounded(spread) };
}

function statisticsOf(samples) {
  const sorted = samples.toSorted((first, second) => first - second);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { value: median, runs: sorted.length, spread: (sorted.at(-1) - sorted[0]) / median };
}

// Four digits are more than any benchmark on a shared machine can tell.
function rounded(value) {
  return Number(value.toPrecision(4));
}
