// Lets a benchmark import the tests' own support (test/support/*.ts) on Node 20, which runs no TypeScript: types are
// stripped as the file loads. Packages are still imported as they are published.
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import ts from "typescript";

if (process.env["FETCH_IMAGE_TYPESCRIPT_HOOK"] === undefined) {
  process.env["FETCH_IMAGE_TYPESCRIPT_HOOK"] = "on";
  register(import.meta.url);
}

export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return await nextLoad(url, context);
  const source = await readFile(fileURLToPath(url), "utf8");
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
  });
  return { format: "module", source: outputText, shortCircuit: true };
}
