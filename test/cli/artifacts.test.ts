import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { filesBelow } from "../support/files-below.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let registry: EmbeddedRegistry;
beforeAll(async () => {
  registry = await startEmbeddedRegistry();
});
afterAll(() => registry.close());

const artifacts = (place: Scratch, ...args: readonly string[]) =>
  fetchImage(["artifacts", ...args, "--data", place.path("data")], { cwd: place.directory });

/** Two images in the data directory: manifest, config and a layer each. */
async function filled(place: Scratch): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const tag of ["1", "2"]) {
    const { digest } = await registry.push(`acme/app:${tag}`, { layers: [{ [tag]: tag.repeat(10_000) }] });
    const payload = { source: { repository: `${registry.host}/acme/app` }, version: { tag, digest } };
    const args = ["in", `dest-${tag}`, "--data", place.path("data")];
    const { status, stderr } = await fetchImage(args, { cwd: place.directory, input: JSON.stringify(payload) });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    digests.push(digest);
  }
  return digests;
}

const blobsOf = (place: Scratch) => filesBelow(place.path("data", "artifacts", "blobs"));

/** As if nothing in it had been used for so many days. */
function age(place: Scratch, days: number): void {
  const then = Date.now() / 1000 - days * 86_400;
  for (const file of blobsOf(place)) utimesSync(place.path("data", "artifacts", "blobs", file), then, then);
}

test("artifacts tells how much there is, and how to remove some of it", async () => {
  using place = scratch("artifacts");
  const empty = await artifacts(place, "--json");
  expect(empty.json()).toEqual([
    { directory: place.path("data", "artifacts"), blobs: 0, layouts: 0, partials: 0, bytes: 0 },
  ]);
  // Looking makes nothing.
  expect(readdirSync(place.directory)).toEqual([]);
  await filled(place);
  const { status, stdout, stderr } = await artifacts(place);
  expect({ status, stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/: 2\d\.\d kB, 6 blobs, 0 artifacts\n$/),
  });
  expect(stderr).toContain("artifacts prune --keep 7d");
});

test("prune keeps what any of the rules keeps, and frees the rest", async () => {
  using place = scratch("artifacts");
  const [first = "", second = ""] = await filled(place);
  age(place, 8);
  const dry = await artifacts(place, "prune", "--keep", "7d", "--keep", first, "--dry-run");
  expect(dry.stdout).toMatch(
    /^would remove 3 blobs, 0 artifacts, and free \d+\.\d kB\nwould keep 3 blobs, 0 artifacts: /,
  );
  expect(blobsOf(place)).toHaveLength(6);
  const { status, json } = await artifacts(place, "prune", "--keep", "7d", "--keep", first, "--json");
  expect(status).toBe(0);
  expect(json()).toEqual([
    {
      directory: place.path("data", "artifacts"),
      dryRun: false,
      removed: { blobs: 3, layouts: 0, partials: 0 },
      removedBytes: expect.any(Number),
      kept: { blobs: 3, layouts: 0, partials: 0 },
      keptBytes: expect.any(Number),
    },
  ]);
  const left = blobsOf(place).map((path) => path.replace("/", ":"));
  expect(left).toContain(first);
  expect(left).not.toContain(second);
});

test("what was used within the age stays, and what a build's gets have made goes with it", async () => {
  using place = scratch("artifacts");
  const { digest } = await registry.push("acme/tool:1");
  const pipeline = join(place.directory, "pipeline.yml");
  writeFileSync(
    pipeline,
    JSON.stringify({
      resources: [
        { name: "tool", type: "registry-image", source: { repository: `${registry.host}/acme/tool`, tag: "1" } },
      ],
      jobs: [
        {
          name: "unit",
          plan: [
            { get: "tool", version: { tag: "1", digest } },
            { task: "test", image: "tool", config: { platform: "linux", run: { path: "true" } } },
          ],
        },
      ],
    }),
  );
  await makeEmbeddedStore(place.path("data"));
  const run = await fetchImage(["run", pipeline, "--data", place.path("data"), "--json"], { cwd: place.directory });
  expect(run.json()).toContainEqual(expect.objectContaining({ state: "fetched", step: "test" }));
  const gets = place.path("data", "artifacts", "gets");
  expect(readdirSync(gets)).toHaveLength(1);
  await artifacts(place, "prune", "--keep", "0s");
  // Used within the last hour: somebody may run in it.
  expect(readdirSync(gets)).toHaveLength(1);
  const then = Date.now() / 1000 - 2 * 86_400;
  for (const name of readdirSync(gets)) utimesSync(join(gets, name), then, then);
  age(place, 2);
  expect((await artifacts(place, "prune", "--keep", "3d", "--json")).json()[0].removed.layouts).toBe(0);
  expect((await artifacts(place, "prune", "--keep", "1d")).stdout).toContain("1 artifact");
  expect(readdirSync(gets)).toEqual([]);
  expect(blobsOf(place)).toEqual([]);
});

test("what is kept by its size are the last used", async () => {
  using place = scratch("artifacts");
  const [, second = ""] = await filled(place);
  age(place, 8);
  // A get of the second one uses it again, and downloads nothing.
  const payload = { source: { repository: `${registry.host}/acme/app` }, version: { tag: "2", digest: second } };
  await fetchImage(["in", "again", "--data", place.path("data")], {
    cwd: place.directory,
    input: JSON.stringify(payload),
  });
  const { json } = await artifacts(place, "prune", "--keep", "1kB", "--json");
  expect(json()[0]).toMatchObject({ removed: { blobs: 3 }, kept: { blobs: 3 } });
  expect(blobsOf(place).map((path) => path.replace("/", ":"))).toContain(second);
});

test.each([
  [["prune"], "prune is not told what to keep"],
  [["prune", "--keep", "1 week"], '--keep "1 week" is neither an age, nor a size, nor a digest'],
  [["purge", "--keep", "7d"], '"purge" is nothing that artifacts can do'],
])("%j is refused with status 2", async (args, says) => {
  using place = scratch("artifacts");
  const { status, stdout, stderr } = await artifacts(place, ...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(says);
});
