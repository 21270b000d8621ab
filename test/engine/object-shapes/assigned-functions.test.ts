import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { filesBelow } from "../../support/files-below.ts";
import { assignedFunctions } from "./assigned-functions.ts";

const packages = fileURLToPath(new URL("../../../packages/", import.meta.url));

// docs/decisions/0021: such a function is made in the old generation, and with it stays whatever it sees.
test.each(["core", "engine", "registry", "store"])(
  "%s assigns no function to a property where it is written",
  (name) => {
    const sources = filesBelow(join(packages, name, "src")).filter((file) => /(?<!\.test)\.ts$/.test(file));
    const found = sources.flatMap((file) =>
      assignedFunctions(readFileSync(join(packages, name, "src", file), "utf8")).map((where) => `${file}:${where}`),
    );
    expect(found).toEqual([]);
  },
);

test.each([
  ["run.onEnd = (error) => end(error);", ["1: run.onEnd"]],
  ["class A { #f; constructor() {\n this.#f ??= function () {}; } }", ["2: this.#f"]],
  ["handlers[name] = (async () => {});", ["1: handlers[name]"]],
  ["const onEnd = () => {}; run.onEnd = onEnd; ended = () => {};", []],
])("in %j it finds %j", (source, found) => {
  expect(assignedFunctions(source)).toEqual(found);
});

// CreateClosure's last operand: 1 asks for the old generation, 2 for a young function, made without leaving the bytecode.
test.runIf(process.versions.node.startsWith("20."))(
  "V8 makes it in the old generation, and one with a name not",
  () => {
    expect(closureFlags("holder.f = () => x")).toEqual(["#1"]);
    expect(closureFlags("const f = () => x; holder.f = f")).toEqual(["#2"]);
  },
);

function closureFlags(statement: string): readonly (string | undefined)[] {
  const program = `function probed(holder, x) { ${statement}; } probed({}, 1);`;
  const flags = ["--print-bytecode", "--print-bytecode-filter=probed"];
  const printed = execFileSync(process.execPath, [...flags, "--eval", program], { encoding: "utf8" });
  return [...printed.matchAll(/CreateClosure .*(#\d)/g)].map(([, flag]) => flag);
}
