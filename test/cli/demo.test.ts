import { expect, test } from "vitest";
import { startNode } from "../support/cli.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { scratch } from "../support/scratch.ts";

const demo = (args: readonly string[]) => startNode(["scripts/demo.mjs", "--no-serve", ...args]).ended;

test("the demo resolves every step's image, rebuilds the log in another process, and asks nothing twice", async () => {
  using place = scratch("demo");
  const data = ["--data", place.path("data")];
  const first = await demo(data);
  expect(first.status).toBe(0);
  const image = /127\.0\.0\.1:\d+\/acme\/private-tools:2\.3@sha256:[0-9a-f]{64}/;
  expect(first.stdout).toMatch(new RegExp(`^ {2}task smoke +HEAD +\\d+ +${image.source}$`, "m"));
  expect(first.stdout).toContain("$ fetch-image log 1   in another process");
  expect(first.stdout).toMatch(new RegExp(`kubelet pulls ${image.source}`));
  expect(first.stdout).toMatch(/What the registry counted\n {2}\d+ requests: \d+ to learn a digest/);
  expect(first.stdout + first.stderr).not.toContain("demo-password");

  const second = await demo(data);
  expect(second.status).toBe(0);
  expect(second.stdout).toContain("$ fetch-image log 2 ");
  expect(second.stdout).toContain("not one request");
  expect(second.stderr).toContain("still fresh and not asked again");
  expect(image.exec(second.stdout)?.[0]).toBe(image.exec(first.stdout)?.[0]);
});

test("the demo ends with the inspector's address, and serves it until it is interrupted", async () => {
  using place = scratch("demo");
  await makeEmbeddedStore(place.path("data"));
  const running = startNode(["scripts/demo.mjs", "examples/pinned.yml", "--data", place.path("data")]);
  await running.says("serving ");
  const origin = running.said(/on (http:\S+)/);
  const answer = await fetch(`${origin}api/v1/fetch-image/fetches`);
  expect(await answer.json()).toMatchObject({ fetches: [{ build: "1", via: "pin" }] });
  running.kill("SIGINT");
  const { status, stdout } = await running.ended;
  expect(status).toBe(0);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe(`  ${origin}?build=1`);
});

test("the demo hands its options to run, and ends as run ends", async () => {
  using place = scratch("demo");
  await makeEmbeddedStore(place.path("data"));
  const data = ["--data", place.path("data")];
  const { status, stdout, json } = await demo(["examples/pinned.yml", ...data, "--json"]);
  expect(status).toBe(0);
  expect(json()).toEqual([
    expect.objectContaining({ build: "1", via: "pin" }),
    { build: "1", log: expect.stringContaining("pinned by the pipeline") },
  ]);
  expect(stdout).not.toContain("Try next");
  expect((await demo(["--runtime", "docker", ...data])).status).toBe(2);
});
