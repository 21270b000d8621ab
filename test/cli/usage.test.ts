import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { example, fetchImage, repository } from "../support/cli.ts";
import { scratch } from "../support/scratch.ts";

test("the built command answers --help and --version, the version being the package's", async () => {
  expect(await fetchImage(["--help"])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("Usage"),
    stderr: "",
  });
  const manifest = JSON.parse(readFileSync(join(repository, "packages", "cli", "package.json"), "utf8"));
  expect(await fetchImage(["--version"])).toMatchObject({ status: 0, stdout: `${manifest.version}\n` });
});

test("without a command, and with one that is not there, the status is 2 and standard output empty", async () => {
  expect(await fetchImage([])).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining("Usage") });
  const { status, stdout, stderr } = await fetchImage(["serv"]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain('error FI_USAGE: "serv" is no command of fetch-image');
});

test("ref tells the parts of a reference, and canonical has :latest only where neither tag nor digest is given", async () => {
  const digest = `sha256:${"ab".repeat(32)}`;
  expect((await fetchImage(["ref", "busybox", "--json"])).json()).toEqual([
    {
      domain: "docker.io",
      path: "library/busybox",
      familiar: "busybox",
      canonical: "docker.io/library/busybox:latest",
    },
  ]);
  expect((await fetchImage(["ref", `acme/app:1@${digest}`, "--json"])).json()).toEqual([
    {
      domain: "docker.io",
      path: "acme/app",
      tag: "1",
      digest,
      familiar: `acme/app:1@${digest}`,
      canonical: `docker.io/acme/app:1@${digest}`,
    },
  ]);
  const text = await fetchImage(["ref", "registry.example.com/my-resource:v1.2"]);
  expect(text.stdout).toContain("canonical  registry.example.com/my-resource:v1.2\n");
});

test("an invalid reference is status 2 and, with --json, one document that says why", async () => {
  const { status, stderr, json } = await fetchImage(["ref", "UPPER", "--json"]);
  expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
  expect(json()).toEqual([
    expect.objectContaining({ code: "FI_REFERENCE_INVALID", message: expect.stringContaining("lower case") }),
  ]);
});

test("a reference of 64 KiB is refused, and not repeated in full", async () => {
  const { status, stderr } = await fetchImage(["ref", "a".repeat(64 * 1024)]);
  expect(status).toBe(2);
  expect(stderr.length).toBeLessThan(1000);
});

test("colours follow NO_COLOR and FORCE_COLOR where nobody watches", async () => {
  const isColored = async (env: { readonly [name: string]: string }) =>
    (await fetchImage(["ref", "UPPER"], { env })).stderr.includes("\u001b[");
  expect(await isColored({})).toBe(false);
  expect(await isColored({ FORCE_COLOR: "1" })).toBe(true);
  expect(await isColored({ NO_COLOR: "1" })).toBe(false);
});

test("config tells the effective settings and where each came from, and never a password", async () => {
  using place = scratch("config");
  const env = { DATABASE_URL: "postgres://ci:canary-1f8a@db.example/ci", FETCH_IMAGE_ATTEMPTS: "9" };
  const args = ["config", "--check-interval", "5m"];
  const { status, json } = await fetchImage([...args, "--json"], { cwd: place.directory, env });
  expect(status).toBe(0);
  const [document] = json();
  expect(document.file).toBeNull();
  const settings: readonly { readonly name: string }[] = document.settings;
  const named = (name: string) => settings.find((setting) => setting.name === name);
  expect(named("check-interval")).toEqual({
    name: "check-interval",
    value: "5m",
    from: "flag",
    where: "--check-interval",
  });
  expect(named("attempts")).toEqual({ name: "attempts", value: "9", from: "env", where: "FETCH_IMAGE_ATTEMPTS" });
  expect(named("database-url")).toMatchObject({ value: "postgres://***@db.example/ci", where: "DATABASE_URL" });
  expect(named("claim")).toEqual({ name: "claim", value: "30s", from: "default" });
  const text = await fetchImage(args, { cwd: place.directory, env });
  expect(text.stdout).toMatch(/^check-interval +5m +flag: --check-interval$/m);
  expect(text.stdout + text.stderr).not.toContain("canary");
});

test.each([["ref", "busybox"], ["plan", example("ci"), "--json"], ["config"]])(
  "%s loads no driver: neither a store, nor a registry, nor the engine",
  async (...args) => {
    using place = scratch("modules");
    const note = place.path("modules");
    const { status } = await fetchImage(args, {
      nodeOptions: ["--import", new URL("../support/note-modules.mjs", import.meta.url).href],
      env: { NOTE_MODULES_IN: note },
    });
    expect(status).toBe(0);
    const loaded = readFileSync(note, "utf8").split("\n");
    expect(loaded.filter((url) => url.includes("/packages/cli/")).length).toBeGreaterThan(5);
    const drivers = /\/packages\/(?:store|registry|engine)\/|\/node_modules\/(?:pg|undici|@electric-sql|@eventstore)\//;
    expect(loaded.filter((url) => drivers.test(url))).toEqual([]);
  },
);
