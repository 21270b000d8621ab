import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openEventStoreDb } from "@fetch-image/store/eventstoredb";
import { createPostgresEventLog, openPostgresStore } from "@fetch-image/store/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { example, type Images, startFetchImage, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { embeddedDirectory } from "../support/embedded.ts";
import { type PeerProcess, startPeerProcess } from "../support/eventstoredb-peer/start-process.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

describe("copy-events", () => {
  let images: Images;
  let peer: PeerProcess;
  let place: Scratch;
  let data: string;
  let postgres: TestPostgres | undefined;
  beforeAll(async () => {
    [images, peer] = await Promise.all([startImages(), startPeerProcess()]);
    place = scratch("copy-events");
    data = await embeddedDirectory();
    if (postgresMissing() === undefined) postgres = await startPostgres();
  }, 120_000);
  afterAll(async () => {
    place[Symbol.dispose]();
    rmSync(data, { recursive: true, force: true });
    await postgres?.stop();
    await peer[Symbol.asyncDispose]();
    await images.registry.close();
  });
  const run = (...args: readonly string[]) => fetchImage(args, { cwd: place.directory });

  test("moves a data directory's builds to EventStoreDB, where they are read, and projected anew", async () => {
    const old = ["--data", data];
    const moved = ["--event-store", peer.url, ...old];
    expect(await run("run", example("custom-type"), ...images.vars, ...old)).toMatchObject({ status: 0 });
    const reference = `${images.registry.host}/acme/github-pr-resource:v0.23.0`;
    const versions = (await run("versions", reference, ...old)).stdout;
    expect(versions).toContain("v0.23.0");

    const copied = await run("copy-events", "--from", data, "--to", peer.url, "--json");
    expect(copied).toMatchObject({ status: 0, stderr: "" });
    const [summary] = copied.json();
    expect(summary).toMatchObject({ from: data, copied: summary.facts, ms: expect.any(Number) });
    expect(summary.facts).toBeGreaterThan(5);

    expect((await run("log", "1", ...moved)).stdout).toBe((await run("log", "1", ...old)).stdout);
    // What is in its read model was projected from other facts.
    expect(await run("versions", reference, ...moved)).toMatchObject({ status: 1 });
    expect(await run("rebuild", ...moved)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^rebuilt the read model from \d+ facts of builds and scopes in /),
    });
    expect((await run("versions", reference, ...moved)).stdout).toBe(versions);

    const again = await run("copy-events", "--from", `file://${data}`, "--to", peer.url);
    expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining("fetch-image rebuild") });
    expect(again.stdout).toContain("copied 0 facts");
    expect(again.stdout).toContain(summary.digest);
  }, 120_000);

  test("killed at any point, it goes on where it was, and copies everything once", async ({ skip }) => {
    const server = postgres ?? skip(postgresMissing());
    const source = await server.createDatabase();
    const log = createPostgresEventLog({ connectionString: source });
    const streams = Array.from({ length: 100 }, (_, number) => `build-k${number}`);
    await Promise.all(
      streams.map(async (stream) => {
        for (let revision = -1n; revision < 7n; revision++) {
          const fact = { id: randomUUID(), type: "Kept", data: { stream }, metadata: { schema: 1 } };
          await log.append(stream, revision < 0n ? "no-stream" : revision, [fact]);
        }
      }),
    );
    await log.close();

    await using target = await startPeerProcess();
    await using held = await openEventStoreDb({ connectionString: target.url });
    const stored = async (): Promise<number> => (await held.eventLog.readAll({ limit: 10_000 })).facts.length;
    const args = ["copy-events", "--from", source, "--to", target.url];
    let killed = 0;
    for (let least = 1; killed < 2; least = (await stored()) + 100) {
      const copying = startFetchImage(args, { cwd: place.directory });
      while ((await stored()) < least) await sleep(5);
      process.kill(copying.pid, "SIGKILL");
      await copying.ended;
      killed++;
    }
    expect(await stored()).toBeLessThan(800);
    const [there] = (await run(...args, "--json")).json();
    expect(there).toMatchObject({ facts: 800, streams: 100 });
    expect(there.copied).toBeLessThan(800);
    expect(await stored()).toBe(800);

    const backTo = await server.createDatabase();
    const [back] = (await run("copy-events", "--from", target.url, "--to", backTo, "--json")).json();
    expect(back).toMatchObject({ facts: 800, copied: 800, digest: there.digest, readModelEmptied: false });
  }, 120_000);

  test("refuses a target that holds other facts, and says which", async ({ skip }) => {
    const server = postgres ?? skip(postgresMissing());
    const other = await server.createDatabase();
    await using log = await openPostgresStore({ connectionString: other });
    await log.eventLog.append("build-1", "no-stream", [
      { id: randomUUID(), type: "Kept", data: {}, metadata: { schema: 1 } },
    ]);
    const { status, stderr } = await run("copy-events", "--from", peer.url, "--to", other);
    expect(status).toBe(1);
    expect(stderr).toMatch(/FI_STORES_DIFFER[^]*stream build/);
  }, 120_000);

  test.each([
    [["--from", "a"], /--to is missing/],
    [["--from", "a", "--to", "./a"], /the same store/],
    [["--from", "mysql://me:canary-9@x/y", "--to", "a"], /--from names no event store/],
  ])("%j is status 2", async (args, message) => {
    const { status, stdout, stderr } = await run("copy-events", ...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(stdout + stderr).not.toContain("canary");
  });
});
