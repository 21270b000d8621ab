// Runs that share a store and name one user of a private registry: each gets what its own password may see.
import { openEmbedded } from "@fetch-image/store/pglite";
import { readFileSync, rmSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { example } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

const missing = dockerRegistryMissing("htpasswd");
const password = "s3cret";
const key = "CaNaRy-9c1f that all of them have".replaceAll(" ", "-");

describe.skipIf(missing !== undefined)(`a private image${missing === undefined ? "" : ` (${missing})`}`, () => {
  let registry: DockerRegistry;
  let place: Scratch;
  let digest: string;
  beforeAll(async () => {
    registry = await startDockerRegistry({ auth: "htpasswd" });
    digest = (await registry.push("acme/private-tools:2.3", { layers: ["tools"] })).digest;
    place = scratch("credential-key");
    await makeEmbeddedStore(place.path(".fetch-image"));
  });
  afterAll(async () => {
    place[Symbol.dispose]();
    await registry.close();
  });

  const vars = (by: string) =>
    Object.entries({ registry: registry.host, username: "alice", password: by }).flatMap(([name, value]) => [
      "--var",
      `${name}=${value}`,
    ]);
  const run = (login: { readonly password: string; readonly key?: string }) =>
    fetchImage(["run", example("private"), "--json", ...vars(login.password)], {
      cwd: place.directory,
      env: login.key === undefined ? {} : { FETCH_IMAGE_CREDENTIAL_KEY: login.key },
    });
  /** How each image was found. */
  const found = ({ stdout }: { readonly stdout: string }) => [
    ...new Set([...stdout.matchAll(/"via":"([a-zA-Z-]+)"/g)].map(([, via]) => via)),
  ];

  test("is known to the next run with the same password and key, and to no run that guesses the password", async () => {
    const first = await run({ password, key });
    expect({ status: first.status, found: found(first) }).toMatchObject({ status: 0, found: { 0: "HEAD" } });
    expect(found(await run({ password, key }))).toEqual(["fresh"]);
    const guessed = await run({ password: "guessed", key });
    expect(guessed.status).toBe(1);
    expect(guessed.stdout + guessed.stderr).toContain("FI_UNAUTHORIZED");
    expect(guessed.stdout + guessed.stderr).not.toContain(digest);
    expect(found(await run({ password, key }))).toEqual(["fresh"]);
  });

  test("is known to the next run without a key as well: the data directory has one, for its owner alone", async () => {
    expect(found(await run({ password }))).toContain("HEAD");
    expect(found(await run({ password }))).toEqual(["fresh"]);
    const file = place.path(".fetch-image/credential-key");
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    const own = readFileSync(file, "utf8").trim();
    expect(own).toMatch(/^[\w-]{43}$/);
    rmSync(file);
    expect(found(await run({ password }))).toContain("HEAD");
    expect(readFileSync(file, "utf8").trim()).not.toBe(own);
  });

  test("makes doctor tell to set a key where the store is not this process's own", async () => {
    const asked = async (...args: readonly string[]) => {
      const doctor = ["doctor", example("private"), ...vars(password), ...args];
      return (await fetchImage(doctor, { cwd: place.directory })).stdout;
    };
    const shared = ["--database-url", "postgres://127.0.0.1:1/nobody-listens"];
    const advice = /credential-key: none is set, .*\n +fix: Give all of them the same FETCH_IMAGE_CREDENTIAL_KEY/;
    expect(await asked(...shared)).toMatch(advice);
    expect(await asked(...shared, "--credential-key", key)).not.toMatch(advice);
    expect(await asked()).not.toMatch(advice);
  });

  test("says neither password nor key in anything that is stored", async () => {
    const store = await openEmbedded({ directory: place.path(".fetch-image"), access: "read" });
    const { facts } = await store.eventLog.readAll({ limit: 1000 });
    await store.close();
    const stored = JSON.stringify(facts.map(({ data, metadata }) => [data, metadata]));
    expect(stored).toContain('"proof":');
    expect(stored).not.toMatch(/CaNaRy|s3cret|guessed/);
  });
});

test("config shows that there is a key, and not which; one that could be guessed is refused", async () => {
  const { stdout } = await fetchImage(["config"], { env: { FETCH_IMAGE_CREDENTIAL_KEY: key } });
  expect(stdout).toMatch(/credential-key +\*\*\* .*FETCH_IMAGE_CREDENTIAL_KEY/);
  expect(stdout).not.toContain("CaNaRy");
  const short = await fetchImage(["config", "--credential-key", "CaNaRy"]);
  expect([short.status, short.stderr.includes("at least 16 characters")]).toEqual([2, true]);
  expect(short.stderr).not.toContain("CaNaRy");
});
