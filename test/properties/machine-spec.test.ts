// SPEC.md is true: each of its lines is the name of a test, each such test is a line, and its tables are the machine's.
import { readFileSync } from "node:fs";
import { fetchImageMachine } from "@fetch-image/core";
import { expect, test } from "vitest";
import { transitions } from "../support/transition-table.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

const spec = read("packages/core/src/fetch-image/SPEC.md");
const tableRows = spec
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split("|").map((cell) => cell.trim()));

const lines = tableRows.flatMap(([, id = "", says = "", heldBy = ""]) =>
  /^[IHSC]\d+$/.test(id) ? [{ name: `${id}: ${says}`, file: heldBy.replaceAll("`", "") }] : [],
);

test("each line of SPEC.md is the name of a test in the file that it names, and each such test is a line", () => {
  const files = [...new Set(lines.map(({ file }) => file))];
  const tests = files.flatMap((file) => {
    const titles = read(file).matchAll(/^ *(?:test|describe)\(\s*"([IHSC]\d+: [^"]+)"/gm);
    return [...titles].map(([, name]) => ({ name, file }));
  });
  expect(sorted(tests)).toEqual(sorted(lines));
  expect(new Set(lines.map(({ name }) => name.split(":")[0])).size).toBe(lines.length);
});

test("SPEC.md lists the machine's states, in its order", () => {
  const states = rowsBelow("## States").map(([, state]) => state);
  expect(states).toEqual(Object.keys(fetchImageMachine.states).map((state) => `\`${state}\``));
});

test("SPEC.md tells which states take which facts, as the transition table does", () => {
  const told = rowsBelow("## Facts that move a fetch").map(([, fact, takenIn = ""]) => [
    fact,
    [...takenIn.matchAll(/`([^`]+)`/g)].map(([, state = ""]) => state).toSorted(),
  ]);
  const done = new Map<string, Set<string>>();
  for (const [state, row] of Object.entries(transitions)) {
    for (const [occasion, cell] of Object.entries(row)) {
      if (cell === "ignored" || cell === "unreachable") continue;
      const fact = `\`${occasion.split(":")[0]}\``;
      done.set(fact, (done.get(fact) ?? new Set()).add(state));
    }
  }
  expect(new Map(told as [string, string[]][])).toEqual(
    new Map([...done].map(([fact, states]) => [fact, [...states].toSorted()])),
  );
});

test("C1: the machine's file imports values from xstate alone", () => {
  const imports = [
    ...read("packages/core/src/fetch-image/machine.ts").matchAll(/^import (type )?.*from "([^"]+)";$/gm),
  ];
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.flatMap(([, onlyTypes, from]) => (onlyTypes === undefined ? [from] : []))).toEqual(["xstate"]);
});

function rowsBelow(heading: string): readonly string[][] {
  const section = spec.slice(spec.indexOf(heading) + heading.length).split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  // The first two are the table's head.
  return rows.slice(2).map((line) => line.split("|").map((cell) => cell.trim()));
}

function sorted(named: readonly { readonly name: string | undefined; readonly file: string }[]): string[] {
  return named.map(({ name, file }) => `${file} ${name}`).toSorted();
}
