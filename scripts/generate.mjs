// `pnpm generate`: writes the files that are made from code. `--check` writes nothing and fails where one is not as it
// would be written. To add a file, add a module to scripts/generators/ and name it in the list below; it exports
// `path`, and `make()`, which resolves with the text before formatting. The packages must be built.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { format, getFileInfo, resolveConfig } from "prettier";
import * as errorReference from "./generators/error-reference.mjs";
import * as machineChart from "./generators/machine-chart.mjs";
import * as machineConfig from "./generators/machine-config.mjs";
import * as machinePicture from "./generators/machine-picture.mjs";
import * as settingsReference from "./generators/settings-reference.mjs";
import { root } from "./lib/process.mjs";

/** @type {readonly {path: string, make: () => string | Promise<string>}[]} */
const generators = [errorReference, machineChart, machineConfig, machinePicture, settingsReference];
const check = process.argv.includes("--check");

for (const { path, make } of generators) {
  const file = join(root, path);
  const wanted = await formatted(file, await make());
  if (read(file) === wanted) continue;
  process.stderr.write(check ? `${path} is not up to date: run \`pnpm generate\`\n` : `wrote ${path}\n`);
  if (check) {
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, wanted);
  }
}

// So that formatting the repository never changes a generated file. What prettier does not know stays as it is.
async function formatted(file, text) {
  const info = await getFileInfo(file);
  return info.inferredParser === null ? text : format(text, { ...(await resolveConfig(file)), filepath: file });
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
