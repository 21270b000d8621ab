import { expect, test } from "vitest";
import type { Json, JsonObject } from "../json.ts";
import { planJob } from "../plan/plan-job.ts";
import { parsePipeline } from "./parse-pipeline.ts";
import type { Pipeline } from "./pipeline.ts";
import { resolveVars, type ResolveVarsOptions } from "./resolve-vars.ts";
import { formatVarReference } from "./var-reference.ts";
import { traverse, type VarSource } from "./var-values.ts";

const text = `
resource_types:
- {name: private, type: registry-image, source: {repository: ((host))/acme/private, username: ((user)), password: ((vault:reg.password))}}
- {name: unused, type: registry-image, source: {repository: ((vault:unused))}}
resources:
- {name: thing, type: private, source: {a: ((list)), b: x-((port))}, public: ((flag))}
- {name: of-other, type: git, source: {uri: ((other-uri))}}
jobs:
- name: unit
  plan: [{get: thing, attempts: ((n))}, {load_var: v, file: ((.:later))}]
- name: other
  plan: [{get: of-other, trigger: ((vault:trigger))}]
`;
const given: JsonObject = { host: "reg.example", user: "robot", list: [1], port: 80, flag: true, n: 2 };
const vault: JsonObject = { reg: { password: "canary-secret" }, unused: "u", trigger: true };

test("values keep their type, come from whoever has them, and the pipeline is checked anew", async () => {
  const { source, asked } = vaultOf(vault);
  const resolved = await resolve({ values: [{ host: "first.example" }, { ...given, "other-uri": "u" }], source });
  expect(resolved.pipeline.resourceTypes[0]?.source).toEqual({
    repository: "first.example/acme/private",
    username: "robot",
    password: "canary-secret",
  });
  expect(resolved.pipeline.resources[0]).toMatchObject({ source: { a: [1], b: "x-80" }, public: true });
  expect(resolved.pipeline.unresolved).toEqual([]);
  expect(asked.toSorted()).toEqual(["vault:reg.password", "vault:trigger", "vault:unused"]);
  const planned = planJob(resolved.pipeline, "unit");
  expect(planned).toMatchObject({
    ok: true,
    plan: { do: [{ retry: [{}, {}] }, { load_var: { file: "((.:later))" } }] },
  });
});

test("for one job, only what it needs is asked for and must be there", async () => {
  const { source, asked } = vaultOf(vault);
  const resolved = await resolve({ values: [given], source, job: "unit" });
  expect(asked).toEqual(["vault:reg.password"]);
  expect(resolved.pipeline.unresolved).toEqual(["other-uri", "vault:trigger", "vault:unused"]);
  expect(planJob(resolved.pipeline, "unit")).toMatchObject({ ok: true });
  expect(planJob(resolved.pipeline, "other")).toMatchObject({ ok: false, error: { code: "FI_VAR_MISSING" } });
});

test("a task whose config is in a file may need any type", async () => {
  const pipeline = parsed(
    "resource_types: [{name: a, type: git, source: {u: ((u))}}]\njobs: [{name: j, plan: [{task: t, file: f/t.yml}]}]",
  );
  expect(await resolveVars(pipeline, { job: "j" })).toMatchObject({ ok: false, error: { details: { vars: ["u"] } } });
});

test("all vars without a value are reported together, each with its first place", async () => {
  const result = await resolveVars(parsed(text), { values: [{ list: [], user: "u" }], job: "unit" });
  if (result.ok) throw new Error("vars are missing");
  expect(result.error.code).toBe("FI_VAR_MISSING");
  expect(result.error.message).toBe(
    "ci.yml:6:78: no value for ((flag)), ((host)), ((n)), ((port)), ((vault:reg.password))",
  );
  expect(result.error.hint).toBe("The pipeline declares no var source vault.");
  expect(result.error.details).toMatchObject({
    vars: ["flag", "host", "n", "port", "vault:reg.password"],
    places: expect.arrayContaining([{ name: "n", place: "ci.yml:10:33" }]),
  });
});

test("a dummy var source has its values in the pipeline itself", async () => {
  const pipeline = parsed(
    "var_sources: [{name: kept, type: dummy, config: {vars: {a: {b: canary-kept}}}}]\njobs: [{name: j, plan: [{load_var: v, file: ((kept:a.b))}]}]",
  );
  expect(await resolveVars(pipeline)).toMatchObject({
    ok: true,
    pipeline: { jobs: [{ step: { steps: [{ body: { file: "canary-kept" } }] } }] },
    secrets: ["canary-kept"],
  });
  const missing = parsed(
    "var_sources: [{name: kept, type: dummy, config: {vars: {}}}]\njobs: [{name: j, plan: [{load_var: v, file: ((kept:a))}]}]",
  );
  expect(await resolveVars(missing)).toMatchObject({ ok: false, error: { code: "FI_VAR_MISSING" } });
});

test("a given value may itself be a credential; a credential is not looked at again", async () => {
  const pipeline = parsed("jobs: [{name: j, plan: [{load_var: v, file: ((indirect))}]}]");
  const { source } = vaultOf({ real: "((not-a-var))" });
  const resolved = await resolveVars(pipeline, { values: [{ indirect: "((vault:real))" }], source });
  expect(resolved).toMatchObject({
    ok: true,
    pipeline: { jobs: [{ step: { steps: [{ body: { file: "((not-a-var))" } }] } }] },
  });
});

test("secrets are what sources gave and what stands in credential fields, longest first, with their lines", async () => {
  const key = "-----BEGIN KEY-----\ncanary-line-one\ncanary-line-two\n-----END KEY-----";
  const pipeline = parsed(`
resources:
- {name: a, type: git, webhook_token: canary-hook, source: {uri: ((uri)), private_key: ((key)), username: ((user)), password: literal-password}}
- {name: b, type: mock, source: {anything: ((vault:whole)), one: ((vault:letter)), num: ((vault:num))}}
jobs: [{name: j, plan: [{get: a, passed: [j], params: {CHECK_TOKENS: "true"}}, {put: b}]}]`);
  const { source } = vaultOf({ whole: { x: "canary-inner" }, letter: "z", num: 80 });
  const resolved = await resolveVars(pipeline, {
    values: [{ uri: "https://git.example", key, user: "robot" }],
    source,
  });
  if (!resolved.ok) throw resolved.error;
  expect(resolved.secrets).toEqual(
    [
      key,
      JSON.stringify(key).slice(1, -1),
      "literal-password",
      "canary-line-one",
      "canary-line-two",
      "canary-inner",
      "canary-hook",
      "robot",
    ].toSorted((a, b) => b.length - a.length),
  );
});

test("no secret is in an error, wherever the var has been put", async () => {
  const texts = [
    "jobs: [{name: j, plan: [{get: ((vault:s))}]}]",
    "resources: [{name: x, type: git}]\njobs: [{name: j, plan: [{get: x, ((vault:s)): 1}]}]",
    "jobs: [{name: j, plan: [((vault:s))]}]",
    "jobs: [{name: j, plan: [{do: [], timeout: ((vault:s))}]}]",
    "jobs: [{name: ((vault:s)), plan: [{do: [], timeout: ((vault:s))}]}]",
    "resources: [{name: a, type: ((vault:s))}]\njobs: [{name: j, plan: [{get: a}]}]",
    "resource_types: [{name: ((vault:s)), type: ((vault:s))}]\njobs: [{name: j, plan: []}]",
  ];
  for (const wrong of texts) {
    const result = await resolveVars(parsed(wrong), vaultOf({ s: "canary-secret" }));
    if (result.ok) throw new Error(`accepted: ${wrong}`);
    expect(JSON.stringify(result.error)).not.toContain("canary-secret");
    expect(result.error.message).toMatch(/^ci\.yml:\d+:\d+: /);
  }
});

test("values are checked as if they had been written", async () => {
  const wrong = async (values: JsonObject): Promise<unknown> =>
    resolveVars(parsed(text), { values: [values], job: "unit" });
  expect(await wrong({ ...given, n: "two" })).toMatchObject({
    error: {
      code: "FI_PIPELINE_INVALID",
      message: expect.stringContaining("attempts: must be a whole number, not text"),
    },
  });
  expect(await wrong({ ...given, host: ["x"] })).toMatchObject({
    error: { code: "FI_PIPELINE_INVALID", message: expect.stringContaining("((host)) is a list") },
  });
  const types = parsed("resource_types: ((types))\njobs: [{name: j}]");
  expect(await resolveVars(types, { values: [{ types: [{ name: "a", type: "a" }] }] })).toMatchObject({
    error: { code: "FI_RESOURCE_TYPE_CYCLE" },
  });
});

test("whole parts of a pipeline may be vars", async () => {
  const pipeline = parsed("jobs: ((jobs))\nresources: ((resources))");
  const values = { jobs: [{ name: "j", plan: [{ get: "r" }] }], resources: [{ name: "r", type: "git" }] };
  expect(await resolveVars(pipeline, { values: [values], job: "j" })).toMatchObject({
    ok: true,
    pipeline: { jobs: [{ name: "j" }] },
  });
});

test("a job that is not there is named before anybody is asked", async () => {
  const { source, asked } = vaultOf(vault);
  const result = await resolveVars(parsed(text), { values: [given], source, job: "units" });
  expect(result).toMatchObject({ ok: false, error: { code: "FI_JOB_UNKNOWN", hint: "Did you mean unit?" } });
  expect(asked).toEqual([]);
});

test("a source that fails is an error that may pass, with the cause", async () => {
  const cause = new Error("vault is sealed");
  const source: VarSource = { get: () => Promise.reject(cause) };
  const result = await resolveVars(parsed(text), { values: [given], source, job: "unit" });
  expect(result).toMatchObject({
    ok: false,
    error: { code: "FI_VAR_MISSING", retryable: true, cause, details: { vars: ["vault:reg.password"] } },
  });
});

test("each var is asked for once, however often it stands there", async () => {
  const pipeline = parsed(
    "jobs: [{name: j, plan: [{load_var: v, file: ((s:a))-((s:a))}, {load_var: w, file: ((s:a))}]}]",
  );
  const { source, asked } = vaultOf({ a: "x" });
  await resolveVars(pipeline, { source });
  expect(asked).toEqual(["s:a"]);
});

function vaultOf(values: JsonObject): { readonly source: VarSource; readonly asked: string[] } {
  const asked: string[] = [];
  const source: VarSource = {
    get: (reference) => {
      asked.push(formatVarReference(reference));
      const value: Json | undefined = traverse(values, [reference.path, ...reference.fields]);
      return Promise.resolve(value === undefined ? { found: false } : { found: true, value });
    },
  };
  return { source, asked };
}

async function resolve(
  options: ResolveVarsOptions,
): Promise<{ readonly pipeline: Pipeline; readonly secrets: readonly string[] }> {
  const result = await resolveVars(parsed(text), options);
  if (!result.ok) throw result.error;
  return result;
}

function parsed(pipeline: string): Pipeline {
  const result = parsePipeline(pipeline, { file: "ci.yml" });
  if (!result.ok) throw result.error;
  return result.pipeline;
}
