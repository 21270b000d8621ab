import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A file of a repository that is laid out like ours, what it imports, and the rules that this breaks. */
type Case = readonly [file: string, imports: string, ...rules: string[]];

const cases: readonly Case[] = [
  ["packages/core/src/clean.ts", `import "xstate"; import "zod"; import "./index.ts";`],
  ["packages/core/src/reads.ts", `import "node:fs";`, "core-is-pure"],
  ["packages/core/src/drives.ts", `import "pg";`, "core-is-pure", "store-pg-in-postgres"],
  ["packages/core/src/up.ts", `import "@fetch-image/engine";`, "core-is-pure", "core-depends-on"],
  ["packages/core/src/clean.test.ts", `import "vitest"; import "./clean.ts";`],
  ["packages/core/src/far.test.ts", `import "node:fs";`, "core-tests-are-pure"],
  ["packages/core/src/fetch-image/machine.ts", `import "xstate"; import type { a } from "../index.ts";`],
  ["packages/core/src/fetch-image/machine.test.ts", `import "./machine.ts";`],
  ["packages/core/src/missing.ts", `import "nowhere";`, "core-is-pure", "resolvable"],
  // A cycle is told once.
  ["packages/core/src/round.ts", `import "./about.ts";`],
  ["packages/core/src/about.ts", `import "./round.ts";`, "no-cycles"],
  ["packages/engine/src/clean.ts", `import "@fetch-image/core/fetching"; import "node:crypto";`],
  ["packages/engine/src/slow.ts", `import "@fetch-image/core";`, "engine-starts-fast"],
  ["packages/engine/src/drives.ts", `import "undici";`, "engine-drags-in-no-driver"],
  ["packages/engine/src/wires.ts", `import "@fetch-image/store/memory";`, "engine-depends-on"],
  [
    "packages/store/src/postgres/clean.ts",
    `import "pg"; import "../sql/shared.ts"; import "@fetch-image/core/fetching";`,
  ],
  ["packages/store/src/postgres/slow.ts", `import "@fetch-image/core";`, "engine-starts-fast"],
  ["packages/store/src/postgres/other.ts", `import "../memory/index.ts";`, "store-vendors-apart"],
  ["packages/store/src/pglite/drives.ts", `import "pg";`, "store-pg-in-postgres"],
  ["packages/store/src/sql/shared.ts", `import type { Pool } from "pg";`],
  ["packages/store/src/sql/down.ts", `import "../postgres/clean.ts";`, "store-shared-knows-no-vendor"],
  ["packages/registry/src/other.ts", `import "@fetch-image/store/memory";`, "registry-depends-on"],
  ["packages/registry/src/deep.ts", `import "../../core/src/clean.ts";`, "packages-by-name"],
  ["packages/kubernetes/src/tests.ts", `import "../../../test/helper.ts";`, "nobody-imports-test"],
  ["packages/inspector/src/wires.ts", `import "@fetch-image/store/memory";`, "inspector-depends-on"],
  ["packages/registry/src/top.ts", `import "@fetch-image/cli";`, "registry-depends-on", "nobody-imports-cli"],
  ["packages/cli/src/clean.ts", `import "@fetch-image/store/memory"; import "@fetch-image/engine";`],
  ["test/helper.ts", `import "@fetch-image/store/memory";`],
  ["test/deep.ts", `import "../packages/core/src/clean.ts";`, "packages-by-name"],
];
const broken = { "packages/core/src/fetch-image/machine.ts": `import "zod"; import "xstate";` };

interface Report {
  readonly summary: { readonly violations: readonly { from: string; rule: { name: string } }[] };
}

let repository: string;
let found: readonly string[];
beforeAll(() => {
  repository = mkdtempSync(join(tmpdir(), "fetch-image-boundaries-"));
  cpSync(join(root, "tsconfig.base.json"), join(repository, "tsconfig.base.json"));
  for (const name of ["xstate", "zod", "pg", "undici", "vitest"]) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
    write(`node_modules/${name}/index.js`, "");
  }
  for (const name of ["engine", "cli"]) addPackage(name, { ".": { "fetch-image:source": "./src/index.ts" } });
  addPackage("core", {
    ".": { "fetch-image:source": "./src/index.ts" },
    "./fetching": { "fetch-image:source": "./src/fetching.ts" },
  });
  addPackage("store", { "./memory": { "fetch-image:source": "./src/memory/index.ts" } });
  for (const file of ["core/src", "engine/src", "cli/src", "store/src/memory"]) {
    write(`packages/${file}/index.ts`, "export const a = 1;");
  }
  write("packages/core/src/fetching.ts", "export const a = 1;");
  for (const [file, imports] of cases) write(file, imports);
  found = violations();
});
afterAll(() => rmSync(repository, { recursive: true }));

test("every rule of the boundaries fires on what it forbids, and on nothing else", () => {
  expect(found).toEqual(cases.flatMap(([file, , ...rules]) => rules.map((rule) => `${file}: ${rule}`)).toSorted());
});

test("the machine may not import a value from anything but xstate", () => {
  for (const [file, imports] of Object.entries(broken)) write(file, imports);
  const added = violations().filter((violation) => !found.includes(violation));
  expect(added).toEqual(["packages/core/src/fetch-image/machine.ts: machine-is-alone"]);
});

function violations(): string[] {
  const depcruise = join(root, "node_modules", ".bin", "depcruise");
  const config = join(root, ".dependency-cruiser.cjs");
  const args = ["packages", "test", "--config", config, "--output-type", "json"];
  const { stdout, stderr } = spawnSync(depcruise, args, { cwd: repository, encoding: "utf8", maxBuffer: 2 ** 26 });
  expect(stderr).toBe("");
  const report: Report = JSON.parse(stdout);
  return [...new Set(report.summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`))].toSorted();
}

function addPackage(name: string, exports: object): void {
  write(`packages/${name}/package.json`, JSON.stringify({ name: `@fetch-image/${name}`, type: "module", exports }));
  mkdirSync(join(repository, "node_modules", "@fetch-image"), { recursive: true });
  symlinkSync(join(repository, "packages", name), join(repository, "node_modules", "@fetch-image", name));
}

function write(file: string, text: string): void {
  mkdirSync(dirname(join(repository, file)), { recursive: true });
  writeFileSync(join(repository, file), text);
}
