// `npm run pack -- FOLDER`: puts a tarball of each package into FOLDER, as it would be published, and prints how to install
// them into a project of one's own.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { packAll } from "./lib/pack.mjs";
import { prepare } from "./lib/prepare.mjs";

const [folder, ...more] = process.argv.slice(2);

if (folder === undefined || folder.startsWith("-") || more.length > 0) {
  process.stderr.write("usage: npm run pack -- FOLDER\n");
  process.exitCode = 2;
} else {
  try {
    await prepare();
    mkdirSync(folder, { recursive: true });
    for (const tarball of await packAll(folder)) process.stdout.write(`${tarball}\n`);
    process.stderr.write(`In the project that is to use them: npm install ${join(resolve(folder), "*.tgz")}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
