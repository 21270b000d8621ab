import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandOptions, fetchImage, login, repository, startNode } from "../support/cli.ts";
import { fetchImageInHost } from "../support/command-host.ts";
import { loadedModules } from "../support/loaded-modules.ts";
import { scratch } from "../support/scratch.ts";

let registry: EmbeddedRegistry;
beforeAll(async () => {
  registry = await startEmbeddedRegistry({
    users: { [login.username]: login.password },
    private: [{ prefix: "acme/private", scheme: "bearer" }],
  });
});
afterAll(() => registry.close());

function check(payload: object | string, args: readonly string[] = [], options: Pick<CommandOptions, "cwd"> = {}) {
  const input = typeof payload === "string" ? payload : JSON.stringify(payload);
  return fetchImageInHost(["check", ...args], { ...options, input });
}

test("a tag's version goes to standard output, what was asked and found to standard error", async () => {
  const { digest } = await registry.push("acme/app:1");
  const source = { repository: `${registry.host}/acme/app`, tag: "1" };
  const { status, stdout, stderr } = await check({ source, version: null });
  expect({ status, stdout }).toEqual({ status: 0, stdout: `[{"tag":"1","digest":"${digest}"}]\n` });
  expect(stderr).toBe(`checking ${source.repository}:1\n1 is ${digest} (HEAD at ${registry.host})\n`);
  // The same with --json, which is what a check prints anyway.
  expect((await check({ source }, ["--json"])).stdout).toBe(stdout);
});

test("versions are told oldest first, from the one that is given on", async () => {
  const digests: { [tag: string]: string } = {};
  for (const tag of ["1.10.0", "1.9.0", "2.0.0"]) {
    digests[tag] = (await registry.push(`acme/semver:${tag}`, { layers: [tag] })).digest;
  }
  const version = (tag: string) => ({ tag, digest: digests[tag] });
  const source = { repository: `${registry.host}/acme/semver` };
  const all = await check({ source, version: null });
  expect(all.json()).toEqual([[version("1.9.0"), version("1.10.0"), version("2.0.0")]]);
  expect(all.stderr).toContain(`2.0.0 is ${digests["2.0.0"]} (HEAD at ${registry.host}, the last of 3 versions)\n`);
  expect((await check({ source, version: version("1.10.0") })).json()).toEqual([[version("1.10.0"), version("2.0.0")]]);
});

test("a moved tag gives the old digest and the new one, both under the source's tag", async () => {
  const before = await registry.push("acme/moved:1", { layers: ["before"] });
  const after = await registry.push("acme/moved:1", { layers: ["after"] });
  const source = { repository: `${registry.host}/acme/moved`, tag: 1 };
  const { json } = await check({ source, version: { tag: "0", digest: before.digest } });
  expect(json()).toEqual([
    [
      { tag: "1", digest: before.digest },
      { tag: "1", digest: after.digest },
    ],
  ]);
});

test("a tag that is not there is no version and no failure", async () => {
  const source = { repository: `${registry.host}/acme/nowhere`, tag: "1" };
  const { status, stdout, stderr } = await check({ source });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "[]\n" });
  expect(stderr).toContain("has no tag 1\n");
});

test("where nothing is a version, a few reasons are told", async () => {
  for (let at = 0; at < 8; at++) await registry.push(`acme/unversioned:nightly-${at}`);
  const { stdout, stderr } = await check({ source: { repository: `${registry.host}/acme/unversioned` } });
  expect(stdout).toBe("[]\n");
  expect(stderr).toContain("  not nightly-0: it is not a version\n");
  expect(stderr).toContain("  and 3 more\n");
});

test("further arguments and a link in the place of /opt/resource/check change nothing", async () => {
  using place = scratch("opt-resource");
  const { digest } = await registry.push("acme/app:1");
  const source = { repository: `${registry.host}/acme/app`, tag: "1" };
  expect((await check({ source }, ["/tmp/build/get", "extra"])).json()).toEqual([[{ tag: "1", digest }]]);
  symlinkSync(join(repository, "packages", "cli", "dist", "bin.js"), place.path("check"));
  const linked = startNode([place.path("check")], { input: JSON.stringify({ source, version: null }) });
  expect(await linked.ended).toMatchObject({ status: 0, stdout: `[{"tag":"1","digest":"${digest}"}]\n` });
});

test.each([
  ["", "it is empty"],
  ['{"source":{"repository":"busybox"},"params":{}}', '"params" is no field of it'],
  ['{"source":{"repository":"busybox","tagg":"1"}}', 'source has no field "tagg" (did you mean "tag"?)'],
  ['{"source":{"tag":"1"}}', "source.repository is required"],
  ['{"source":{"repository":"busybox","tag_regex":"("}}', "source.tag_regex is not a regular expression"],
])("%s is refused with status 2, and nobody is asked", async (payload, says) => {
  registry.clearRequests();
  const { status, stdout, stderr } = await check(payload);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(says);
  expect(stderr).toMatch(/^error FI_[A-Z_]+: .+\n {2}fix: .+\n$/);
  expect(registry.requests).toEqual([]);
});

test("a registry that refuses is status 1, with code, culprit and fix; with --json as a document, too", async () => {
  const source = { repository: `${registry.host}/acme/private`, tag: "1", ...login, password: "wrong-horse-canary" };
  const { status, stdout, stderr } = await check({ source });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("error FI_UNAUTHORIZED: ");
  expect(stderr).toContain(registry.host);
  expect(stderr).toMatch(/\n {2}fix: .+/);
  const json = await check({ source }, ["--json"]);
  expect(json).toMatchObject({ status: 1, stderr: expect.stringContaining("error FI_UNAUTHORIZED: ") });
  expect(json.json()).toEqual([
    expect.objectContaining({ code: "FI_UNAUTHORIZED", hint: expect.any(String), retryable: false }),
  ]);
  expect(stderr + json.stdout + json.stderr).not.toContain("canary");
});

test("what nothing here can answer faithfully is refused by the field's name, with what can", async () => {
  const source = { repository: `${registry.host}/acme/app`, tag_regex: "(a{1000}){1000}" };
  const { status, stderr } = await check({ source });
  expect(status).toBe(2);
  expect(stderr).toContain("tag_regex");
  expect(stderr).toContain("  fix: ");
});

test("content_trust is accepted, ignored, and said so", async () => {
  const { digest } = await registry.push("acme/app:1");
  const trust = { server: "https://notary.example.com", repository_key: "canary-key", repository_passphrase: "canary" };
  const source = { repository: `${registry.host}/acme/app`, tag: "1", content_trust: trust };
  const { json, stderr, stdout } = await check({ source });
  expect(json()).toEqual([[{ tag: "1", digest }]]);
  expect(stderr).toContain("content_trust is for a put: it is not used here\n");
  expect(stdout + stderr).not.toContain("canary");
});

test("debug says more on standard error, and no secret", async () => {
  const { digest } = await registry.push("acme/private:1");
  const source = { repository: `${registry.host}/acme/private`, tag: "1", ...login };
  const quiet = await check({ source });
  const { json, stderr } = await check({ source: { ...source, debug: true } });
  expect(json()).toEqual([[{ tag: "1", digest }]]);
  expect(stderr.length).toBeGreaterThan(quiet.stderr.length);
  expect(stderr).toMatch(/ debug +checked requests=1 versions=1\n/);
  expect(stderr).not.toContain(login.password);
  expect(stderr).not.toContain(Buffer.from(`${login.username}:${login.password}`).toString("base64"));
});

test("no store is opened, and neither the engine nor a store is loaded, credentials or not", async () => {
  using place = scratch("check-modules");
  const { digest } = await registry.push("acme/private:1");
  const source = { repository: `${registry.host}/acme/private`, tag: "1", ...login };
  writeFileSync(place.path("fetch-image.config.yaml"), "data: never-made\n");
  const { loaded, ended } = await loadedModules((options) =>
    fetchImage(["check"], { ...options, cwd: place.directory, input: JSON.stringify({ source }) }),
  );
  expect(ended.json()).toEqual([[{ tag: "1", digest }]]);
  expect(loaded.some((url) => url.includes("/packages/registry/"))).toBe(true);
  expect(
    loaded.filter((url) => /\/packages\/store\/|\/node_modules\/(?:pg|@electric-sql|xstate|zod)\//.test(url)),
  ).toEqual([]);
  expect(loaded.filter((url) => /\/packages\/engine\/dist\/(?!redact)/.test(url))).toEqual([]);
});
