import { expect, test } from "vitest";
import { parsePipeline } from "../pipeline/parse-pipeline.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { planJob, type PlanJobOptions } from "./plan-job.ts";
import type { Plan } from "./plan.ts";

const resources = `
resource_types:
- {name: custom, type: registry-image, source: {repository: r/custom}, defaults: {a: default, b: default}}
resources:
- {name: repo, type: git, source: {uri: u}}
- {name: thing, type: custom, source: {b: own}, version: {ref: pinned}}
`;
const repo = { name: "repo", type: "git", resource: "repo", source: { uri: "u" }, base_type: "git" };
const customType = { name: "custom", type: "registry-image", source: { repository: "r/custom" } };
const types = [{ ...customType, defaults: { a: "default", b: "default" } }];
const image = (step: string) => ({
  image_check_plan: {
    id: `${step}/image-check`,
    check: { ...customType, base_type: "registry-image", interval: "1m0s", resource_type: "custom" },
  },
  image_get_plan: {
    id: `${step}/image-get`,
    get: { ...customType, base_type: "registry-image", version_from: `${step}/image-check` },
  },
  base_type: "registry-image",
});
const thing = (step: string) => ({
  name: "thing",
  type: "custom",
  resource: "thing",
  source: { a: "default", b: "own" },
  ...image(step),
});
const get = (id: string): Plan => ({ id, get: repo });
const task = (id: string, body: object = {}) => ({
  id,
  task: { name: "t", privileged: false, hermetic: false, config_path: "repo/t.yml", resource_types: types, ...body },
});

/** The steps of a job, and the plan inside of the job's `do`. Ids count from 1. */
const fixtures: readonly (readonly [what: string, steps: string, plans: readonly object[]])[] = [
  ["a get", "[{get: repo}]", [get("1")]],
  [
    "a get of a custom type, at the version it is pinned to, with its type's defaults under its source",
    "[{get: thing, params: {p: 1}, tags: [x], timeout: 1h, trigger: true, passed: []}]",
    [
      {
        id: "1",
        get: {
          ...thing("1"),
          image_check_plan: {
            id: "1/image-check",
            check: {
              ...customType,
              base_type: "registry-image",
              interval: "1m0s",
              resource_type: "custom",
              tags: ["x"],
            },
          },
          image_get_plan: {
            id: "1/image-get",
            get: { ...customType, base_type: "registry-image", version_from: "1/image-check", tags: ["x"] },
          },
          version: { ref: "pinned" },
          params: { p: 1 },
          tags: ["x"],
          timeout: "1h",
        },
      },
    ],
  ],
  [
    "a get under another name, whose own pin goes before the resource's",
    "[{get: input, resource: thing, version: {ref: own}}]",
    [{ id: "1", get: { ...thing("1"), name: "input", version: { ref: "own" } } }],
  ],
  [
    "a put, and the get of what it makes",
    "[{put: out, resource: thing, params: {p: 1}, get_params: {q: 2}, inputs: [a], tags: []}]",
    [
      {
        id: "3",
        on_success: {
          step: { id: "1", put: { ...thing("1"), name: "out", params: { p: 1 }, inputs: ["a"] } },
          on_success: { id: "2", get: { ...thing("2"), name: "out", params: { q: 2 }, version_from: "1" } },
        },
      },
    ],
  ],
  [
    "a put without the get",
    "[{put: repo, no_get: true, inputs: detect, timeout: 5m}]",
    [{ id: "1", put: { ...repo, inputs: "detect", timeout: "5m" } }],
  ],
  [
    "a task with its config in a file",
    "[{task: t, file: repo/t.yml, vars: {v: 1}, params: {P: 1, Q: null, R: [b, {z: 1, a: 2}]}, input_mapping: {a: b}, output_mapping: {c: d}, container_limits: {cpu: 2, memory: 1gb}, hermetic: true, timeout: 1m, tags: [x]}]",
    [
      task("1", {
        vars: { v: 1 },
        params: { P: "1", Q: "", R: '["b",{"a":2,"z":1}]' },
        input_mapping: { a: "b" },
        output_mapping: { c: "d" },
        container_limits: { cpu: 2, memory: "1gb" },
        hermetic: true,
        timeout: "1m",
        tags: ["x"],
      }),
    ],
  ],
  [
    "a task with its config inline, and one with an image",
    `[{task: t, privileged: true, config: {platform: linux, image_resource: {type: custom, source: {b: own}, version: {v: x}, params: {p: 1}, tags: [i]}, params: {A: true}, run: {path: sh, args: [-c, x], dir: d, user: u}, inputs: [{name: i, path: p, optional: true}], outputs: [{name: o}], caches: [{path: c}]}},
      {task: t, image: repo, config: {platform: darwin}}]`,
    [
      {
        id: "1",
        task: {
          name: "t",
          privileged: true,
          hermetic: false,
          config: {
            platform: "linux",
            image_resource: {
              type: "custom",
              source: { b: "own" },
              version: { v: "x" },
              params: { p: 1 },
              tags: ["i"],
            },
            params: { A: "true" },
            run: { path: "sh", args: ["-c", "x"], dir: "d", user: "u" },
            inputs: [{ name: "i", path: "p", optional: true }],
            outputs: [{ name: "o" }],
            caches: [{ path: "c" }],
          },
          resource_types: types,
        },
      },
      {
        id: "2",
        task: {
          name: "t",
          privileged: false,
          hermetic: false,
          image: "repo",
          config: { platform: "darwin" },
          resource_types: types,
        },
      },
    ],
  ],
  [
    "steps in parallel, as a list and with a limit",
    "[{in_parallel: [{get: repo}, {do: []}]}, {in_parallel: {limit: 1, fail_fast: true, steps: [{get: repo2, resource: repo}]}}]",
    [
      { id: "3", in_parallel: { steps: [get("1"), { id: "2", do: [] }] } },
      {
        id: "5",
        in_parallel: { steps: [{ id: "4", get: { ...repo, name: "repo2" } }], limit: 1, fail_fast: true },
      },
    ],
  ],
  ["do and try", "[{do: [{try: {get: repo}}]}]", [{ id: "3", do: [{ id: "2", try: { step: get("1") } }] }]],
  [
    "a timeout of a step that has none of its own, inside of attempts",
    "[{do: [{get: repo}], timeout: 2h, attempts: 2}]",
    [
      {
        id: "7",
        retry: [1, 2].map((attempt) => ({
          id: String(3 * attempt),
          attempts: [attempt],
          timeout: {
            duration: "2h",
            step: {
              id: String(3 * attempt - 1),
              attempts: [attempt],
              do: [{ ...get(String(3 * attempt - 2)), attempts: [attempt] }],
            },
          },
        })),
      },
    ],
  ],
  [
    "attempts inside of attempts: each plan knows all of its own, the outer first",
    "[{do: [{get: repo, attempts: 2}], attempts: 1}]",
    [
      {
        id: "5",
        retry: [
          {
            id: "4",
            attempts: [1],
            do: [
              {
                id: "3",
                attempts: [1],
                retry: [
                  { ...get("1"), attempts: [1, 1] },
                  { ...get("2"), attempts: [1, 2] },
                ],
              },
            ],
          },
        ],
      },
    ],
  ],
  [
    "hooks, wrapped from the inside out whatever their order in the file",
    "[{ensure: {do: []}, on_success: {get: s, resource: repo}, get: repo, on_error: {do: []}, on_failure: {do: []}, on_abort: {do: []}}]",
    [
      {
        id: "b",
        ensure: {
          step: {
            id: "9",
            on_error: {
              step: {
                id: "7",
                on_abort: {
                  step: {
                    id: "5",
                    on_failure: {
                      step: {
                        id: "3",
                        on_success: { step: get("1"), on_success: { id: "2", get: { ...repo, name: "s" } } },
                      },
                      on_failure: { id: "4", do: [] },
                    },
                  },
                  on_abort: { id: "6", do: [] },
                },
              },
              on_error: { id: "8", do: [] },
            },
          },
          ensure: { id: "a", do: [] },
        },
      },
    ],
  ],
  [
    "set_pipeline and load_var",
    "[{set_pipeline: self, file: repo/p.yml, team: other, vars: {v: 1}, var_files: [repo/v.yml], instance_vars: {i: 1}}, {load_var: v, file: repo/v, format: json, reveal: true}]",
    [
      {
        id: "1",
        set_pipeline: {
          name: "self",
          file: "repo/p.yml",
          team: "other",
          vars: { v: 1 },
          var_files: ["repo/v.yml"],
          instance_vars: { i: 1 },
        },
      },
      { id: "2", load_var: { name: "v", file: "repo/v", format: "json", reveal: true } },
    ],
  ],
  [
    "across: the template's ids are the counter's, a sub-step's come from the across",
    "[{task: t, file: repo/((.:os)).yml, across: [{var: os, values: [linux, windows], max_in_flight: all}, {var: count, values: [1], max_in_flight: 2}], fail_fast: true}]",
    [
      {
        id: "2",
        across: {
          vars: [
            { name: "os", values: ["linux", "windows"], max_in_flight: "all" },
            { name: "count", values: [1], max_in_flight: 2 },
          ],
          substep_template: JSON.stringify(task("1", { config_path: "repo/((.:os)).yml" })),
          steps: [
            { step: task("2/0/0", { config_path: "repo/linux.yml" }), values: ["linux", 1] },
            { step: task("2/1/0", { config_path: "repo/windows.yml" }), values: ["windows", 1] },
          ],
          fail_fast: true,
        },
      },
    ],
  ],
];

test.each(fixtures)("%s is planned as Concourse plans it", (_what, steps, plans) => {
  const plan = planOf(pipelineOf(steps));
  expect(plan.do).toEqual(plans);
});

test("ids are hex, counted on from the seed, inner plans before outer ones", () => {
  const plan = planOf(pipelineOf("[{in_parallel: [{get: repo}, {get: r2, resource: repo}]}]"), { idSeed: 0x68e77800 });
  expect(plan).toMatchObject({
    id: "68e77804",
    do: [{ id: "68e77803", in_parallel: { steps: [{ id: "68e77801" }, { id: "68e77802" }] } }],
  });
});

test("a job's hooks wrap its steps", () => {
  const hooks = "ensure: {get: e, resource: repo}, on_failure: {do: []}, on_success: {do: []}";
  const pipeline = pipelineOf("[{get: repo}]", hooks);
  expect(planOf(pipeline)).toEqual({
    id: "8",
    ensure: {
      step: {
        id: "6",
        on_failure: {
          step: { id: "4", on_success: { step: { id: "2", do: [get("1")] }, on_success: { id: "3", do: [] } } },
          on_failure: { id: "5", do: [] },
        },
      },
      ensure: { id: "7", get: { ...repo, name: "e" } },
    },
  });
});

test("the versions given go before every pin, and a resource without one has none", () => {
  const pipeline = pipelineOf("[{get: thing, version: {ref: own}}, {get: repo, version: latest}]");
  expect(planOf(pipeline, { versions: { thing: { ref: "given" } } }).do).toMatchObject([
    { get: { version: { ref: "given" } } },
    { get: expect.not.objectContaining({ version: expect.anything() }) },
  ]);
});

test("a build triggered by hand skips the interval of every image check, the tasks' too", () => {
  const plan = planOf(pipelineOf("[{get: thing}, {task: t, file: f/t.yml}]"), { manuallyTriggered: true });
  expect(plan.do).toMatchObject([
    { get: { image_check_plan: { check: { skip_interval: true, interval: "1m0s" } } } },
    { task: { check_skip_interval: true } },
  ]);
});

test("a type's image is privileged where the type is", () => {
  const privileged = "{name: root, type: registry-image, source: {}, privileged: true}";
  const text = `resource_types: [${privileged}]\nresources: [{name: x, type: root}]\njobs: [{name: unit, plan: [{get: x}]}]`;
  expect(planOf(parsed(text)).do?.[0]?.get).toMatchObject({ privileged: true, source: {} });
});

test("a deployment's defaults go under the sources of its base types, and of types that are of one", () => {
  const baseTypeDefaults = { git: { depth: 1, uri: "default" }, "registry-image": { insecure: true } };
  const plan = planOf(pipelineOf("[{get: repo}, {get: thing}]"), { baseTypeDefaults });
  expect(plan.do).toMatchObject([
    { get: { source: { uri: "u", depth: 1 } } },
    {
      get: {
        source: { a: "default", b: "own" },
        image_get_plan: { get: { source: { repository: "r/custom", insecure: true } } },
      },
    },
  ]);
});

test("a job that is not there is named, with the one that was meant", () => {
  const result = planJob(pipelineOf("[]"), "unti");
  expect(result).toMatchObject({ ok: false, error: { code: "FI_JOB_UNKNOWN", hint: "Did you mean unit?" } });
});

test("a var stands in the plan as it is; where only a number can stand, it must have a value", () => {
  const open = planOf(pipelineOf("[{task: t, file: repo/((name)).yml}]"));
  expect(open.do?.[0]?.task?.config_path).toBe("repo/((name)).yml");
  const result = planJob(pipelineOf("[{get: repo, attempts: ((n))}]"), "unit");
  expect(result).toMatchObject({ ok: false, error: { code: "FI_VAR_MISSING", details: { vars: ["n"] } } });
});

test.each([
  ["attempts", "[{get: repo, attempts: 1000000000}]"],
  ["attempts of attempts", "[{do: [{do: [{get: repo, attempts: 999}], attempts: 999}], attempts: 999}]"],
  ["across", `[{get: repo, across: [${["a", "b", "c", "d"].map(range).join(", ")}]}]`],
  ["across in across", `[{do: [{get: repo, across: [${range("a")}]}], across: [${range("b")}, ${range("c")}]}]`],
])("%s without bound are refused before they are made", (_what, steps) => {
  expect(planJob(pipelineOf(steps), "unit")).toMatchObject({ ok: false, error: { code: "FI_PIPELINE_INVALID" } });
});

function range(name: string): string {
  return `{var: ${name}, values: [${Array.from({ length: 60 }, (_, index) => index).join(", ")}]}`;
}

function pipelineOf(steps: string, hooks?: string): Pipeline {
  return parsed(`${resources}\njobs: [{name: unit, plan: ${steps}${hooks === undefined ? "" : `, ${hooks}`}}]`);
}

function parsed(text: string): Pipeline {
  const result = parsePipeline(text, { file: "ci.yml" });
  if (!result.ok) throw result.error;
  return result.pipeline;
}

function planOf(pipeline: Pipeline, options: PlanJobOptions = {}): Plan {
  const result = planJob(pipeline, "unit", options);
  if (!result.ok) throw result.error;
  return result.plan;
}
