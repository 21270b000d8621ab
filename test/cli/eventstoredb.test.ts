import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { example, type Images, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type PeerProcess, startPeerProcess } from "../support/eventstoredb-peer/start-process.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

describe("with the facts in EventStoreDB", () => {
  let images: Images;
  let peer: PeerProcess;
  let place: Scratch;
  beforeAll(async () => {
    [images, peer] = await Promise.all([startImages(), startPeerProcess()]);
    place = scratch("eventstoredb");
    for (const data of [".fetch-image", "elsewhere"]) await makeEmbeddedStore(place.path(data));
  });
  afterAll(async () => {
    place[Symbol.dispose]();
    await peer[Symbol.asyncDispose]();
    await images.registry.close();
  });
  const run = (...args: readonly string[]) =>
    fetchImage([...args, "--event-store", peer.url], { cwd: place.directory });

  test("a build is run, read back and explained", async () => {
    const first = await run("run", example("custom-type"), ...images.vars, "--json");
    expect({ status: first.status, stderr: first.stderr }).toMatchObject({ status: 0 });
    expect(first.json()).toContainEqual(expect.objectContaining({ build: "1", via: "HEAD" }));
    const log = await run("log", "1");
    expect(log.stdout).toContain("kubelet pulls");
    const again = await run("run", example("custom-type"), ...images.vars, "--json");
    expect(again.json()).toContainEqual(expect.objectContaining({ build: "2", via: "fresh" }));
    expect(images.registry.counts.manifestHead).toBe(1);

    const why = await run("why", "1", "--json");
    expect(why.json()).toContainEqual(expect.objectContaining({ state: "short-circuited", via: "HEAD" }));
  });

  test("a data directory that was projected from other facts says so, and is projected anew by rebuild", async () => {
    const data = ["--data", place.path("elsewhere")];
    await fetchImage(["run", example("pinned"), ...images.vars, ...data], { cwd: place.directory });
    const reference = `${images.registry.host}/acme/github-pr-resource:v0.23.0`;
    const refused = await run("versions", reference, ...data);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/FI_POSITION_INVALID[^]*rebuild/);
    expect((await run("rebuild", ...data)).status).toBe(0);
    expect((await run("versions", reference, ...data)).stdout).toContain("v0.23.0");
  });

  test("a server that is not there is status 1, and no message has the password", async () => {
    const url = "esdb://ci:canary-2b@127.0.0.1:1?tls=false&defaultDeadline=1000";
    const { status, stdout, stderr } = await fetchImage(["log", "1", "--event-store", url, "--json"], {
      cwd: place.directory,
    });
    expect(status).toBe(1);
    expect(stdout).toContain("FI_STORE_UNAVAILABLE");
    expect(stdout + stderr).not.toContain("canary");
    const doctor = await fetchImage(["doctor", "--event-store", url, "--data", "nothing-there"], {
      cwd: place.directory,
    });
    expect(doctor.status).toBe(1);
    expect(doctor.stdout).toMatch(/problem +store: FI_STORE_UNAVAILABLE: EventStoreDB at 127\.0\.0\.1:1/);
    const shown = await fetchImage(["config", "--event-store", url], { cwd: place.directory });
    expect(shown.stdout).toContain("esdb://***@127.0.0.1:1?***");
  });

  test("what is no event store is refused", async () => {
    const { status, stderr } = await fetchImage(["log", "1", "--event-store", "mysql://x"], { cwd: place.directory });
    expect(status).toBe(2);
    expect(stderr).toContain("esdb://");
  });
});
