import {
  type CheckPlan,
  type GetPlan,
  goDuration,
  imagesOf,
  type Json,
  type JsonObject,
  parsePipeline,
  type Pipeline,
  type Plan,
  planJob,
  publicPlan,
  resolveVars,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seedFromEnv } from "./seed.ts";

const canary = "canary-4f1d";
const runs = { seed: seedFromEnv(), numRuns: 60 };

const json: fc.Arbitrary<JsonObject> = fc
  .dictionary(
    fc.constantFrom("a", "b", "password", "c-d"),
    fc.oneof(fc.constant(canary), fc.jsonValue({ maxDepth: 2 })),
  )
  .map(toJson);
const tags = fc.option(fc.array(fc.constantFrom("x", "y"), { maxLength: 2 }), { nil: undefined });
const resourceNames = ["of-base", "of-custom", "of-nested", "of-pinned"];
const declarations = fc.record({ source: json, defaults: json, tags }).map(({ source, defaults, tags }) => ({
  resource_types: [
    { name: "custom", type: "registry-image", source, defaults, tags },
    { name: "nested", type: "custom", source, params: source, check_every: "24h" },
    { name: "pinned", type: "nested", source, version: { digest: "sha256:1" } },
  ],
  resources: resourceNames.map((name) => ({ name, type: name.replace("of-base", "git").replace("of-", ""), source })),
}));

const hookKinds = fc.constantFrom("on_success", "on_failure", "on_abort", "on_error", "ensure");
const { step } = fc.letrec<{ step: JsonObject }>((tie) => ({
  step: fc
    .tuple(
      fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf(), inner(tie("step"))),
      fc.oneof(
        { depthSize: "small", depthIdentifier: "hook" },
        fc.constant({}),
        fc.tuple(hookKinds, tie("step")).map(([kind, hook]) => ({ [kind]: hook })),
      ),
      fc.oneof(
        { weight: 6, arbitrary: fc.constant({}) },
        fc.record({ attempts: fc.integer({ min: 1, max: 2 }) }),
        fc.record({ timeout: fc.constantFrom("1h", "90m") }),
        fc.record({
          across: fc.constant([{ var: "v", values: [canary, { k: canary }] }]),
          fail_fast: fc.boolean(),
        }),
      ),
    )
    .map(([core, hooks, modifier]) => toJson({ ...core, ...hooks, ...modifier })),
}));

const pipelines = fc.record({ declarations, plan: fc.array(step, { maxLength: 3 }), ensure: fc.option(step) });

test("P1: whatever the text, reading it ends in a pipeline or in one of our errors", () => {
  const pieces = fc.constantFrom(
    ...Array.from("[]{}:,-?!&*|>'\"%@#\n\t "),
    "((a))",
    "<<",
    "jobs",
    "name",
    "plan",
    "&a",
    "*a",
    "- ",
    "  ",
  );
  const junk = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(pieces).map((parts) => parts.join("")),
  );
  const broken = fc
    .tuple(pipelines, fc.nat(), fc.nat({ max: 20 }), fc.oneof(pieces, fc.string()))
    .map(([drawn, at, length, put]) => {
      const text = textOf(drawn);
      const from = at % text.length;
      return text.slice(0, from) + put + text.slice(from + length);
    });
  fc.assert(
    fc.property(fc.oneof(junk, broken), (text) => {
      const parsed = parsePipeline(text, { file: "f" });
      const { code, message } = parsed.ok ? { code: "fine", message: "f:1:1: fine" } : parsed.error;
      expect(["fine", "FI_PIPELINE_INVALID", "FI_RESOURCE_TYPE_CYCLE"]).toContain(code);
      expect(message).toMatch(/^f:\d+:\d+: ./);
    }),
    { ...runs, numRuns: 150 },
  );
});

test("P2: plan ids are unique; inner plans are drawn before outer ones; an image's id is its step's", () => {
  fc.assert(
    fc.property(pipelines, fc.nat({ max: 2 ** 31 }), (drawn, seed) => {
      const plan = planOf(drawn, seed);
      const all = everyPlan(plan);
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      expect(Number.parseInt(plan.id, 16)).toBeGreaterThan(seed);
      const drawnIds = all.filter(({ id }) => !id.includes("/"));
      const inverted = drawnIds.flatMap((outer) =>
        stepsOf(outer).filter(
          ({ id }) => !id.includes("/") && Number.parseInt(id, 16) >= Number.parseInt(outer.id, 16),
        ),
      );
      expect(inverted).toEqual([]);
      const images = all.flatMap((step) => imagePlansOf(step).map(({ id, get }) => [step.id, id, get?.name]));
      expect(images.filter(([step, id, get]) => id !== `${step}/image-${get === undefined ? "check" : "get"}`)).toEqual(
        [],
      );
    }),
    runs,
  );
});

test("P3: nothing of a source, of params, of vars or of values is in a public plan", () => {
  fc.assert(
    fc.property(pipelines, (drawn) => {
      const plan = planOf(drawn);
      const seen = JSON.stringify(publicPlan(plan));
      expect(seen).not.toContain(canary);
      expect(seen).not.toMatch(
        /"(?:source|params|vars":\{|values|substep_template|config|get_params|inputs|tags|defaults)"/,
      );
      expect(publicIds(publicPlan(plan))).toEqual(
        everyPlan(plan, false)
          .map(({ id }) => id)
          .toSorted(),
      );
    }),
    runs,
  );
});

test("P4: each step has its image, and what the image's own fetch needs comes before it", () => {
  fc.assert(
    fc.property(pipelines, (drawn) => {
      const plan = planOf(drawn);
      const needs = imagesOf(plan);
      const ofTypes = needs.filter(({ kind }) => kind === "base" || kind === "type").map(({ stepId }) => stepId);
      const typed = everyPlan(plan).filter(({ id, get, put }) => (get ?? put) !== undefined && !id.includes("/image-"));
      expect(ofTypes.filter((id) => !id.includes("/image-"))).toEqual(
        expect.arrayContaining(typed.map(({ id }) => id)),
      );
      expect(new Set(ofTypes).size).toBe(ofTypes.length);
      const places = new Map(needs.map((need, index) => [`${need.stepId} ${need.kind}`, index]));
      const misplaced = needs.flatMap((need, index) => {
        if (need.kind !== "type" && need.kind !== "task") return [];
        const fetches = [need.checkPlan, need.getPlan].filter((one) => one !== undefined);
        return fetches.filter((inner) => {
          const place = places.get(`${inner.id} type`);
          const isNested = (inner.check ?? inner.get)?.image_get_plan !== undefined;
          return isNested ? place === undefined || place >= index : place !== undefined;
        });
      });
      expect(misplaced).toEqual([]);
    }),
    runs,
  );
});

test("P5: a pipeline with all of its vars has none left, and gives the plan it would have had without them", async () => {
  await fc.assert(
    fc.asyncProperty(pipelines, async (drawn) => {
      const { declarations } = drawn;
      const [type] = declarations.resource_types;
      const withVars = {
        ...declarations,
        resource_types: declarations.resource_types.map((one) => ({ ...one, source: "((given))" })),
        resources: declarations.resources.map((one) => ({ ...one, source: "((vault:a.b))" })),
      };
      const resolved = await resolveVars(parsed(textOf({ ...drawn, declarations: withVars })), {
        values: [{ given: type?.source ?? {} }],
        source: { get: () => Promise.resolve({ found: true, value: type?.source ?? {} }) },
      });
      if (!resolved.ok) throw resolved.error;
      expect(resolved.pipeline.unresolved).toEqual([]);
      expect(planJob(resolved.pipeline, "unit")).toEqual(planJob(parsed(textOf(drawn)), "unit"));
      const usesSource = declarations.resources.length > 0 && JSON.stringify(type?.source).includes(canary);
      expect(usesSource && !resolved.secrets.includes(canary)).toBe(false);
    }),
    runs,
  );
});

test("P6: types are refused as a cycle exactly where one of them rests on itself and on no base type", () => {
  const names = ["a", "b", "c", "git", "time"];
  const graph = fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), type: fc.constantFrom(...names) }), {
    selector: ({ name }) => name,
  });
  fc.assert(
    fc.property(graph, (types) => {
      const endings = types.map(({ name }) => ending(name, types));
      const isCycle = types.some(
        (_, index) =>
          names.slice(0, 3).includes(endings[index] ?? "") && types.some(({ name }) => name === endings[index]),
      );
      const isUnknown = types.some(
        ({ type }) => names.slice(0, 3).includes(type) && !types.some(({ name }) => name === type),
      );
      const result = parsePipeline(JSON.stringify({ resource_types: types, jobs: [{ name: "j" }] }), { file: "f" });
      const verdict = result.ok ? "fine" : result.error.code;
      expect(verdict).toBe(isCycle ? "FI_RESOURCE_TYPE_CYCLE" : isUnknown ? "FI_PIPELINE_INVALID" : "fine");
    }),
    { ...runs, numRuns: 500 },
  );
});

test("P7: JSON is YAML: every value arrives as it was written", () => {
  const anything = fc
    .dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 4, noUnicodeString: false }))
    .map(toJson)
    .filter((value) => !JSON.stringify(value).includes("(("));
  fc.assert(
    fc.property(anything, (source) => {
      const text = JSON.stringify({ resources: [{ name: "r", type: "git", source }], jobs: [{ name: "j" }] });
      expect(parsed(text).resources[0]?.source).toEqual(source);
    }),
    { ...runs, numRuns: 500 },
  );
});

test("P8: a duration keeps its length when it is written again, and is then written the same", () => {
  const units: { readonly [unit: string]: bigint } = {
    ns: 1n,
    us: 1000n,
    ms: 1_000_000n,
    s: 1_000_000_000n,
    m: 60_000_000_000n,
    h: 3_600_000_000_000n,
  };
  const part = fc.tuple(fc.nat({ max: 100_000 }), fc.constantFrom("ns", "us", "ms", "s", "m", "h"));
  const lengthOf = (text: string): bigint =>
    [...text.replaceAll("\u00b5s", "us").matchAll(/(\d+)(?:\.(\d+))?(ns|us|ms|s|m|h)/g)].reduce(
      (sum, [, whole = "", rest = "", unit]) => {
        const size = units[unit ?? ""] ?? 0n;
        return sum + BigInt(whole) * size + (BigInt(rest || "0") * size) / 10n ** BigInt(rest.length);
      },
      0n,
    );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const text = parts.map(([amount, unit]) => `${amount}${unit}`).join("");
      const written = goDuration(text);
      expect(lengthOf(written ?? "")).toBe(lengthOf(text));
      expect(goDuration(written ?? "")).toBe(written);
    }),
    runs,
  );
});

/** Where Concourse ends up that follows a type: each type is out of sight below itself. */
function ending(name: string, types: readonly { readonly name: string; readonly type: string }[]): string {
  const type = types.find((one) => one.name === name);
  return type === undefined
    ? name
    : ending(
        type.type,
        types.filter((one) => one !== type),
      );
}

function leaf(): fc.Arbitrary<JsonObject> {
  const resource = fc.constantFrom(...resourceNames);
  const image = fc.record({ type: fc.constantFrom("registry-image", "custom", "nested"), source: json, params: json });
  const config = fc.oneof(fc.constant({}), fc.record({ image_resource: image, params: json }));
  return fc
    .oneof(
      fc.record({ get: fc.constant("g"), resource, params: json, tags }),
      fc.record({ put: fc.constant("p"), resource, params: json, get_params: json, tags, no_get: fc.boolean() }),
      fc.record({
        task: fc.constant("t"),
        config: config.map((one) => ({ platform: "linux", ...one })),
        vars: json,
        tags,
      }),
      fc.record({ task: fc.constant("f"), file: fc.constant("p/t.yml"), vars: json, privileged: fc.boolean() }),
      fc.record({ set_pipeline: fc.constant("s"), file: fc.constant("f"), vars: json, instance_vars: json }),
      fc.record({ load_var: fc.constant("l"), file: fc.constant(canary) }),
    )
    .map(toJson);
}

function inner(tied: fc.Arbitrary<JsonObject>): fc.Arbitrary<JsonObject> {
  const steps = fc.array(tied, { maxLength: 3 });
  return fc
    .oneof(
      steps.map((list) => ({ do: list })),
      steps.map((list) => ({ in_parallel: list })),
      fc.record({ in_parallel: fc.record({ steps, limit: fc.integer({ min: 1, max: 9 }), fail_fast: fc.boolean() }) }),
      tied.map((one) => ({ try: one })),
    )
    .map(toJson);
}

type Drawn = { declarations: object; plan: readonly JsonObject[]; ensure: JsonObject | null };

/** Gets get names of their own: a job cannot have two of one. */
function textOf({ declarations, plan, ensure }: Drawn): string {
  let gets = 0;
  const job = { name: "unit", plan, ...(ensure === null ? {} : { ensure }) };
  return JSON.stringify({ ...declarations, jobs: [job] }, (key, value: unknown) =>
    key === "get" ? `g${gets++}` : value,
  );
}

function parsed(text: string): Pipeline {
  const result = parsePipeline(text, { file: "f" });
  if (!result.ok) throw result.error;
  return result.pipeline;
}

function planOf(drawn: Drawn, idSeed?: number): Plan {
  const planned = planJob(parsed(textOf(drawn)), "unit", idSeed === undefined ? {} : { idSeed });
  if (!planned.ok) throw planned.error;
  return planned.plan;
}

function everyPlan(plan: Plan, acrossToo: boolean = true): readonly Plan[] {
  const inside = plan.across !== undefined && !acrossToo ? [] : stepsOf(plan);
  return [plan, ...[...imagePlansOf(plan), ...inside].flatMap((one) => everyPlan(one, acrossToo))];
}

function stepsOf(plan: Plan): readonly Plan[] {
  const { do: steps = [], in_parallel, retry = [], across, try: tried, timeout } = plan;
  const { on_success, on_failure, on_abort, on_error, ensure } = plan;
  const hooks = [
    on_success?.step,
    on_success?.on_success,
    on_failure?.step,
    on_failure?.on_failure,
    on_abort?.step,
    on_abort?.on_abort,
    on_error?.step,
    on_error?.on_error,
    ensure?.step,
    ensure?.ensure,
  ];
  const lists = [...steps, ...(in_parallel?.steps ?? []), ...retry, ...(across?.steps ?? []).map(({ step }) => step)];
  return [...lists, tried?.step, timeout?.step, ...hooks].filter((step) => step !== undefined);
}

function imagePlansOf({ get, put, check }: Plan): readonly (CheckPlan | GetPlan)[] {
  const body = get ?? put ?? check;
  return [body?.image_check_plan, body?.image_get_plan].filter((plan) => plan !== undefined);
}

function publicIds(plan: Json): readonly string[] {
  const ids: string[] = [];
  JSON.stringify(plan, (key, value: unknown) => {
    if (key === "id") ids.push(String(value));
    return value;
  });
  return ids.toSorted();
}

/** What JSON makes of it: no undefined, no negative zero. */
function toJson(value: unknown): JsonObject {
  const json: JsonObject = JSON.parse(JSON.stringify(value));
  return json;
}
