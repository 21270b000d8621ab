import { expect, test } from "vitest";
import { parsePipeline } from "./parse-pipeline.ts";

const job = "jobs: [{name: unit, plan: [{get: repo}]}]\nresources: [{name: repo, type: git}]";

test("a pipeline is read with all that Concourse knows", () => {
  const text = `
anchors: &source {uri: u, tag: "1.10"}
resource_types:
- {name: custom, type: registry-image, source: *source, defaults: {a: 1}, privileged: true, check_every: never, tags: [x], params: {p: 1}, version: {digest: d}}
resources:
- {name: repo, old_name: r, public: true, webhook_token: w, type: git, icon: git, source: {<<: *source, branch: main}, check_every: 1h, check_timeout: 5m, tags: [x], version: {ref: a}, expose_build_created_by: true}
- {name: bare, type: custom}
var_sources: [{name: vault, type: vault, config: {url: x}}]
groups: [{name: all, jobs: [un*], resources: [repo]}]
display: {background_image: https://x.example/y.png}
jobs:
- name: unit
  old_name: test
  public: yes
  serial: on
  serial_groups: [a]
  max_in_flight: 2
  interruptible: no
  disable_manual_trigger: true
  build_log_retention: {builds: 1, days: 2, minimum_succeeded_builds: 1}
  plan: [{get: repo, passed: [unit], trigger: true, version: every}, {put: bare}]
`;
  const parsed = parsePipeline(text, { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  const { pipeline, warnings } = parsed;
  expect(warnings).toEqual([]);
  expect(JSON.parse(JSON.stringify(pipeline))).toEqual({
    file: "ci.yml",
    resourceTypes: [
      {
        name: "custom",
        type: "registry-image",
        source: { uri: "u", tag: "1.10" },
        defaults: { a: 1 },
        privileged: true,
        check_every: "never",
        tags: ["x"],
        params: { p: 1 },
        version: { digest: "d" },
      },
    ],
    resources: [
      {
        name: "repo",
        public: true,
        type: "git",
        source: { uri: "u", tag: "1.10", branch: "main" },
        check_every: "1h",
        check_timeout: "5m",
        tags: ["x"],
        version: { ref: "a" },
        expose_build_created_by: true,
      },
      { name: "bare", type: "custom" },
    ],
    jobs: [
      {
        name: "unit",
        step: {
          kind: "do",
          steps: [
            { kind: "get", name: "repo", resource: "repo", version: "every" },
            { kind: "put", name: "bare", resource: "bare" },
          ],
        },
      },
    ],
    varSources: [{ name: "vault", type: "vault", config: { url: "x" } }],
    unresolved: [],
  });
});

test("keys without a value count as left out, as Go reads them", () => {
  const text =
    "jobs:\n- name: unit\n  serial:\n  plan:\n  - {get: repo, params: , passed: , tags: }\nresources: [{name: repo, type: git, source: }]\ngroups:\n";
  expect(parsePipeline(text, { file: "ci.yml" })).toMatchObject({ ok: true });
});

/** What is wrong, the pipeline, the code, how the message begins or goes on, and the hint. */
const bad: readonly (readonly [what: string, text: string, message: string, hint?: string])[] = [
  ["malformed YAML", "jobs:\n- name: unit\n  plan: [", "ci.yml:3:10: wrong indentation"],
  ["a tab", "jobs:\n\t- name: x", "ci.yml:2:1: a tab in the indentation"],
  ["nothing", "", "ci.yml:1:1: the pipeline is empty"],
  ["only a comment", "# nothing\n", "the pipeline is empty"],
  ["a list", "- a", "ci.yml:1:1: a pipeline must be a map"],
  ["no jobs", "resources: []", "ci.yml:1:1: a pipeline has at least one job"],
  ["jobs that are no list", "jobs: {a: b}", "ci.yml:1:7: jobs: must be a list, not a map"],
  ["prototypes", `prototypes: []\n${job}`, "ci.yml:1:1: prototypes are not supported"],
  [
    "an unknown step kind",
    step("{gte: repo}"),
    'ci.yml:3:28: jobs.unit.plan[0]: unknown step kind "gte"',
    "Did you mean get?",
  ],
  ["a removed step kind", step("{aggregate: []}"), 'unknown step kind "aggregate"', "Write in_parallel"],
  ["a prototype's step", step("{run: x, type: y}"), 'unknown step kind "run"', "Prototypes are"],
  ["a step kind like nothing", step("{frobnicate: 1}"), 'unknown step kind "frobnicate"', "It may be task, put, get"],
  ["a step kind like JavaScript's own", step("{constructor: 1}"), 'unknown step kind "constructor"', "It may be"],
  ["modifiers of no step", step("{attempts: 2}"), "a step has one of task, put, get"],
  ["two kinds in one step", step("{get: repo, put: repo}"), "a step is a put or a get, not both"],
  ["a step that is no map", step("x"), "jobs.unit.plan[0]: must be a step, not text"],
  ["a get of nothing", step("{get: }"), "the value of get is missing"],
  [
    "an unknown field of a step",
    step("{get: repo, triger: true}"),
    'ci.yml:3:39: jobs.unit.plan[0]: unknown field "triger" in a get step',
    "Did you mean trigger?",
  ],
  ["a field of another kind of step", step("{put: repo, trigger: true}"), 'unknown field "trigger" in a put step'],
  ["fail_fast without across", step("{get: repo, fail_fast: true}"), 'unknown field "fail_fast"'],
  [
    "an unknown field of a resource",
    job.replace("type: git", "type: git, sorce: {}"),
    'resources.repo: unknown field "sorce" in a resource',
    "Did you mean source?",
  ],
  ["an unknown field of a job", "jobs: [{name: unit, plann: []}]", 'unknown field "plann" in a job'],
  [
    "an unknown field of a type",
    `${job}\nresource_types: [{name: a, type: git, privilegd: true}]`,
    'unknown field "privilegd" in a resource type',
    "Did you mean privileged?",
  ],
  [
    "an unknown field of a task's config",
    step("{task: t, config: {platform: linux, ouputs: []}}"),
    'unknown field "ouputs" in a task\'s config',
    "Did you mean outputs?",
  ],
  [
    "an unknown field inside of across",
    step("{get: repo, across: [{var: a, value: [1]}]}"),
    'unknown field "value" in an across var',
    "Did you mean values?",
  ],
  ["a resource without a name", "resources: [{type: git}]", "ci.yml:1:13: resources[0]: a resource has no name"],
  ["a resource without a type", "resources: [{name: a}]", "resources.a: a resource has no type"],
  ["a type without a type", "resource_types: [{name: a}]", "resource_types.a: a resource type has no type"],
  ["a job without a name", "jobs: [{plan: []}]", "jobs[0]: a job has no name"],
  ["an empty name", "jobs: [{name: '', plan: []}]", "has an empty name"],
  [
    "a name that is no text",
    "jobs: [{name: 12, plan: []}]",
    "jobs[0].name: must be text, not a number",
    "Put it in quotes.",
  ],
  ["two jobs of one name", "jobs: [{name: a}, {name: a}]", 'two of the jobs are called "a"'],
  ["two gets of one name", step("{get: repo}, {try: {get: repo}}"), 'an earlier get of this job is called "repo" too'],
  [
    "an unknown resource",
    step("{get: rep}"),
    'ci.yml:3:27: jobs.unit.plan[0]: unknown resource "rep"',
    "Did you mean repo?",
  ],
  [
    "an unknown resource under another name",
    step("{put: x, resource: nothing-like-it}"),
    'unknown resource "nothing-like-it"',
    "The pipeline has repo.",
  ],
  [
    "a resource where there are none",
    "jobs: [{name: unit, plan: [{get: x}]}]",
    'unknown resource "x"',
    "The pipeline declares no resources.",
  ],
  [
    "an unknown type",
    job.replace("git", "gti"),
    'resources.repo.type: unknown resource type "gti"',
    "Did you mean git?",
  ],
  [
    "an unknown type of a type",
    `${job}\nresource_types: [{name: a, type: registry}]`,
    'resource_types.a.type: unknown resource type "registry"',
  ],
  [
    "an unknown type of a task's image",
    step("{task: t, config: {platform: linux, image_resource: {type: docker-imag, source: {}}}}"),
    'jobs.unit.plan[0].config.image_resource.type: unknown resource type "docker-imag"',
    "Did you mean docker-image?",
  ],
  ["an unknown job in passed", step("{get: repo, passed: [unti]}"), 'unknown job "unti"', "Did you mean unit?"],
  ["an unknown job in a group", `${job}\ngroups: [{name: g, jobs: [x]}]`, 'unknown job "x"'],
  ["a task without config", step("{task: t}"), "a task has a config or a file"],
  [
    "a task with two configs",
    step("{task: t, file: a/b, config: {platform: linux}}"),
    "a task has a config or a file, not both",
  ],
  ["a task without platform", step("{task: t, config: {run: {path: x}}}"), "a task's config has no platform"],
  ["a load_var without file", step("{load_var: v}"), "a load_var step has no file"],
  ["attempts of nought", step("{get: repo, attempts: 0}"), "jobs.unit.plan[0].attempts: must be greater than 0"],
  ["attempts that are text", step("{get: repo, attempts: three}"), "attempts: must be a whole number, not text"],
  ["attempts that are not whole", step("{get: repo, attempts: 1.5}"), "attempts: must be a whole number, not a number"],
  ["a timeout that is none", step("{get: repo, timeout: soon}"), '"soon" is not a duration', "Write it as 30s"],
  ["an interval that is none", job.replace("type: git", "type: git, check_every: often"), '"often" is not a duration'],
  ["a flag that is none", step("{get: repo, trigger: maybe}"), "trigger: must be true or false, not text"],
  [
    "a version with a number",
    job.replace("type: git", "type: git, version: {ref: 1}"),
    "version.ref: must be text, not a number",
    "Put it in quotes.",
  ],
  ["a version that is a word", step("{get: repo, version: newest}"), "must be latest, every or a version, not text"],
  ["inputs that are a word", step("{put: repo, inputs: some}"), "must be all, detect or a list, not text"],
  ["across without vars", step("{get: repo, across: []}"), "across has no vars"],
  [
    "across with a var twice",
    step("{get: repo, across: [{var: a, values: []}, {var: a, values: []}]}"),
    'the var "a" stands here twice',
  ],
  [
    "across with values that are no list",
    step("{get: repo, across: [{var: a, values: {x: 1}}]}"),
    "the values of an across var must be a list",
  ],
  [
    "max_in_flight of nought",
    step("{get: repo, across: [{var: a, values: [], max_in_flight: 0}]}"),
    "must be greater than 0",
  ],
  [
    "max_in_flight that is a word",
    step("{get: repo, across: [{var: a, values: [], max_in_flight: any}]}"),
    "must be a number or all",
  ],
  ["a var that is none", step('{get: repo, params: {p: ((a"b))}}'), "is not the name of a var"],
  [
    "something wrong in a hook",
    step("{get: repo, on_failure: {gett: x}}"),
    "jobs.unit.plan[0].on_failure: unknown step kind",
  ],
  [
    "something wrong in a job's hook",
    "jobs: [{name: unit, ensure: {do: [{get: x}]}}]",
    "jobs.unit.ensure.do[0]: unknown resource",
  ],
  [
    "types nested too deep",
    `${job}\nresource_types: [${Array.from({ length: 9 }, (_, index) => `{name: t${index}, type: ${index === 0 ? "git" : `t${index - 1}`}}`).join(", ")}]`,
    'the resource type "t8" rests on more than 7 other custom types',
  ],
];

const cases = bad.map(([what, text, message, hint = ""]) => ({ what, text, message, hint }));

test.each(cases)("$what is refused by name, with its place", ({ text, message, hint }) => {
  const parsed = parsePipeline(text, { file: "ci.yml" });
  if (parsed.ok) throw new Error("the pipeline was accepted");
  expect(parsed.error.code).toBe("FI_PIPELINE_INVALID");
  expect(parsed.error.message).toMatch(/^ci\.yml:\d+:\d+: /);
  expect(parsed.error.message).toContain(message);
  expect(parsed.error.hint).toContain(hint);
});

test.each([
  ["{name: a, type: a}", 'resource_types.a.type: the resource type "a" is of its own type'],
  ["{name: a, type: b}, {name: b, type: a}", 'the resource type "a" depends on itself: "a" of "b" of "a"'],
  ["{name: x, type: c}, {name: a, type: b}, {name: b, type: c}, {name: c, type: a}", '"c" of "a" of "b" of "c"'],
  ["{name: registry-image, type: mine}, {name: mine, type: registry-image}", '"mine" of "registry-image" of "mine"'],
])("resource types %s rest on themselves", (types, message) => {
  const parsed = parsePipeline(`${job}\nresource_types: [${types}]`, { file: "ci.yml" });
  if (parsed.ok) throw new Error("the pipeline was accepted");
  expect(parsed.error.code).toBe("FI_RESOURCE_TYPE_CYCLE");
  expect(parsed.error.message).toContain(message);
});

test.each([
  "{name: registry-image, type: registry-image}",
  "{name: git, type: git}, {name: mine, type: git}",
  "{name: time, type: git}, {name: git, type: git}",
])("resource types %s override base types, which is no cycle", (types) => {
  expect(parsePipeline(`${job}\nresource_types: [${types}]`, { file: "ci.yml" })).toMatchObject({ ok: true });
});

test("a deployment's own base types are known when they are named, and then Concourse's are not", () => {
  const text = job.replace("git", "corporate");
  expect(parsePipeline(text, { file: "f", baseTypes: ["corporate"] })).toMatchObject({ ok: true });
  expect(parsePipeline(job, { file: "f", baseTypes: ["corporate"] })).toMatchObject({ ok: false });
});

test("every problem is told, in order, twenty at the most", () => {
  const parsed = parsePipeline(step(Array.from({ length: 30 }, (_, index) => `{put: no${index}}`).join(", ")), {
    file: "ci.yml",
  });
  if (parsed.ok) throw new Error("the pipeline was accepted");
  expect(parsed.error.message).toBe('ci.yml:3:27: jobs.unit.plan[0]: unknown resource "no0" (and 29 more)');
  expect(parsed.error.details["problems"]).toHaveLength(20);
  expect(parsed.error.details).toMatchObject({
    file: "ci.yml",
    line: 3,
    column: 27,
    path: "jobs.unit.plan[0]",
    problems: expect.arrayContaining([
      expect.objectContaining({ line: 3, path: "jobs.unit.plan[19]", message: 'unknown resource "no19"' }),
    ]),
  });
});

test("what Concourse takes but nobody means is a warning", () => {
  const text = `resource_type: []\n${job.replace("type: git", "type: git, source: {tag: 1.10}, source: {tag: 1.10}")}\njobs: [{name: Unit, plan: [{get: repo}]}, {name: '9'}]`;
  const parsed = parsePipeline(text.replace(/^jobs: \[\{name: unit.*$/m, ""), { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  expect(parsed.warnings).toEqual([
    {
      file: "ci.yml",
      line: 1,
      column: 1,
      path: "",
      message: '"resource_type" is ignored; did you mean resource_types?',
    },
    expect.objectContaining({
      line: 3,
      column: 58,
      message: expect.stringContaining('the key "source" stands here a second time'),
    }),
    expect.objectContaining({
      line: 3,
      column: 72,
      path: "resources.repo.source.tag",
      message: "the tag 1.10 is a number and reads 1.1; put it in quotes",
    }),
    expect.objectContaining({
      line: 4,
      column: 15,
      path: "jobs.Unit.name",
      message: expect.stringContaining('"Unit" is not a valid identifier'),
    }),
  ]);
});

test("a resource that no job uses is a warning", () => {
  const parsed = parsePipeline("jobs: [{name: unit}]\nresources: [{name: repo, type: git}]", { file: "f" });
  expect(parsed).toMatchObject({ ok: true, warnings: [{ message: 'the resource "repo" is not used' }] });
});

test("vars may stand anywhere, and what they may bring is not missed", () => {
  const text = `
resource_types: ((types))
resources: [{name: ((name)), type: ((type)), source: {uri: ((a:b.c))}, public: ((public)), tags: ((tags))}]
jobs:
- name: unit
  plan: [{get: repo, attempts: ((n)), trigger: "((t))"}, ((step)), {task: t, config: ((config))}, {do: ((steps)), timeout: ((limit))}, {put: x, resource: ((name)), inputs: ((i)), across: ((vars))}, {load_var: v, file: ((.:local))}]
- name: other
  plan: ((plan))
`;
  const parsed = parsePipeline(text, { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  expect(parsed.pipeline.unresolved).toEqual([
    "a:b.c",
    "config",
    "i",
    "limit",
    "n",
    "name",
    "plan",
    "public",
    "step",
    "steps",
    "t",
    "tags",
    "type",
    "types",
    "vars",
  ]);
});

test("names that are close to a secret's are shown, values never are", () => {
  const texts = [
    job.replace("type: git", "type: git, source: hunter2"),
    job.replace("type: git", "type: git, webhook_token: [hunter2]"),
    step("{get: repo, params: hunter2}"),
    step("{get: repo, trigger: hunter2}"),
    step("{task: t, vars: hunter2, file: x}"),
  ];
  for (const text of texts) {
    const parsed = parsePipeline(text, { file: "ci.yml" });
    if (parsed.ok) throw new Error("the pipeline was accepted");
    expect(JSON.stringify(parsed.error)).not.toContain("hunter2");
  }
});

/** A pipeline of one job with these steps, and a resource called repo. The first step stands at 3:27. */
function step(steps: string): string {
  return `resources: [{name: repo, type: git}]\njobs:\n- {name: unit, plan: [    ${steps}]}`;
}
