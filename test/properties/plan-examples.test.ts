import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  imagesOf,
  type JsonObject,
  parsePipeline,
  planCheck,
  planJob,
  publicPlan,
  resolveVars,
} from "@fetch-image/core";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "../../examples");
const files = readdirSync(folder).filter((file) => file.endsWith(".yml"));
const readme = readFileSync(join(folder, "README.md"), "utf8");
const values: { readonly [name: string]: string } = {
  registry: "127.0.0.1:5000",
  pinned_digest: `sha256:${"a".repeat(64)}`,
  username: "robot",
  password: "canary-password",
};

test("there is an example of each kind, and the README has a line for each", () => {
  expect(files.toSorted()).toEqual([
    "base-types.yml",
    "ci.yml",
    "custom-type.yml",
    "explicit-image.yml",
    "nested-types.yml",
    "pinned.yml",
    "private.yml",
    "task-image.yml",
  ]);
  for (const file of files) expect(readme).toContain(`[\`${file}\`](${file})`);
});

test.each(files)("%s needs no more vars than the README says, and says nothing of warnings", async (file) => {
  const line = readme.split("\n").find((one) => one.includes(`(${file})`)) ?? "";
  const vars = [...(line.split("|").at(-2) ?? "").matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
  const { pipeline, warnings } = read(file);
  expect(warnings).toEqual([]);
  expect(pipeline.unresolved).toEqual(vars.toSorted());
  const given: JsonObject = Object.fromEntries(vars.map((name) => [name, values[name] ?? ""]));
  expect(await resolveVars(pipeline, { values: [given] })).toMatchObject({ ok: true });
});

test.each(files)("the plans of %s fetch only images that the README lists, from the registry", async (file) => {
  for (const repository of (await images(file)).keys()) {
    expect(repository).toMatch(/^127\.0\.0\.1:5000\//);
    expect(readme).toContain(`- \`${repository.replace("127.0.0.1:5000/", "")}\``);
  }
});

test("every image that the README lists is used", async () => {
  const used = new Set<string>();
  for (const file of files) for (const image of (await images(file)).keys()) used.add(image);
  const listed = [...readme.matchAll(/^- `(.+)`$/gm)].map(([, image]) => `127.0.0.1:5000/${image}`);
  expect([...used].toSorted()).toEqual(listed.toSorted());
});

test("each example shows what it is for", async () => {
  const kinds = async (file: string) => [...new Set([...(await images(file)).values()].flat())].toSorted();
  expect(await kinds("custom-type.yml")).toEqual(["type of check", "type of get", "type of put"]);
  expect(await kinds("nested-types.yml")).toEqual(["type of check", "type of get", "type of put"]);
  expect(await kinds("task-image.yml")).toEqual(["task"]);
  expect(await kinds("pinned.yml")).toEqual(["pinned task"]);
  expect(await kinds("base-types.yml")).toEqual([]);
  expect(await kinds("explicit-image.yml")).toEqual([]);
  expect(await kinds("private.yml")).toContain("task");
  expect(await kinds("ci.yml")).toEqual(expect.arrayContaining(["task", "pinned task", "type of put", "type of get"]));
});

test("the private example's credentials are secrets, and in no public plan", async () => {
  const resolved = await resolveVars(read("private.yml").pipeline, { values: [values] });
  if (!resolved.ok) throw resolved.error;
  expect(resolved.secrets).toEqual(["canary-password", "robot"]);
  const planned = planJob(resolved.pipeline, "deploy");
  if (!planned.ok) throw planned.error;
  expect(JSON.stringify(planned.plan)).toContain("canary-password");
  expect(JSON.stringify(publicPlan(planned.plan))).not.toMatch(/canary-password|robot/);
});

/** Every image that any job or check of the pipeline fetches, by its reference, and what for. */
async function images(file: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const resolved = await resolveVars(read(file).pipeline, { values: [values] });
  if (!resolved.ok) throw resolved.error;
  const { pipeline } = resolved;
  const planned = [
    ...pipeline.jobs.map(({ name }) => planJob(pipeline, name)),
    ...pipeline.resources.map(({ name }) => planCheck(pipeline, name)),
  ];
  const found = new Map<string, string[]>();
  for (const result of planned) {
    if (!result.ok) throw result.error;
    for (const need of imagesOf(result.plan)) {
      if (need.kind !== "type" && need.kind !== "task") continue;
      const { source, version } = need.getPlan.get;
      const { repository, tag } = source;
      if (typeof repository !== "string" || typeof tag !== "string") throw new Error(`${file} needs odd images`);
      const image = `${repository}:${tag}`;
      const what = need.kind === "type" ? `type of ${need.stepKind}` : version === undefined ? "task" : "pinned task";
      found.set(image, [...(found.get(image) ?? []), what]);
    }
  }
  return found;
}

function read(file: string) {
  const parsed = parsePipeline(readFileSync(join(folder, file), "utf8"), { file });
  if (!parsed.ok) throw parsed.error;
  return parsed;
}
