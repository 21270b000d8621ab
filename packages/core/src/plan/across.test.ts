import { expect, test } from "vitest";
import { parsePipeline } from "../pipeline/parse-pipeline.ts";
import { stepsOf } from "./children.ts";
import { planJob } from "./plan-job.ts";
import type { Plan } from "./plan.ts";

const resources = `
resource_types: [{name: custom, type: registry-image, source: {repository: r}}]
resources: [{name: thing, type: custom}]
`;

test("each combination of values makes a sub-step, the last var varying fastest", () => {
  const plan = jobOf(
    "{load_var: x, file: ((.:a))/((.:b)), across: [{var: a, values: [p, q]}, {var: b, values: [1, 2]}]}",
  );
  expect(plan.across?.steps.map(({ values }) => values)).toEqual([
    ["p", 1],
    ["p", 2],
    ["q", 1],
    ["q", 2],
  ]);
  expect(plan.across?.steps.map(({ step }) => step.load_var?.["file"])).toEqual(["p/1", "p/2", "q/1", "q/2"]);
});

test("a sub-step's plans are numbered below the across, from the outside in; images keep their step's id", () => {
  const plan = jobOf("{put: thing, across: [{var: a, values: [p, q]}]}");
  const [, second] = plan.across?.steps ?? [];
  expect(ids(second?.step)).toEqual([`${plan.id}/1/0`, `${plan.id}/1/1`, `${plan.id}/1/2`]);
  const hooked = second?.step.on_success;
  expect(hooked?.step.put?.image_check_plan?.id).toBe(`${plan.id}/1/1/image-check`);
  expect(hooked?.step.put?.image_get_plan?.id).toBe(`${plan.id}/1/1/image-get`);
  expect(hooked?.step.put?.image_get_plan?.get.version_from).toBe(`${plan.id}/1/1/image-check`);
  expect(hooked?.on_success.get?.version_from).toBe(`${plan.id}/1/1`);
});

test("a value that is the whole field keeps its type; its fields can be named", () => {
  const plan = jobOf(
    "{put: thing, no_get: true, params: {all: ((.:v)), port: ((.:v.port)), text: 'port ((.:v.port))', other: ((.:w))}, across: [{var: v, values: [{port: 80, on: [a]}]}]}",
  );
  expect(plan.across?.steps[0]?.step.put?.params).toEqual({
    all: { port: 80, true: ["a"] },
    port: 80,
    text: "port 80",
    other: "((.:w))",
  });
});

test("an across in an across sees the outer values, however they must be quoted", () => {
  const odd = 'say "hi",\n\\done';
  const plan = jobOf(
    `{do: [{load_var: x, file: ((.:outer))-((.:inner)), across: [{var: inner, values: [((.:outer)), z]}]}], across: [{var: outer, values: [${JSON.stringify(odd)}, b]}]}`,
  );
  const inner = plan.across?.steps.map(({ step }) => step.do?.[0]);
  expect(inner?.map((step) => step?.across?.vars[0]?.values)).toEqual([
    [odd, "z"],
    ["b", "z"],
  ]);
  const files = inner?.flatMap((step) => step?.across?.steps.map((one) => one.step.load_var?.["file"]));
  expect(files).toEqual([`${odd}-${odd}`, `${odd}-z`, "b-b", "b-z"]);
  expect(inner?.[1]?.id).toBe(`${plan.id}/1/1`);
  expect(inner?.[1]?.across?.steps[1]?.step.id).toBe(`${plan.id}/1/1/1/0`);
});

test("values that only the run will know make no sub-steps yet", () => {
  const plan = jobOf("{get: thing, across: [{var: v, values: ((.:list))}]}");
  expect(plan.across?.steps).toEqual([]);
  expect(plan.across?.vars).toEqual([{ name: "v", values: "((.:list))" }]);
});

test("sub-steps know the attempts around the across and inside of it", () => {
  const plan = jobOf("{get: thing, attempts: 2, across: [{var: v, values: [a]}]}");
  expect(plan.across?.steps[0]?.step.retry?.map(({ attempts }) => attempts)).toEqual([[1], [2]]);
  const retried = jobOf("{do: [{get: thing, across: [{var: v, values: [a]}]}], attempts: 1}");
  expect(retried.retry?.[0]?.do?.[0]?.across?.steps[0]?.step.attempts).toEqual([1]);
});

function ids(plan: Plan | undefined): readonly string[] {
  return plan === undefined ? [] : [plan.id, ...stepsOf(plan).flatMap(ids)];
}

function jobOf(step: string): Plan {
  const parsed = parsePipeline(`${resources}\njobs: [{name: unit, plan: [${step}]}]`, { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  const planned = planJob(parsed.pipeline, "unit");
  if (!planned.ok) throw planned.error;
  const [plan] = planned.plan.do ?? [];
  if (plan === undefined) throw new Error("the job has no step");
  return plan;
}
