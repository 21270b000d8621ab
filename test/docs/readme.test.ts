import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import * as engine from "@fetch-image/engine";
import * as registry from "@fetch-image/registry";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { runInThisContext } from "node:vm";
import ts from "typescript";
import { expect, test } from "vitest";

const readme = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");

test("the README's embedding example is at most ten lines long and resolves an image as it stands there", async () => {
  await using embedded = await startEmbeddedRegistry();
  const { digest } = await embedded.push("acme/go:1.26");
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  expect(
    example
      .trim()
      .split("\n")
      .filter((line) => line !== "").length,
  ).toBeLessThanOrEqual(10);

  const modules: { readonly [name: string]: unknown } = {
    "@fetch-image/engine": engine,
    "@fetch-image/registry": registry,
    // The one thing a reader brings along: here a log in memory stands for a database server.
    "@fetch-image/store/postgres": { createPostgresEventLog: () => createMemoryEventLog() },
  };
  const body = example
    .replaceAll(/^import (\{.*\}) from "(.*)";$/gm, 'const $1 = modules["$2"];')
    .replaceAll("registry.example.com", embedded.host);
  const source = `(async (modules) => {\n${body}\nreturn imageURL;\n})`;
  const { outputText } = ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ES2022 } });
  const run: (given: typeof modules) => Promise<string> = runInThisContext(outputText);
  expect(await run(modules)).toBe(`docker:///${embedded.host}/acme/go:1.26@${digest}`);
  expect(embedded.counts).toMatchObject({ manifestHead: 1, manifestGet: 0, blob: 0 });
});

const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, target = ""]) => target);

test.each(links)("the README's link to %s leads to something", (target) => {
  expect(existsSync(fileURLToPath(new URL(`../../${target}`, import.meta.url)))).toBe(true);
});
