// Lets a test start a process from the sources on Node 20, which runs no TypeScript. As scripts/lib/typescript-hook.mjs
// does, but each file is compiled once per content: loading the compiler takes seconds, and these tests start many.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

if (isMainThread) register(import.meta.url);

const cache = join(tmpdir(), "fetch-image-compiled");

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return await nextLoad(url, context);
  return { format: "module", source: await compiled(readFileSync(fileURLToPath(url), "utf8")), shortCircuit: true };
}

/** @param {string} source */
async function compiled(source) {
  const file = join(cache, `${createHash("sha256").update(source).digest("hex")}.mjs`);
  try {
    return readFileSync(file, "utf8");
  } catch {
    const text = await compile(source);
    keep(file, text);
    return text;
  }
}

/** @param {string} source */
async function compile(source) {
  const { default: ts } = await import("typescript");
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
  });
  return outputText;
}

/**
 * @param {string} file
 * @param {string} text
 */
function keep(file, text) {
  // Several processes may do this at the same time: each file appears whole.
  const beside = `${file}.${process.pid}-${Math.random()}`;
  try {
    mkdirSync(cache, { recursive: true });
    writeFileSync(beside, text);
    renameSync(beside, file);
  } catch {
    // Another user's: it is compiled again the next time.
  }
}
