import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchImageMachine } from "@fetch-image/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AnyStateMachine } from "xstate";
import { toChart } from "../../scripts/chart/chart-model.mjs";
import { drawChart } from "../../scripts/chart/draw-chart.mjs";
import { layOut } from "../../scripts/chart/layout.mjs";
import { drawableMachines } from "../support/drawable-machines.ts";
import { pictureProblems } from "../support/picture-problems.ts";
import { elementsOf, type SvgElement } from "../support/svg-elements.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const machines = { ...drawableMachines, fetchImage: fetchImageMachine };
const cases = Object.entries(machines);

describe.each(cases)("the chart of the machine %s", (_, machine) => {
  test("has the states and transitions that XState makes of the config", () => {
    const { states, edges } = toChart(machine.config);
    const nodes = withDescendants(machine.root);
    expect(states.map(({ id, key, parent, type }) => ({ id, key, parent, type }))).toEqual(
      nodes.map(({ id, key, parent, type }) => ({ id, key, parent: parent?.id ?? null, type })),
    );
    expect(sorted(edges.filter(({ kind }) => kind !== "history").map(brief))).toEqual(
      sorted(nodes.flatMap(transitionsOf)),
    );
  });

  test("is the same when the config comes as JSON, save for the names of functions", () => {
    const json: unknown = JSON.parse(JSON.stringify(machine.config));
    expect(toChart(json).states.map(({ id }) => id)).toEqual(toChart(machine.config).states.map(({ id }) => id));
  });

  test("is laid out without anything on top of, out of or across anything else", async () => {
    const chart = toChart(machine.config);
    expect(pictureProblems(chart, await layOut(chart))).toEqual([]);
  });

  test("is drawn with each state and transition to be found by its id", async () => {
    const chart = toChart(machine.config);
    const elements = elementsOf(await drawChart(machine.config));
    const found = (name: string): string[] =>
      elements.flatMap(({ attributes }) => attributes.get(name)?.split(" ") ?? []);
    const spaceless = (id: string): string => id.replaceAll(" ", "_");
    expect(new Set(found("data-state"))).toEqual(new Set(chart.states.map(({ id }) => spaceless(id))));
    expect(new Set(found("data-edge"))).toEqual(new Set(chart.edges.map(({ id }) => spaceless(id))));
    const ids = found("id");
    expect(ids).toHaveLength(new Set(ids).size);
  });
});

test("a fact's transition is told by its ends: no two of one event lead from one state to the same one", () => {
  const { edges } = toChart(fetchImageMachine.config);
  const ends = edges
    .filter(({ kind }) => kind === "event" || kind === "after")
    .map(({ source, eventType, targets }) => [source, eventType, ...targets].join(" "));
  expect(ends.length).toBeGreaterThan(15);
  expect(new Set(ends).size).toBe(ends.length);
});

describe("a picture", () => {
  test("has the same bytes whenever and wherever it is drawn", async () => {
    const configs = cases.map(([, { config }]) => JSON.stringify(config));
    const draw = (json: string): Promise<string> => drawChart(JSON.parse(json));
    const pictures: string[] = [];
    for (const json of configs) pictures.push(await draw(json));
    for (const [index, json] of configs.entries()) expect(await draw(json)).toBe(pictures[index]);

    const script = `import { drawChart } from ${JSON.stringify(join(root, "scripts/chart/draw-chart.mjs"))};
      const pictures = [];
      for (const json of process.argv.slice(1)) pictures.push(await drawChart(JSON.parse(json)));
      process.stdout.write(JSON.stringify(pictures));`;
    const args = ["--input-type=module", "--eval", script, ...configs.toReversed()];
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
    expect(JSON.parse(stdout)).toEqual(pictures.toReversed());
  });

  test("says in words what it shows, and in pills the order, guard, delay and actions of transitions", async () => {
    const nested = await drawChart(machines.nested.config);
    expect(pillOf(nested, "checkout.paying.card.entering/event/SUBMIT/1")).toEqual(["1", "SUBMIT", "IF", "isValid"]);
    expect(nested).toContain("checkout begins in shopping. ");
    const odd = await drawChart(machines.odd.config);
    const first = `odd_&_<every>_"thing".first.1`;
    expect(pillOf(odd, `${first}/after/90000/1`)).toEqual(["1", "after 1.5 min", "IF", "isLate"]);
    expect(pillOf(odd, `${first}/after/90000/2`)).toEqual(["2", "after 1.5 min", "ELSE", "wait"]);
    const description = "Only when all is well.";
    expect(pillOf(odd, `${first}/event/NEXT/1`)).toEqual([
      // Beside a pointer, and on the pill.
      description,
      "NEXT",
      "IF",
      "isA and (isB or not isC)",
      description,
    ]);
    expect(texts(odd)).toEqual(expect.arrayContaining(["raise NEXT", "assign", "inline", `page: 1, deep: {"a":[2]}`]));
  });

  test("takes names and descriptions as text, whatever stands in them", async () => {
    const odd = await drawChart(machines.odd.config);
    expect(elementsOf(odd).map(({ name }) => name)).not.toContain("b");
    expect(texts(odd)).toContain(`<b>Words</b> & "quotes" :`);
    expect(odd).not.toContain("\u0000");
  });

  test("has its colours for light and for dark, chosen by the reader's system or by who shows it", async () => {
    const picture = await drawChart(machines.lone.config);
    const [, dark = ""] = picture.split("@media(prefers-color-scheme:dark)");
    const used = [...new Set([...picture.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name ?? ""))].toSorted();
    const set = (css: string): string[] => [...css.matchAll(/(--[\w-]+):#/g)].map(([, name]) => name ?? "");
    expect(set(dark).toSorted()).toEqual(used);
    const forced = picture.split(`[data-theme="dark"]{`)[1]?.split("}")[0] ?? "";
    expect(set(forced).toSorted()).toEqual(used);
    expect(dark).toContain(`:not([data-theme="light"])`);
  });

  test("is refused where a transition leads to no state, which is named", async () => {
    const config = { id: "m", initial: "a", states: { a: { on: { GO: "nowhere" } } } };
    await expect(drawChart(config)).rejects.toThrow(`m.a/event/GO/1: the target "nowhere" is no state of m`);
  });
});

describe("docs/machine.svg", () => {
  let repository: string;
  beforeEach(() => {
    repository = mkdtempSync(join(tmpdir(), "fetch-image-picture-"));
    for (const name of ["package.json", "docs", "scripts"])
      cpSync(join(root, name), join(repository, name), { recursive: true });
    for (const name of ["packages", "node_modules"]) symlinkSync(join(root, name), join(repository, name));
  });
  afterEach(() => rmSync(repository, { recursive: true }));

  test("is the machine as it is now", async () => {
    expect(readFileSync(join(root, "docs/machine.svg"), "utf8")).toBe(await drawChart(fetchImageMachine.config));
  });

  test("fails `generate --check` when it is stale, and `generate` mends it", () => {
    const file = join(repository, "docs/machine.svg");
    const committed = readFileSync(file, "utf8");
    const stale = committed.replace(">checking<", ">checked<");
    writeFileSync(file, stale);
    const { status, stderr } = generate("--check");
    expect(status).toBe(1);
    expect(stderr).toContain("docs/machine.svg is not up to date: run `pnpm generate`\n");
    expect(readFileSync(file, "utf8")).toBe(stale);
    expect(generate().status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(committed);
  });

  function generate(...args: string[]): { readonly status: number | null; readonly stderr: string } {
    const script = join(repository, "scripts/generate.mjs");
    return spawnSync(process.execPath, [script, ...args], { cwd: repository, encoding: "utf8" });
  }
});

type Node = AnyStateMachine["root"];

function withDescendants(node: Node): Node[] {
  return [node, ...Object.values(node.states).flatMap(withDescendants)];
}

interface Brief {
  readonly source: string;
  readonly eventType: string;
  readonly targets: readonly string[];
}

const brief = ({ source, eventType, targets }: Brief): Brief => ({ source, eventType, targets });

/** In XState's own words; what it calls null is an initial transition, and the empty event `always`. */
function transitionsOf(node: Node): Brief[] {
  const initial = node.type === "compound" ? [node.initial] : [];
  const all = [...initial, ...[...node.transitions.values()].flat(), ...(node.always ?? [])];
  return all.map(({ eventType, target }) => ({
    source: node.id,
    eventType: eventType ?? "",
    targets: (target ?? []).map(({ id }) => id),
  }));
}

const sorted = (briefs: readonly Brief[]): string[] => briefs.map((each) => JSON.stringify(each)).toSorted();

const texts = (svg: string): string[] =>
  elementsOf(svg)
    .filter(({ name }) => name === "text")
    .flatMap(({ texts }) => texts);

/** The words on one transition's pill. */
function pillOf(svg: string, edge: string): readonly string[] {
  const isPill = ({ attributes }: SvgElement): boolean =>
    attributes.get("data-edge") === edge && attributes.has("data-source");
  return elementsOf(svg).find(isPill)?.texts ?? [];
}
