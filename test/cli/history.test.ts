import { type EventLog, projectFacts, type ReadModel, type RecordedFact, renderBuildLog } from "@fetch-image/core";
import { decodeBuildFact } from "@fetch-image/core";
import { openEmbedded } from "@fetch-image/store/pglite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { example, type Images, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let images: Images;
let place: Scratch;
let store: { readonly eventLog: EventLog; readonly readModel: ReadModel; close(): Promise<void> };
beforeAll(async () => {
  images = await startImages();
  place = scratch("history");
  await makeEmbeddedStore(place.path("data"));
  const data = ["--data", place.path("data")];
  const runs = [example("task-image"), example("custom-type")];
  for (const pipeline of runs) {
    const { status, stderr } = await fetchImage(["run", pipeline, ...images.vars, ...data]);
    if (status !== 0) throw new Error(stderr);
  }
  // From here on this process is the writer: what is asked below is asked beside it.
  store = await openEmbedded({ directory: place.path("data"), access: "write" });
}, 120_000);
afterAll(async () => {
  await store?.close();
  place[Symbol.dispose]();
  await images.registry.close();
});

const ask = (...args: readonly string[]) => fetchImage([...args, "--data", "data"], { cwd: place.directory });
const golang = () => `${images.registry.host}/acme/golang`;
const digest = () => images.digests["acme/golang:1.22"] ?? "";
const factsOf = async (build: string): Promise<readonly RecordedFact[]> => store.eventLog.read(`build-${build}`);

describe("beside a running writer", () => {
  test("log prints the build log that the facts of the stream make", async () => {
    const { status, stdout, stderr } = await ask("log", "1");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toBe(renderBuildLog((await factsOf("1")).map((fact) => decodeBuildFact(fact).fact)));
    expect(stdout).toContain(`kubelet pulls ${golang()}:1.22@${digest()}`);
    const [document] = (await ask("log", "1", "--json")).json();
    expect(document).toEqual({ build: "1", log: stdout });
  });

  test("replay prints every fact, the state after it and what it caused", async () => {
    const { status, json } = await ask("replay", "1", "--json");
    expect(status).toBe(0);
    const lines: readonly { id: string; type: string; data: unknown }[] = json();
    const stored = await factsOf("1");
    expect(lines.map(({ id, type, data }) => ({ id, type, data }))).toEqual(
      stored.map(({ id, type, data }) => ({ id, type, data })),
    );
    expect(lines.find(({ type }) => type === "FetchRequested")).toMatchObject({
      state: "checking",
      owes: { kind: "check-image", attempt: 1 },
      caused: ["ImageCheck", "ImageGet"],
    });
    expect(lines.find(({ type }) => type === "ImageChecked")).toMatchObject({
      state: "short-circuited",
      caused: ["ImageVersionResolved", "ImageShortCircuited"],
    });
    const text = await ask("replay", "1");
    expect(text.stdout.trimEnd().split("\n")).toHaveLength(stored.length);
    expect(text.stdout).toContain("ImageChecked 1/image-get:");
  });

  test("why tells the candidates in order, each with its reason, and lists the plans without one", async () => {
    const byStep = await ask("why", "1", "1", "--json");
    expect(byStep.status).toBe(0);
    expect(byStep.json()).toEqual([
      expect.objectContaining({
        build: "1",
        plan: "1",
        fetch: "1/image-get",
        chosen: `${golang()}:1.22@${digest()}`,
        pinned: false,
        digestKnown: true,
        via: "HEAD",
        candidates: [
          expect.objectContaining({ taken: true, reason: expect.stringContaining("HEAD") }),
          expect.objectContaining({ taken: false }),
        ],
        evidence: expect.objectContaining({ host: images.registry.host, status: "200" }),
      }),
    ]);
    expect((await ask("why", "1", "1/image-check", "--json")).stdout).toBe(byStep.stdout);
    const text = await ask("why", "1", "1/image-get");
    expect(text.stdout).toContain("candidates, in order");
    const list = await ask("why", "2");
    expect(list.stdout).toMatch(/^PLAN +STEP +IMAGE OF +STATE +HOW +IMAGE$/m);
    expect(list.stdout).toMatch(/^2 +put pr +pull-request +short-circuited +joined /m);
    expect((await ask("why", "2", "--json")).json()).toHaveLength(3);
  });

  test("versions tells the history of a reference, of all its tags where none is named", async () => {
    const { status, json } = await ask("versions", `${golang()}:1.22`, "--json");
    expect(status).toBe(0);
    expect(json()).toEqual([
      expect.objectContaining({ repository: golang(), tag: "1.22", digest: digest(), current: true }),
    ]);
    const text = await ask("versions", golang());
    expect(text.stdout).toMatch(new RegExp(`^ {2}${digest()} .* current$`, "m"));
    const never = await ask("versions", "busybox");
    expect(never).toMatchObject({ status: 0, stdout: "" });
    expect(never.stderr).toContain("docker.io/library/busybox was never asked for");
  });

  test("a build that is not there is refused with those that are, and so is a plan", async () => {
    for (const args of [
      ["log", "99"],
      ["replay", "99"],
      ["why", "99"],
      ["why", "99", "1"],
    ]) {
      const { status, stdout, stderr } = await ask(...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toContain("FI_BUILD_UNKNOWN");
      expect(stderr).toContain("The newest builds are 2, 1. Check --data or --database-url.");
    }
    const { status, json } = await ask("why", "2", "9z", "--json");
    expect(status).toBe(2);
    expect(json()).toEqual([
      expect.objectContaining({ code: "FI_PLAN_UNKNOWN", details: { build: "2", plans: ["1", "2", "3"] } }),
    ]);
  });

  test("a second writer is refused at once, with the first one's pid, and asks nobody", async () => {
    images.registry.clearRequests();
    const { status, stdout, stderr } = await ask("run", example("task-image"), ...images.vars, "--manual");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("FI_STORE_LOCKED");
    expect(stderr).toContain(String(process.pid));
    expect(images.registry.requests).toEqual([]);
  });

  test("rebuild makes the same read model again, from nothing", async () => {
    const before = [await store.readModel.imagesOfBuild("1"), await store.readModel.imagesOfBuild("2")];
    expect(before[0]).toEqual(projectFacts(await knownFacts("1")).images);
    await store.readModel.reset();
    expect(await store.readModel.imagesOfBuild("1")).toEqual([]);
    const { status, json } = await ask("rebuild", "--json");
    expect(status).toBe(0);
    expect(json()).toEqual([{ facts: expect.any(Number), ms: expect.any(Number) }]);
    expect([await store.readModel.imagesOfBuild("1"), await store.readModel.imagesOfBuild("2")]).toEqual(before);
  });

  test("doctor names the writer, asks registries for what it is told, and says what to do", async () => {
    const good = await ask("doctor", `${golang()}:1.22`, example("private"), ...images.vars);
    expect(good.status).toBe(0);
    expect(good.stdout).toContain(`written by process ${process.pid} now`);
    expect(good.stdout).toContain(`ok       ${golang()}:1.22: ${digest()}`);
    expect(good.stdout).toContain("with the source's username and password");
    const wrong = ["--var", `registry=${images.registry.host}`, "--var", "username=robot", "--var", "password=wrong-1"];
    const bad = await ask("doctor", `${golang()}:nope`, example("private"), ...wrong, "--json");
    expect(bad.status).toBe(1);
    const findings: readonly { readonly is: string; readonly code?: string; readonly fix?: string }[] = bad.json();
    expect(findings.filter(({ is }) => is === "problem")).toEqual([
      expect.objectContaining({ code: "FI_IMAGE_UNKNOWN", fix: expect.stringContaining("spelling") }),
      expect.objectContaining({ code: "FI_UNAUTHORIZED", fix: expect.stringContaining("password") }),
    ]);
    expect(bad.stdout).not.toContain("wrong-1");
  });
});

describe("where nothing was stored yet", () => {
  test("readers say so, and make no data directory", async () => {
    using empty = scratch("empty");
    const log = await fetchImage(["log", "1"], { cwd: empty.directory });
    expect(log.status).toBe(2);
    expect(log.stderr).toContain("It has no builds yet: `fetch-image run PIPELINE.yml` makes one.");
    const doctor = await fetchImage(["doctor"], { cwd: empty.directory, env: { FETCH_IMAGE_CLAIMS: "1m" } });
    expect(doctor.status).toBe(0);
    expect(doctor.stdout).toContain("is not there yet");
    expect(doctor.stdout).toContain("Did you mean FETCH_IMAGE_CLAIM?");
    const { readdirSync } = await import("node:fs");
    expect(readdirSync(empty.directory)).toEqual([]);
  });

  test("a data directory that cannot be one is refused with status 2", async () => {
    const { status, stderr } = await fetchImage(["run", example("base-types"), "--data", "/dev/null/data"]);
    expect(status).toBe(2);
    expect(stderr).toContain("FI_STORE_UNREADABLE");
  });
});

async function knownFacts(build: string) {
  return (await factsOf(build)).flatMap((recorded) => {
    const decoded = decodeBuildFact(recorded);
    return decoded.known ? [decoded.fact] : [];
  });
}
