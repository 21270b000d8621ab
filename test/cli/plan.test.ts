import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { example } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { scratch } from "../support/scratch.ts";

interface Planned {
  readonly id: string;
  readonly do?: readonly Planned[];
  readonly put?: object;
}

test("plan prints the build plan as Concourse makes it, vars that are not given standing as they are", async () => {
  const { status, stdout } = await fetchImage(["plan", example("nested-types"), "--job", "notify"]);
  expect(status).toBe(0);
  const plan: Planned = JSON.parse(stdout);
  expect(plan.do).toHaveLength(1);
  expect(plan.do?.[0]?.put).toMatchObject({
    name: "notify",
    image_check_plan: {
      id: "1/image-check",
      check: {
        type: "registry-image",
        interval: "1m0s",
        source: { repository: "((registry))/acme/slack-notification-resource", tag: "v1.7.0" },
        image_get_plan: { id: "1/image-check/image-get" },
      },
    },
    image_get_plan: { id: "1/image-get", get: { version_from: "1/image-check" } },
  });
});

test("--public leaves out sources and params, and --json puts a plan on a line", async () => {
  const { status, stdout, json } = await fetchImage(["plan", example("ci"), "--public", "--json"]);
  expect(status).toBe(0);
  expect(json()).toEqual([expect.objectContaining({ id: expect.any(String) })]);
  expect(stdout).toContain("image_check_plan");
  expect(stdout).not.toMatch(/"source"|"params"|acme\//);
});

test("credentials that are given are not printed", async () => {
  const vars = ["--var", "password=canary-77aa", "--var", "username=canary-88bb", "--var", "registry=r.example"];
  const { status, stdout, stderr } = await fetchImage(["plan", example("private"), ...vars]);
  expect(status).toBe(0);
  expect(stdout).toContain('"repository": "r.example/acme/private-tools"');
  expect(stdout).toContain("((redacted))");
  expect(stdout + stderr).not.toContain("canary");
});

test.each([
  { name: "YAML that is none", text: "jobs: [\n", code: "FI_PIPELINE_INVALID", says: "p.yml:" },
  {
    name: "a step of no known kind",
    text: "jobs:\n- name: unit\n  plan:\n  - fetch: repo\n",
    code: "FI_PIPELINE_INVALID",
    says: "p.yml:4:",
  },
  {
    name: "a resource type that rests on itself",
    text: "resource_types:\n- name: a\n  type: b\n  source: {}\n- name: b\n  type: a\n  source: {}\njobs: []\n",
    code: "FI_RESOURCE_TYPE_CYCLE",
    says: "p.yml:",
  },
])("$name is refused with its place and status 2", async ({ text, code, says }) => {
  using place = scratch("plan");
  writeFileSync(place.path("p.yml"), text);
  const { status, json } = await fetchImage(["plan", "p.yml", "--json"], { cwd: place.directory });
  expect(status).toBe(2);
  expect(json()).toEqual([expect.objectContaining({ code, message: expect.stringContaining(says) })]);
});

test("a job that is not there is refused with those that are", async () => {
  const { status, stdout, stderr } = await fetchImage(["plan", example("ci"), "--job", "unti"]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain("FI_JOB_UNKNOWN");
  expect(stderr).toContain("unit");
});
