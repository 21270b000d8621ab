// The machine, opened by tools that know nothing of this project: Stately's take a machine's file, or its config.
import { fetchImageMachine, machineDefinition } from "@fetch-image/core";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import ts from "typescript";
import { expect, test } from "vitest";
import * as xstate from "xstate";
import { repository } from "../support/cli.ts";

const shapeOf = (machine: xstate.AnyStateMachine): unknown =>
  Object.fromEntries(
    Object.values(machine.states).map((state) => [
      state.key,
      {
        type: state.type,
        description: state.description,
        leads: [...state.transitions.values(), state.always ?? []]
          .flat()
          .map(({ eventType, target, guard }) => [eventType, target?.map(({ key }) => key), nameOf(guard)]),
      },
    ]),
  );
const nameOf = (guard: unknown): unknown =>
  typeof guard === "object" && guard !== null && "type" in guard ? guard.type : guard;

test("the machine opens from its definition: the same states, transitions and guards", () => {
  expect(shapeOf(xstate.createMachine(JSON.parse(machineDefinition())))).toEqual(shapeOf(fetchImageMachine));
});

test("the machine opens from its file as it is, with nothing but xstate in reach", () => {
  const file = readFileSync(join(repository, "packages/core/src/fetch-image/machine.ts"), "utf8");
  const module = ts.ModuleKind.CommonJS;
  const { outputText } = ts.transpileModule(file, { compilerOptions: { module, target: ts.ScriptTarget.ES2022 } });
  const exports: { fetchImageMachine?: xstate.AnyStateMachine } = {};
  const require = (name: string): unknown => {
    if (name === "xstate") return xstate;
    throw new Error(`the machine's file wants ${name}`);
  };
  runInNewContext(outputText, { exports, require });
  const { fetchImageMachine: opened } = exports;
  if (opened === undefined) throw new Error("the file has no machine");
  expect(shapeOf(opened)).toEqual(shapeOf(fetchImageMachine));
  expect(file.match(/\.createMachine\(/g)).toHaveLength(1);
});

test("the machine opens from docs/machine.json", () => {
  const config = JSON.parse(readFileSync(join(repository, "docs/machine.json"), "utf8"));
  expect(config).toEqual(JSON.parse(machineDefinition()));
});
