// `node --import ./note-modules.mjs`: writes the URL of every module that the program loads to the file that
// NOTE_MODULES_IN names, one a line.
import { appendFileSync } from "node:fs";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

if (isMainThread) register(import.meta.url);

export async function load(url, context, nextLoad) {
  appendFileSync(process.env["NOTE_MODULES_IN"] ?? "", `${url}\n`);
  return nextLoad(url, context);
}
