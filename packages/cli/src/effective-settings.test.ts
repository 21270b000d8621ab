import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FetchImageError } from "@fetch-image/core";
import { defaultSettings as engineDefaults } from "@fetch-image/engine";
import { defaultLimits, defaultTimeouts } from "@fetch-image/registry";
import { afterEach, beforeEach, expect, test } from "vitest";
import { effectiveSettings } from "./effective-settings.ts";
import { defaultOf, environmentOf, flagOf, settingKeys, settings, showSetting } from "./settings.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fetch-image-settings-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a flag comes before the environment, that before the file, that before the default; each tells where it is from", async () => {
  writeFileSync(join(folder, "fetch-image.config.yaml"), "check-interval: 2m\nattempts: 7\nbackoff: 1s\n");
  const { values, origins, file } = await read({
    flags: { "check-interval": "4m" },
    env: { FETCH_IMAGE_CHECK_INTERVAL: "3m", FETCH_IMAGE_ATTEMPTS: "8" },
  });
  expect(values).toMatchObject({ checkInterval: 240_000, attempts: 8, backoff: 1000, backoffCap: 30_000 });
  expect(file).toBe(join(folder, "fetch-image.config.yaml"));
  expect(origins.checkInterval).toEqual({ from: "flag", where: "--check-interval" });
  expect(origins.attempts).toEqual({ from: "env", where: "FETCH_IMAGE_ATTEMPTS" });
  expect(origins.backoff).toEqual({ from: "file", where: join(folder, "fetch-image.config.yaml") });
  expect(origins.backoffCap).toEqual({ from: "default", where: "" });
});

test("DATABASE_URL is heard where FETCH_IMAGE_DATABASE_URL is not set, and one set to nothing is not set", async () => {
  const env = { DATABASE_URL: "postgres://a/b", FETCH_IMAGE_DATABASE_URL: "" };
  expect((await read({ env })).values.databaseUrl).toBe("postgres://a/b");
  const both = { ...env, FETCH_IMAGE_DATABASE_URL: "postgres://c/d" };
  expect((await read({ env: both })).origins.databaseUrl.where).toBe("FETCH_IMAGE_DATABASE_URL");
});

test("a list may be repeated flags, commas in the environment, and a list or a map in the file", async () => {
  const git = "git=registry.example.com/git:v2";
  writeFileSync(join(folder, "list.yaml"), `base-types:\n  - ${git}\n  - time=acme/time\n`);
  writeFileSync(join(folder, "map.yaml"), "base-types:\n  git: registry.example.com/git:v2\n  time: acme/time\n");
  const wanted = [git, "time=acme/time"];
  expect((await read({ env: { FETCH_IMAGE_BASE_TYPES: wanted.join(", ") } })).values.baseTypes).toEqual(wanted);
  expect((await read({ configFile: "list.yaml" })).values.baseTypes).toEqual(wanted);
  expect((await read({ configFile: "map.yaml" })).values.baseTypes).toEqual(wanted);
});

test("a relative data directory is meant from the working directory, one in the file from where the file is", async () => {
  expect((await read({})).values.data).toBe(join(folder, ".fetch-image"));
  expect((await read({ flags: { data: "x/../y" } })).values.data).toBe(join(folder, "y"));
  const elsewhere = mkdtempSync(join(tmpdir(), "fetch-image-elsewhere-"));
  try {
    writeFileSync(join(elsewhere, "c.yaml"), "data: store\ndocker-config: docker.json\nambient-identity: [aws]\n");
    const { values } = await read({ configFile: join(elsewhere, "c.yaml") });
    expect(values.data).toBe(join(elsewhere, "store"));
    expect(values.dockerConfig).toBe(join(elsewhere, "docker.json"));
    expect(values.ambientIdentity).toEqual(["aws"]);
    expect((await read({ env: { FETCH_IMAGE_DOCKER_CONFIG: "true" } })).values.dockerConfig).toBe(true);
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
});

test.each([
  ["attempts: 3\nchek-interval: 1m\n", 'c.yaml, line 2: "chek-interval" is no setting', "check-interval"],
  ["passwords: x\n", 'c.yaml, line 1: "passwords" is no setting', "lists the settings"],
  ["attempts: [1]\n", "c.yaml, line 1: attempts must be a whole number from 1 to 100", ""],
  ["attempts: 0\n", "attempts must be a whole number from 1 to 100", ""],
  ["- a\n", "c.yaml, line 1: it must be a map of settings", ""],
  ["attempts: 1\nattempts: 2\n", "it is not YAML", ""],
  ["a: [\n", "it is not YAML", ""],
])("the config file %j is refused: %s", async (text, says, hints) => {
  writeFileSync(join(folder, "c.yaml"), text);
  const error = await read({ configFile: "c.yaml" }).catch((thrown: unknown) => thrown);
  if (!FetchImageError.is(error)) throw new Error("it was accepted");
  expect(error.code).toBe("FI_SETTING_INVALID");
  expect(error.message).toContain(says);
  expect(error.hint).toContain(hints);
});

test("an empty config file changes nothing; one that is named must be there", async () => {
  writeFileSync(join(folder, "fetch-image.config.yaml"), "# nothing yet\n");
  expect((await read({})).values.attempts).toBe(5);
  await expect(read({ env: { FETCH_IMAGE_CONFIG: "none.yaml" } })).rejects.toMatchObject({
    code: "FI_SETTING_INVALID",
    message: expect.stringContaining('"none.yaml"'),
  });
});

test("a value that is wrong is refused with its place, and a database URL is not even quoted", async () => {
  await expect(read({ flags: { "check-interval": "1 minute" } })).rejects.toThrow(
    "--check-interval must be a duration",
  );
  await expect(read({ env: { FETCH_IMAGE_LOG_LEVEL: "loud" } })).rejects.toThrow(
    'FETCH_IMAGE_LOG_LEVEL must be debug, info, warn or error, not "loud"',
  );
  const error = await read({ env: { DATABASE_URL: "mysql://ci:hunter2@db/ci" } }).catch((thrown: unknown) =>
    String(thrown),
  );
  expect(error).toContain("DATABASE_URL must be postgres://");
  expect(error).not.toContain("hunter2");
});

test("a database URL is shown without user, password and query", () => {
  const shown = showSetting("databaseUrl", "postgres://ci:hunter2@db.example:5433/ci?password=hunter2&user=ci");
  expect(shown).toBe("postgres://***@db.example:5433/ci?***");
});

test("every default reads back as itself", () => {
  for (const key of settingKeys) {
    if (defaultOf(key) === "") continue;
    expect([key, settings[key].kind.parse(defaultOf(key))]).toEqual([key, settings[key].default]);
  }
});

test("flags and variables are unique, and follow one rule", () => {
  expect(new Set(settingKeys.map(flagOf)).size).toBe(settingKeys.length);
  expect(environmentOf("retryAfterPatience")).toEqual(["FETCH_IMAGE_RETRY_AFTER_PATIENCE"]);
  for (const key of settingKeys) expect(environmentOf(key)[0]).toMatch(/^FETCH_IMAGE_[A-Z_]+$/);
});

test("defaults are those of the engine and the registry client, which the table cannot import", async () => {
  const { values } = await read({});
  expect(engineDefaults).toMatchObject({
    checkIntervalMs: values.checkInterval,
    attempts: values.attempts,
    backoffBaseMs: values.backoff,
    backoffCapMs: values.backoffCap,
    retryAfterPatienceMs: values.retryAfterPatience,
    claimMs: values.claim,
    storePatienceMs: values.storePatience,
    staleWhileRevalidateMs: values.staleWhileRevalidate,
    stalenessBoundMs: values.stalenessBound,
    failureBackoffBaseMs: values.failureBackoff,
    failureBackoffCapMs: values.failureBackoffCap,
    refusalMemoryMs: values.refusalMemory,
    rateLimitReserve: values.rateLimitReserve,
  });
  expect(defaultTimeouts).toMatchObject({
    connectMs: values.connectTimeout,
    headersMs: values.headersTimeout,
    bodyMs: values.bodyTimeout,
    exchangeMs: values.exchangeTimeout,
    downloadPatienceMs: values.downloadPatience,
  });
  expect(defaultLimits).toMatchObject({
    manifestBytes: values.manifestSize,
    configBytes: values.configSize,
    tokenBytes: values.tokenSize,
    redirects: values.redirects,
    connectionsPerOrigin: values.connectionsPerRegistry,
    concurrentBlobs: values.concurrentBlobs,
    concurrentQuestions: values.concurrentQuestions,
    tags: values.mostTags,
    tagPages: values.mostTagPages,
    tagListBytes: values.tagListSize,
  });
});

interface Given {
  readonly flags?: { readonly [flag: string]: string };
  readonly env?: { readonly [name: string]: string };
  readonly configFile?: string;
}

function read({ flags = {}, env = {}, configFile }: Given) {
  return effectiveSettings({ flags: new Map(Object.entries(flags)), env, cwd: folder, configFile });
}
