import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openEmbedded } from "@fetch-image/store/pglite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { example, fetchImage, type Images, login, startFetchImage, startImages } from "../support/cli.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let images: Images;
let place: Scratch;
beforeAll(async () => {
  images = await startImages();
  place = scratch("interrupt");
  await makeEmbeddedStore(place.path("data"));
});
afterAll(async () => {
  place[Symbol.dispose]();
  await images.registry.close();
});

const data = () => ["--data", place.path("data")];

test("an interrupt ends the run with status 130, what was under way recorded as aborted", async () => {
  images.registry.hang("HEAD", /./);
  const running = startFetchImage(["run", example("private"), ...images.vars, ...data(), "--build", "stopped"]);
  await untilAsked();
  running.kill("SIGINT");
  const { status, stderr } = await running.ended;
  expect(status).toBe(130);
  expect(stderr).toContain("interrupted");
  images.registry.clearFaults();
  const log = await fetchImage(["log", "stopped", ...data()]);
  expect(log.status).toBe(0);
  expect(log.stdout.match(/aborted: /g)).toHaveLength(3);
  expect(log.stdout).not.toContain("unfinished");
});

test("a second interrupt does not wait for anything", async () => {
  images.registry.hang("HEAD", /./);
  const running = startFetchImage(["run", example("task-image"), ...images.vars, ...data(), "--manual"]);
  await untilAsked();
  running.kill("SIGINT");
  running.kill("SIGINT");
  expect((await running.ended).status).toBe(130);
  images.registry.clearFaults();
});

test("no secret is in what is printed, and in no stored byte, whatever happens", async () => {
  // Wrong credentials, so that errors are made of them; every level of logging; and what was stored above.
  const canary = { username: "canary-user-19c4", password: 'canary "pass" xyzzy\nsecond-canary-line' };
  const vars = Object.entries({ ...canary, registry: images.registry.host });
  const flags = vars.flatMap(([name, value]) => ["--yaml-var", `${name}=${JSON.stringify(value)}`]);
  const runs = [
    await fetchImage(["run", example("private"), ...flags, ...data(), "--log-level", "debug"]),
    await fetchImage(["run", example("private"), ...flags, ...data(), "--json", "--runtime", "artifact", "--manual"]),
  ];
  expect(runs.map(({ status }) => status)).toEqual([1, 1]);
  const secrets = /canary|xyzzy|correct-horse|robot-account|demo-password/;
  for (const { stdout, stderr } of runs) expect(stdout + stderr).not.toMatch(secrets);

  const store = await openEmbedded({ directory: place.path("data"), access: "read" });
  const { facts, end } = await store.eventLog.readAll({ limit: 10_000 });
  expect(end).toBe(true);
  expect(facts.length).toBeGreaterThan(10);
  expect(
    JSON.stringify(facts, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  ).not.toMatch(secrets);
  await store.close();
  const files = readdirSync(place.path("data"), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files.length).toBeGreaterThan(100);
  let seen = 0;
  for (const file of files) {
    const bytes = readFileSync(join(file.parentPath, file.name), "latin1");
    if (bytes.includes("acme/private-tools")) seen++;
    const leaked = ["canary", login.password, login.username].filter((secret) => bytes.includes(secret));
    expect({ file: file.name, leaked }).toEqual({ file: file.name, leaked: [] });
  }
  // What is no secret is found this way.
  expect(seen).toBeGreaterThan(0);
});

/** Resolves once the registry has seen a request for a digest. */
async function untilAsked(): Promise<void> {
  images.registry.clearRequests();
  while (!images.registry.requests.some(({ method }) => method === "HEAD")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
