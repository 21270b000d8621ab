import { decodeBuildFact, isBuildFact, replayBuild } from "@fetch-image/core";
import { openEmbedded } from "@fetch-image/store/pglite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { example, type Images, startImages } from "../support/cli.ts";
import { fetchImageInHost } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let images: Images;
let place: Scratch;
let store: { close(): Promise<void> };
/** The digests that acme/golang:1.22 had, in order. */
let [old, moved, back] = ["", "", ""];
let beforeMove = "";
beforeAll(async () => {
  images = await startImages();
  place = scratch("audit");
  await makeEmbeddedStore(place.path("data"));
  const run = async (name: string, status = 0) => {
    const ran = await fetchImageInHost([
      "run",
      example(name),
      ...images.vars,
      "--data",
      place.path("data"),
      "--manual",
    ]);
    if (ran.status !== status) throw new Error(ran.stderr);
  };
  old = images.digests["acme/golang:1.22"] ?? "";
  await run("task-image");
  await run("nested-types");
  beforeMove = new Date().toISOString();
  moved = (await images.registry.push("acme/golang:1.22", { layers: [{ go: "1.22.1" }] })).digest;
  await run("task-image");
  images.registry.deleteTag("acme/golang", "1.22");
  await run("task-image", 1);
  back = (await images.registry.push("acme/golang:1.22", { layers: [{ go: "1.22.2" }] })).digest;
  await run("task-image");
  // Commands read beside this process: faster than opening the store for each.
  store = await openEmbedded({ directory: place.path("data"), access: "write" });
}, 120_000);
afterAll(async () => {
  await store?.close();
  place[Symbol.dispose]();
  await images.registry.close();
});

const ask = (...args: readonly string[]) => fetchImageInHost([...args, "--data", "data"], { cwd: place.directory });
const golang = () => `${images.registry.host}/acme/golang`;

test("as-of tells the digest of then, with the observations before and after, and unknown before the first", async () => {
  const { status, json } = await ask("as-of", `${golang()}:1.22`, beforeMove, "--json");
  expect(status).toBe(0);
  expect(json()).toEqual([
    expect.objectContaining({
      repository: golang(),
      tag: "1.22",
      credential: null,
      known: "observed",
      image: `${golang()}:1.22@${old}`,
      last: expect.objectContaining({ digest: old, vanished: false, by: { build: "1", fetch: "1/image-get" } }),
      next: expect.objectContaining({ digest: moved, by: { build: "3", fetch: "1/image-get" } }),
      sameAfter: false,
    }),
  ]);
  expect((await ask("as-of", `${golang()}:1.22`, "2020-01-01", "--json")).json()).toMatchObject([
    { known: "unknown", next: { digest: old } },
  ]);
  expect((await ask("as-of", "busybox", "1h", "--json")).json()).toMatchObject([
    { reference: "busybox", known: "unknown" },
  ]);
  const text = await ask("as-of", `${golang()}:1.22`, "0s");
  expect(text.stdout).toContain(`: ${golang()}:1.22@${back}\n`);
  expect(text.stdout).toContain("after it:  nothing was observed since");
});

test("versions has a line for each stay, and tells when the tag was gone", async () => {
  const { json } = await ask("versions", `${golang()}:1.22`, "--json");
  expect(json()).toMatchObject([
    { digest: old, current: false, credential: null, firstObservedBy: { build: "1" } },
    { digest: moved, current: false },
    { vanished: true, current: false, firstObservedBy: { build: "4" } },
    { digest: back, current: true },
  ]);
  expect((await ask("versions", golang(), "--limit", "2", "--json")).json()).toHaveLength(2);
  expect((await ask("versions", `${golang()}:1.22`)).stdout).toMatch(/anonymous, scope [0-9a-f]{32}\n/);
});

test("builds finds what ran a digest, or any digest of a tag", async () => {
  const byDigest = await ask("builds", "--digest", old, "--json");
  expect(byDigest.json()).toMatchObject([
    { build: "1", pipeline: "task-image", job: "unit", step: "unit", digest: old },
  ]);
  const byTag = await ask("builds", "--ref", `${golang()}:1.22`, "--json");
  expect(byTag.json().map(({ build }) => build)).toEqual(["5", "3", "1"]);
  const until = await ask("builds", "--ref", golang(), "--until", beforeMove, "--json");
  expect(until.json().map(({ build }) => build)).toEqual(["1"]);
  const all = await ask("builds", "--ref", golang(), "--all", "--limit", "2");
  expect(all.stdout.trimEnd().split("\n")).toHaveLength(3);
  expect(all.stdout).toMatch(/^4 +main\/task-image\/unit +task unit .* failed/m);
  expect((await ask("builds")).status).toBe(2);
  expect((await ask("builds", "--digest", "latest")).stderr).toContain("FI_QUERY_INVALID");
});

test("drift tells which tag moved, from what to what, and the first build that it reached", async () => {
  const { json } = await ask("drift", "--since", "24h", "--ref", golang(), "--json");
  expect(json()).toMatchObject([
    { kind: "moved", tag: "1.22", from: { digest: old }, to: { digest: moved }, firstBuild: { build: "3" } },
    { kind: "vanished", from: { digest: moved }, to: null, observedBy: { build: "4" }, firstBuild: null },
    { kind: "returned", from: { digest: moved }, to: { digest: back }, firstBuild: { build: "5" } },
  ]);
  const text = await ask("drift");
  expect(text.stdout.trimEnd().split("\n")).toHaveLength(4);
});

test("rerun prints the same images, types' types too, and asks no registry", async () => {
  images.registry.clearRequests();
  const { status, json } = await ask("rerun", "1", "--json");
  expect(status).toBe(0);
  const image = `${golang()}:1.22@${old}`;
  expect(json()).toEqual([
    {
      build: "1",
      plan: "1",
      step: "unit",
      kind: "task",
      image,
      imageURL: `docker:///${image}`,
      version: { tag: "1.22", digest: old },
      via: "rerun",
      state: "resolved",
      ms: 0,
    },
  ]);
  const nested = (await ask("rerun", "2", "--json")).json();
  expect(new Set(nested.map(({ resourceType }) => resourceType))).toEqual(
    new Set(["registry-image", "slack-notification"]),
  );
  expect(images.registry.requests).toEqual([]);
  const failed = await ask("rerun", "4");
  expect(failed).toMatchObject({ status: 1 });
  expect(failed.stderr).toContain("FI_NOT_REPEATABLE");
});

test("rerun --verify asks for each digest by HEAD, and names one that is gone", async () => {
  images.registry.clearRequests();
  expect(await ask("rerun", "1", "--verify")).toMatchObject({ status: 0, stderr: "" });
  expect(images.registry.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    `HEAD /v2/acme/golang/manifests/${old}`,
  ]);
  images.registry.answerAlways("HEAD", `/v2/acme/golang/manifests/${old}`, 404);
  const gone = await ask("rerun", "1", "--verify", "--json");
  images.registry.clearFaults();
  expect(gone.status).toBe(1);
  expect(gone.json()).toMatchObject([
    { state: "failed", error: { code: "FI_DIGEST_GONE", message: expect.stringContaining(`${golang()}:1.22@${old}`) } },
  ]);
});

test("export prints a build's facts, each as it is stored, and the inspector's page reads them from a file", async () => {
  const exported = await ask("export", "1", "--format", "ndjson");
  const facts = exported.json().map(({ revision, ...fact }) => ({ ...fact, revision: BigInt(revision) }));
  const [{ type, position }] = facts;
  expect([type, position]).toEqual(["BuildOpened", expect.any(String)]);
  const replayed = (await ask("replay", "1", "--json")).json();
  expect(facts.map(({ id, data, metadata }) => [id, data, metadata])).toEqual(
    replayed.map(({ id, data, metadata }) => [id, data, metadata]),
  );
  expect(replayBuild(facts.map((fact) => decodeBuildFact(fact).fact).filter(isBuildFact)).opened?.buildId).toBe("1");
  expect((await ask("export", "99", "--format", "ndjson")).stderr).toContain("The newest builds are 5, 4, 3, 2, 1.");
  expect((await ask("export", "1", "--format", "ndjson", "--subject", `app.tar=${old}`)).status).toBe(2);
});

test("export prints a statement of a build, and tables as CSV and NDJSON", async () => {
  const [statement] = (await ask("export", "1", "--json", "--subject", `app.tar=${old}`)).json();
  expect(statement).toMatchObject({
    subject: [{ name: "app.tar", digest: { sha256: old.slice(7) } }],
    predicate: { buildDefinition: { resolvedDependencies: [{ digest: { sha256: old.slice(7) } }] } },
  });
  const csv = (await ask("export", "--table", "builds", "--since", "24h")).stdout.split("\r\n");
  expect(csv.slice(0, 2)).toEqual([
    "build,team,pipeline,job,openedAt",
    expect.stringMatching(/^5,main,task-image,unit,/),
  ]);
  expect(csv).toHaveLength(7);
  const versions = (await ask("export", "--table", "versions", "--format", "ndjson")).json();
  expect(versions.filter(({ repository }) => repository === golang()).map(({ outcome }) => outcome)).toEqual([
    "observed",
    "vanished",
    "observed",
    "observed",
  ]);
  const list = (await ask("export", "--table", "images", "--json", "--until", beforeMove)).json();
  expect(list.every(({ build }) => build === "1" || build === "2")).toBe(true);
  for (const wrong of [[], ["1", "--table", "builds"], ["--table", "facts"], ["1", "--format", "csv"]]) {
    expect((await ask("export", ...wrong)).status).toBe(2);
  }
  expect((await ask("export", "99")).stderr).toContain("The newest builds are 5, 4, 3, 2, 1.");
});
