import { expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { fetchImagePlan } from "./fetch-image-plan.ts";
import type { Plan } from "./plan.ts";
import { publicPlan } from "./public-plan.ts";

const secret = { password: "hunter2" };
const types = [{ name: "custom", type: "registry-image", source: secret, params: secret }];
const { getPlan, checkPlan } = fetchImagePlan(
  "1",
  { name: "pr", type: "custom", source: secret, params: secret },
  types,
);
const typeImage = (step: string): JsonObject => ({
  image_get_plan: { id: `${step}/image-get`, get: { name: "custom", type: "registry-image" } },
  image_check_plan: { id: `${step}/image-check`, check: { name: "custom", type: "registry-image" } },
});
const task: Plan = {
  id: "2",
  task: { name: "unit", privileged: true, hermetic: false, params: { P: "hunter2" }, vars: secret, tags: ["x"] },
};
const publicTask = { id: "2", task: { name: "unit", privileged: true, hermetic: false } };
const common = { name: "r", type: "git", resource: "res", source: secret, params: secret, tags: ["x"], timeout: "1h" };

const fixtures: readonly (readonly [kind: string, plan: Plan, seen: JsonObject])[] = [
  [
    "get",
    { id: "1", get: { ...common, version: { ref: "abc" }, version_from: "0", base_type: "git" } },
    { id: "1", get: { name: "r", type: "git", resource: "res", version: { ref: "abc" } } },
  ],
  [
    "put",
    { id: "1", put: { ...common, inputs: "all" } },
    { id: "1", put: { name: "r", type: "git", resource: "res" } },
  ],
  [
    "get of an image, with the images it needs itself",
    getPlan,
    { id: "1/image-get", get: { name: "pr", type: "custom", ...typeImage("1/image-get") } },
  ],
  [
    "check",
    checkPlan ?? getPlan,
    { id: "1/image-check", check: { name: "pr", type: "custom", ...typeImage("1/image-check") } },
  ],
  ["task", task, publicTask],
  [
    "set_pipeline",
    { id: "1", set_pipeline: { name: "p", team: "t", file: "f", vars: secret, instance_vars: secret } },
    { id: "1", set_pipeline: { name: "p", team: "t" } },
  ],
  ["load_var", { id: "1", load_var: { name: "v", file: "f", reveal: true } }, { id: "1", load_var: { name: "v" } }],
  ["do", { id: "1", do: [task] }, { id: "1", do: [publicTask] }],
  [
    "in_parallel",
    { id: "1", in_parallel: { steps: [task], limit: 2, fail_fast: true } },
    { id: "1", in_parallel: { steps: [publicTask], limit: 2, fail_fast: true } },
  ],
  [
    "across",
    {
      id: "1",
      across: {
        vars: [{ name: "v", values: ["hunter2"], max_in_flight: 2 }],
        substep_template: "hunter2",
        steps: [{ step: task, values: ["hunter2"] }],
        fail_fast: true,
      },
    },
    { id: "1", across: { vars: [{ name: "v" }], fail_fast: true } },
  ],
  ["try", { id: "1", try: { step: task } }, { id: "1", try: { step: publicTask } }],
  [
    "timeout",
    { id: "1", timeout: { step: task, duration: "1h" } },
    { id: "1", timeout: { step: publicTask, duration: "1h" } },
  ],
  ["retry", { id: "1", retry: [{ ...task, attempts: [1] }] }, { id: "1", retry: [publicTask] }],
  ["on_success", { id: "1", on_success: { step: task, on_success: task } }, hooked("on_success")],
  ["on_failure", { id: "1", on_failure: { step: task, on_failure: task } }, hooked("on_failure")],
  ["on_abort", { id: "1", on_abort: { step: task, on_abort: task } }, hooked("on_abort")],
  ["on_error", { id: "1", on_error: { step: task, on_error: task } }, hooked("on_error")],
  ["ensure", { id: "1", ensure: { step: task, ensure: task } }, hooked("ensure")],
];

test.each(fixtures)("of a %s everybody may see names, types and versions", (_kind, plan, seen) => {
  expect(publicPlan(plan)).toEqual(seen);
  expect(JSON.stringify(publicPlan(plan))).not.toContain("hunter2");
});

function hooked(kind: string): JsonObject {
  return { id: "1", [kind]: { step: publicTask, [kind]: publicTask } };
}
