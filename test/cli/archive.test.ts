import { appendFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openEmbedded } from "@fetch-image/store/pglite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { example, type Images, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { embeddedDirectory } from "../support/embedded.ts";
import { type PeerProcess, startPeerProcess } from "../support/eventstoredb-peer/start-process.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

describe("archive and restore", () => {
  let images: Images;
  let peer: PeerProcess;
  let place: Scratch;
  let data: string;
  beforeAll(async () => {
    [images, peer] = await Promise.all([startImages(), startPeerProcess()]);
    place = scratch("archive");
    data = await embeddedDirectory();
    await run("run", example("custom-type"), ...images.vars, "--data", data);
    await run("run", example("task-image"), ...images.vars, "--data", data);
  }, 120_000);
  afterAll(async () => {
    place[Symbol.dispose]();
    rmSync(data, { recursive: true, force: true });
    await peer[Symbol.asyncDispose]();
    await images.registry.close();
  });
  const run = (...args: readonly string[]) => fetchImage(args, { cwd: place.directory });
  const texts = (...commands: readonly (readonly string[])[]) =>
    Promise.all(commands.map(async (command) => (await run(...command, "--data", data)).stdout));

  test("move builds' logs into files and back, while what they ran stays known", async () => {
    const audit = [
      ["why", "1"],
      ["why", "2", "1"],
      ["builds", "--ref", `${images.registry.host}/acme/golang`],
    ];
    const known = await texts(...audit);
    const logs = await texts(["log", "1"], ["log", "2", "--verify"], ["replay", "1"]);
    expect(known.concat(logs)).not.toContain("");

    const archived = await run("archive", "--before", "0s", "--to", "old", "--expire", "--data", data);
    expect(archived).toMatchObject({ status: 0, stderr: "" });
    expect(archived.stdout).toMatch(
      /^archived 2 builds, \d+ facts, in 1 new file of .*old\nremoved \d+ facts of 2 builds\n/,
    );
    expect(readdirSync(place.path("old")).toSorted()).toEqual([
      expect.stringMatching(/^builds-.*\.ndjson\.gz$/),
      "manifest.json",
    ]);
    expect(await texts(...audit)).toEqual(known);
    expect(await run("rebuild", "--data", data)).toMatchObject({
      stdout: expect.stringContaining("kept as it is what was known of 2 builds"),
    });
    expect(await texts(...audit)).toEqual(known);
    const log = await run("log", "1", "--data", data);
    expect(log).toMatchObject({ status: 2, stderr: expect.stringContaining("were removed") });
    expect(log.stderr).toContain("fetch-image restore --from DIR");

    const [restored] = (await run("restore", "--from", "old", "--data", data, "--json")).json();
    expect(restored).toMatchObject({ builds: 2, restored: restored.facts });
    expect(await texts(["log", "1"], ["log", "2", "--verify"], ["replay", "1"])).toEqual(logs);
    expect(await texts(...audit)).toEqual(known);
    const [again] = (await run("restore", "--from", "old", "--data", data, "--json")).json();
    expect(again).toMatchObject({ facts: restored.facts, restored: 0 });
  }, 60_000);

  test("restores a build into EventStoreDB, from where it is archived, and not removed", async () => {
    const moved = ["--event-store", peer.url, "--data", place.path("beside")];
    expect(await run("archive", "--before", "0s", "--to", "copy", "--data", data)).toMatchObject({ status: 0 });
    expect(await run("restore", "--from", "copy", ...moved)).toMatchObject({ status: 0 });
    expect((await run("log", "2", ...moved)).stdout).toBe((await run("log", "2", "--data", data)).stdout);
    const [twice] = (await run("archive", "--before", "0s", "--to", "again", "--json", ...moved)).json();
    expect(twice).toMatchObject({ builds: 2, left: 0 });
    const refused = await run("archive", "--before", "0s", "--to", "again", "--expire", ...moved);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("soft-delete") });
    expect((await run("log", "2", ...moved)).status).toBe(0);
  }, 60_000);

  test("refuse a damaged file by its name, what is no time, and what is missing", async () => {
    await run("archive", "--before", "0s", "--to", "damaged", "--data", data);
    const file = readdirSync(place.path("damaged")).find((name) => name.endsWith(".gz")) ?? "";
    appendFileSync(join(place.path("damaged"), file), "more");
    expect(await run("restore", "--from", "damaged", "--data", data)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(`FI_ARCHIVE_DAMAGED: .*${file}`),
    });
    for (const args of [
      ["archive", "--to", "x"],
      ["archive", "--before", "0s"],
      ["archive", "--before", "yesterday", "--to", "x"],
      ["restore"],
    ]) {
      expect(await run(...args, "--data", data)).toMatchObject({ status: 2, stdout: "" });
    }
    const { stderr } = await run("archive", "--before", "yesterday", "--to", "x", "--data", data);
    expect(stderr).toMatch(/"yesterday" is no time\n.*, or 24h for so long ago/);
  }, 60_000);

  test("forgets, where told to, what builds ran whose facts are gone, and says so where it is asked", async () => {
    const forget = ["archive", "--before", "0s", "--to", "all", "--audit-before", "2999-01-01", "--data", data];
    expect(await run(...forget)).toMatchObject({ status: 0, stdout: expect.stringContaining("archived 2 builds") });
    // What has facts still is known still.
    expect(await run("why", "1", "--data", data)).toMatchObject({ status: 0 });
    const [gone] = (await run(...forget, "--expire", "--json")).json();
    expect(gone).toMatchObject({ already: 2, expired: { builds: 2 }, audit: { left: [] } });
    expect(await run("why", "1", "--data", data)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("may have been dropped from the audit"),
    });
    const builds = await run("builds", "--ref", `${images.registry.host}/acme/golang`, "--data", data);
    expect(builds).toMatchObject({
      status: 0,
      stdout: "",
      stderr: expect.stringContaining("what they ran is not told"),
    });
    expect(await run("restore", "--from", "all", "--data", data)).toMatchObject({ status: 0 });
    expect((await run("why", "1", "--data", data)).stdout).toContain("github-pr-resource");
  }, 60_000);

  test("is what doctor advises where old builds' facts only grow", async () => {
    const directory = await embeddedDirectory();
    try {
      expect((await run("doctor", "--data", directory)).stdout).not.toContain("nothing removes them");
      const store = await openEmbedded({ directory, access: "write" });
      const builds = Array.from({ length: 1000 }, (_, n) => ({
        buildId: `${n}`,
        openedAt: "2020-01-01T00:00:00.000Z",
      }));
      const from = await store.readModel.checkpoint();
      const changes = { builds, images: [], scopes: [], versions: [], observations: [] };
      await store.readModel.apply(changes, { from, to: from ?? "0" });
      await store.close();
      const { stdout } = await run("doctor", "--data", directory);
      expect(stdout).toContain("older than");
      expect(stdout).toContain("fetch-image archive --before");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }, 60_000);
});
