import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { baseResourceTypeImages } from "@fetch-image/kubernetes";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { example, type Images, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { startPushRegistry } from "../support/push-registry.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

interface Row {
  readonly build: string;
  readonly plan: string;
  readonly step: string;
  readonly kind: string;
  readonly resourceType?: string;
  readonly image?: string;
  readonly imageURL?: string;
  readonly artifact?: string;
  readonly version: { readonly [key: string]: string } | null;
  readonly via: string | null;
  readonly state: string;
  readonly because?: string;
  readonly ms: number;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

let images: Images;
let place: Scratch;
beforeAll(async () => {
  images = await startImages();
  place = scratch("run");
  await makeEmbeddedStore(place.path("data"));
});
afterAll(async () => {
  place[Symbol.dispose]();
  await images.registry.close();
});
beforeEach(() => {
  images.registry.clearFaults();
  images.registry.clearRequests();
});

// One data directory for all, as a project has it.
const run = (args: readonly string[], data: string = "data") =>
  fetchImage(["run", ...args, "--data", data], { cwd: place.directory });
const pipeline = (name: string, text: string): string => {
  writeFileSync(place.path(name), text);
  return name;
};
const rowsOf = (json: () => readonly Row[]): readonly Row[] => json();
const digestOf = (reference: string): string => images.digests[reference] ?? "";
const pulled = (reference: string): string => `${images.registry.host}/${reference}@${digestOf(reference)}`;

describe("run", () => {
  test("gives for every step the reference that the kubelet pulls, and downloads nothing", async () => {
    const { status, stderr, json } = await run([example("custom-type"), ...images.vars, "--json"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const rows = rowsOf(json);
    const image = pulled("acme/github-pr-resource:v0.23.0");
    expect(rows.map(({ plan, step, kind }) => ({ plan, step, kind }))).toEqual([
      { plan: "1", step: "pr", kind: "get" },
      { plan: "2", step: "pr", kind: "put" },
      { plan: "3", step: "pr", kind: "get" },
    ]);
    expect(rows[0]).toEqual({
      build: "1",
      plan: "1",
      step: "pr",
      kind: "get",
      resourceType: "pull-request",
      image,
      imageURL: `docker:///${image}`,
      version: { tag: "v0.23.0", digest: digestOf("acme/github-pr-resource:v0.23.0") },
      via: "HEAD",
      state: "short-circuited",
      ms: expect.any(Number),
    });
    expect(rows.slice(1).map(({ image: same, via }) => ({ same, via }))).toEqual([
      { same: image, via: "joined" },
      { same: image, via: "joined" },
    ]);
    expect(images.registry.counts).toMatchObject({ manifestHead: 1, manifestGet: 0, blob: 0 });
  });

  test("asks nobody again for what is still fresh, and says so", async () => {
    const { status, stdout, stderr } = await run([example("custom-type"), ...images.vars]);
    expect(status).toBe(0);
    expect(stdout).toContain(pulled("acme/github-pr-resource:v0.23.0"));
    expect(stdout).toMatch(/^ {2}get pr: type pull-request +fresh /m);
    expect(stderr).toContain("build 2: main/custom-type/unit");
    expect(stderr).toContain("3 still fresh and not asked again");
    expect(stderr).toContain("0 registry requests, 0 bytes of images downloaded");
    expect(images.registry.requests).toEqual([]);
  });

  test("asks all the same with --manual, or when the interval of a setting is over", async () => {
    await run([example("task-image"), ...images.vars, "--manual"]);
    expect(images.registry.counts.manifestHead).toBe(1);
    await run([example("task-image"), ...images.vars, "--check-interval", "1ms"]);
    expect(images.registry.counts.manifestHead).toBe(2);
  });

  test("uses a pinned version as it is", async () => {
    const { status, json } = await run([example("pinned"), ...images.vars, "--json"]);
    expect(status).toBe(0);
    expect(rowsOf(json)).toEqual([expect.objectContaining({ via: "pin", image: pulled("acme/golang:1.22") })]);
    expect(images.registry.requests).toEqual([]);
  });

  test("fetches none of the table's types, nor one that an operator adds: the engine never hears of them", async () => {
    const types = [...Object.keys(baseResourceTypeImages), "house-made"];
    const resources = types.map((type) => `{name: ${type}, type: ${type}, source: {uri: x}}`);
    const steps = types.flatMap((type) => [`{get: ${type}}`, `{put: ${type}}`]);
    const all = pipeline(
      "bases.yml",
      `{resources: [${resources.join()}], jobs: [{name: all, plan: [${steps.join()}]}]}`,
    );
    const override = ["--base-type", "house-made=ghcr.io/acme/house-made", "--base-type-prefix", images.registry.host];
    const { status, json } = await run([all, ...override, "--json", "--build", "bases"]);
    expect(status).toBe(0);
    const rows = rowsOf(json);
    expect(rows).toHaveLength(3 * types.length);
    expect(new Set(rows.map(({ via }) => via))).toEqual(new Set(["base-type"]));
    expect(new Set(rows.map(({ image }) => image)).size).toBe(types.length);
    expect(rows.find(({ step }) => step === "s3")?.image).toBe(`${images.registry.host}/concourse/s3-resource:latest`);
    expect(images.registry.requests).toEqual([]);
    const replay = await fetchImage(["replay", "bases", "--data", "data"], { cwd: place.directory });
    expect(replay.stdout).not.toContain("FetchRequested");
  });

  test("takes base types from the table, which a setting overrides, and stores nothing of them", async () => {
    const override = ["--base-type", "git=registry.example.com/git:v2"];
    const { status, json } = await run([example("base-types"), ...override, "--json", "--build", "based"]);
    expect(status).toBe(0);
    expect(rowsOf(json).map(({ image, via, state }) => ({ image, via, state }))).toEqual([
      { image: "registry.example.com/git:v2", via: "base-type", state: "resolved" },
      { image: "docker.io/concourse/time-resource:latest", via: "base-type", state: "resolved" },
    ]);
    const log = await fetchImage(["log", "based", "--data", "data"], { cwd: place.directory });
    expect(log.status).toBe(2);
  });

  test("logs in with the credentials that the vars give", async () => {
    const { status, json } = await run([example("private"), ...images.vars, "--json"]);
    expect(status).toBe(0);
    const rows = rowsOf(json);
    expect(rows.map(({ image }) => image)).toEqual(rows.map(() => pulled("acme/private-tools:2.3")));
    expect(images.registry.counts.token).toBe(1);
  });

  test("reads vars from files, the last one first, flags before all", async () => {
    writeFileSync(place.path("a.yml"), `registry: nowhere.invalid\npinned_digest: ${digestOf("acme/golang:1.22")}\n`);
    writeFileSync(place.path("b.yml"), `registry: also-nowhere.invalid\n`);
    const files = ["--load-vars-from", "a.yml", "--load-vars-from", "b.yml"];
    const { status, json } = await run([
      example("pinned"),
      ...files,
      "--var",
      `registry=${images.registry.host}`,
      "--json",
    ]);
    expect(status).toBe(0);
    expect(rowsOf(json)[0]?.image).toBe(pulled("acme/golang:1.22"));
  });

  test("fetches the bytes for a task's explicit image, and on the artifact runtime for every image", async () => {
    const explicit = await run([example("explicit-image"), ...images.vars, "--json"]);
    const task = rowsOf(explicit.json).find(({ kind }) => kind === "task");
    expect(task).toMatchObject({ state: "fetched", image: pulled("acme/golang:1.22") });
    // The bytes are there, and nodes pull the very same by the digest.
    expect(task?.imageURL).toBe(`docker:///${pulled("acme/golang:1.22")}`);
    expect(existsSync(`${task?.artifact}/rootfs`)).toBe(true);
    const elsewhere = await run([example("explicit-image"), ...images.vars, "--runtime", "artifact", "--json"]);
    expect(rowsOf(elsewhere.json).find(({ kind }) => kind === "task")?.imageURL).toBeUndefined();
    const artifact = await run([example("task-image"), ...images.vars, "--runtime", "artifact", "--json"]);
    expect(rowsOf(artifact.json)).toEqual([
      expect.objectContaining({ state: "fetched", artifact: expect.stringContaining(place.path("data", "artifacts")) }),
    ]);
    expect(rowsOf(artifact.json)[0]?.imageURL).toBeUndefined();
    expect(images.registry.counts.blob).toBeGreaterThan(0);
  });

  test("pushes what a step has built, where --input says its files are, and gives the digest that nodes pull", async () => {
    await using push = await startPushRegistry();
    mkdirSync(place.path("image", "rootfs", "bin"), { recursive: true });
    writeFileSync(place.path("image", "rootfs", "bin", "tool"), "a tool");
    const file = pipeline(
      "built.yml",
      "jobs:\n- name: unit\n  plan:\n" +
        "  - task: build\n    config: {platform: linux, rootfs_uri: docker:///golang, outputs: [{name: image}], run: {path: make}}\n" +
        "  - task: test\n    image: image\n    config: {platform: linux, run: {path: tool}}\n",
    );
    const built = (args: readonly string[]) => run([file, "--json", ...args]);
    const task = (json: Parameters<typeof rowsOf>[0]) => rowsOf(json).find(({ step }) => step === "test");
    expect(task((await built([])).json)).toMatchObject({ state: "deferred" });
    const nowhere = await built(["--input", `image=${place.path("image")}`]);
    expect(nowhere.status).toBe(1);
    expect(task(nowhere.json)).toMatchObject({ state: "failed", error: { code: "FI_PUSH_REGISTRY_MISSING" } });
    const flags = ["--input", `image=${place.path("image")}`, "--push-registry", `http://${push.host}/builds`];
    const row = task((await built(flags)).json);
    expect(row).toMatchObject({ state: "resolved", via: "push" });
    expect(row?.image).toMatch(new RegExp(`^${push.host}/builds/main/built/image:b[0-9a-z-]+@sha256:[0-9a-f]{64}$`));
    expect(row?.imageURL).toBe(`docker:///${row?.image}`);
    const digest = row?.image?.split("@")[1] ?? "";
    expect(push.manifests.has(digest)).toBe(true);
    const who = await fetchImage(["builds", "--digest", digest, "--json", "--data", "data"], { cwd: place.directory });
    expect(who.json()).toEqual([expect.objectContaining({ build: row?.build, plan: row?.plan, image: row?.image })]);
    const why = ["why", row?.build ?? "", row?.plan ?? "", "--data", "data"];
    expect((await fetchImage(why, { cwd: place.directory })).stdout).toContain("a step of the build has built it");
    const artifact = await built([...flags, "--runtime", "artifact"]);
    expect(task(artifact.json)).toMatchObject({ state: "resolved", artifact: place.path("image") });
  });

  test("reads a task's file where --input says its artifact is, and defers it otherwise", async () => {
    const file = pipeline(
      "file.yml",
      "resources: [{name: repo, type: git, source: {uri: x}}]\njobs:\n- name: unit\n  plan:\n  - get: repo\n" +
        `  - task: unit\n    file: repo/ci/unit.yml\n    vars: {tag: "1.22"}\n`,
    );
    const later = rowsOf((await run([file, "--json"])).json).at(-1);
    expect(later).toMatchObject({ step: "unit", state: "deferred", via: null, version: null });
    expect(later?.because).toContain("--input repo=DIR");
    mkdirSync(place.path("repo", "ci"), { recursive: true });
    writeFileSync(
      place.path("repo", "ci", "unit.yml"),
      "platform: linux\nimage_resource:\n  type: registry-image\n" +
        `  source: {repository: ${images.registry.host}/acme/golang, tag: ((tag))}\nrun: {path: "true"}\n`,
    );
    const { status, json } = await run([file, "--input", "repo=repo", "--json"]);
    expect(status).toBe(0);
    expect(rowsOf(json).at(-1)).toMatchObject({ step: "unit", image: pulled("acme/golang:1.22") });
  });

  test("goes on with the others when one image fails, and ends with status 1", async () => {
    const file = pipeline("failing.yml", twoTasks("acme/gone", "acme/golang"));
    const { status, json } = await run([file, "--json", "--build", "failing"]);
    expect(status).toBe(1);
    const [gone, golang] = rowsOf(json);
    expect(gone).toMatchObject({ step: "first", state: "failed", error: { code: "FI_CHECK_FAILED" } });
    expect(gone?.error?.message).toContain("acme/gone");
    expect(golang).toMatchObject({ step: "second", state: "short-circuited", image: pulled("acme/golang:1.22") });
    const text = await run([file]);
    expect(text.status).toBe(1);
    expect(text.stdout).toMatch(/^ {2}task first +failed +\d+ +FI_CHECK_FAILED$/m);
    expect(text.stderr).toContain("error FI_CHECK_FAILED: task first: image check failed");
    expect(text.stderr).toMatch(/fix: .*spelling/);
    expect(text.stderr).toContain("1 failed");
  });

  test("does not try for ever where a registry is down", async () => {
    images.registry.answerAlways("*", /golang/, 503);
    const { status, json } = await run([
      example("task-image"),
      ...images.vars,
      "--manual",
      "--attempts",
      "2",
      "--backoff",
      "1ms",
      "--json",
    ]);
    expect(status).toBe(1);
    expect(rowsOf(json)[0]?.error?.message).toContain("503");
    // By hand it is asked at once, whatever it did before; the second attempt finds its back-off not over.
    expect(images.registry.counts.manifestHead).toBe(1);
  });

  test("a build that is named again gives what it gave, and asks nobody", async () => {
    const args = [example("task-image"), ...images.vars, "--build", "again-1", "--json"];
    const first = rowsOf((await run([...args, "--manual"])).json)[0];
    images.registry.clearRequests();
    const second = rowsOf((await run([...args, "--manual"])).json)[0];
    expect(second).toEqual({ ...first, ms: expect.any(Number) });
    expect(images.registry.requests).toEqual([]);
  });

  test("writes the build's id to the file that --id-file names, once something is stored", async () => {
    await run([example("pinned"), ...images.vars, "--build", "noted", "--id-file", "id"]);
    expect(readFileSync(place.path("id"), "utf8")).toBe("noted\n");
    const { stderr } = await run([example("base-types"), "--id-file", "none"]);
    expect(existsSync(place.path("none"))).toBe(false);
    // And no number is promised that nobody could ask for.
    expect(stderr).not.toContain("build ");
    expect(stderr).toContain("nothing was stored");
  });
});

describe("a run that takes long because of its registry", () => {
  const image = '{type: registry-image, source: {repository: "127.0.0.1:1/acme/app", tag: "1"}}';
  const config = `{platform: linux, run: {path: sh}, image_resource: ${image}}`;
  const waiting = () => pipeline("away.yml", `jobs: [{name: unit, plan: [{task: t, config: ${config}}]}]`);
  const patiently = ["--attempts", "2", "--backoff", "2s", "--failure-backoff", "2s"];

  test("says why on standard error, before it has ended", async () => {
    const { status, stdout, stderr } = await run([waiting(), ...patiently]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^ *STEP .*\n.*task t .* FI_CHECK_FAILED\n$/);
    const warning =
      /^warning: task t: image: check failed: 127\.0\.0\.1:1 refuses connections \(FI_REGISTRY_UNREACHABLE\); /m;
    expect(stderr).toMatch(warning);
    expect(stderr).toContain("(attempt 2 of 2)");
    expect(stderr.search(warning)).toBeLessThan(stderr.indexOf("error FI_CHECK_FAILED"));
    expect(stderr.match(/^warning: /gm)).toHaveLength(1);
  });

  test("says nothing of it to a program, which gets the outcome", async () => {
    const { stderr, json } = await run([waiting(), ...patiently, "--json"]);
    expect([stderr, rowsOf(json).map(({ state }) => state)]).toEqual(["", ["failed"]]);
  });
});

describe("what is wrong with the input is refused with status 2 before anything is asked or stored", () => {
  test.each([
    { name: "a var that is missing", args: () => [example("pinned")], code: "FI_VAR_MISSING", says: "((registry))" },
    {
      name: "a job that is not there",
      args: () => [example("ci"), "--job", "unti", ...images.vars],
      code: "FI_JOB_UNKNOWN",
      says: "unti",
    },
    {
      name: "a step of no known kind",
      args: () => [pipeline("kind.yml", "jobs: [{name: unit, plan: [{fetch: x}]}]\n")],
      code: "FI_PIPELINE_INVALID",
      says: "kind.yml:1:",
    },
    {
      name: "YAML that is none",
      args: () => [pipeline("bad.yml", "jobs: [\n")],
      code: "FI_PIPELINE_INVALID",
      says: "bad.yml:",
    },
    {
      name: "a source with a field that nobody knows",
      args: () => [pipeline("source.yml", twoTasks("acme/golang, tga: x", "acme/golang"))],
      code: "FI_SOURCE_INVALID",
      says: "tga",
    },
    {
      name: "a pipeline with several jobs and none named",
      args: () => [pipeline("jobs.yml", "jobs: [{name: a, plan: [{do: []}]}, {name: b, plan: [{do: []}]}]\n")],
      code: "FI_JOB_UNKNOWN",
      says: "2 jobs",
    },
    {
      name: "an input that is not there",
      args: () => [example("base-types"), "--input", "repo=nowhere"],
      code: "FI_USAGE",
      says: "nowhere",
    },
    {
      name: "a setting that cannot be",
      args: () => [example("base-types"), "--runtime", "docker"],
      code: "FI_SETTING_INVALID",
      says: "--runtime must be kubernetes or artifact",
    },
  ])("$name", async ({ args, code, says }) => {
    const { status, stderr, json } = await run([...args(), "--json"], "untouched");
    expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
    expect(json()).toEqual([expect.objectContaining({ code, message: expect.stringContaining(says) })]);
    expect(existsSync(place.path("untouched"))).toBe(false);
    expect(images.registry.requests).toEqual([]);
  });
});

function twoTasks(first: string, second: string): string {
  const task = (name: string, source: string) =>
    `  - task: ${name}\n    config:\n      platform: linux\n      run: {path: "true"}\n` +
    `      image_resource: {type: registry-image, source: {repository: ${images.registry.host}/${source}, tag: "1.22"}}\n`;
  return `jobs:\n- name: unit\n  plan:\n${task("first", first)}${task("second", second)}`;
}
