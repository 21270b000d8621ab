import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readConfigFile } from "./config-file.ts";
import { intervalOf, repositoryRule } from "./repository-rules.ts";
import { repositories } from "./setting-kinds.ts";

test("a rule names a pattern and its settings", () => {
  expect(repositoryRule("registry.example.com/team/*=check-interval:5m;staleness-bound:24h;claim:10s")).toEqual({
    repositories: "registry.example.com/team/*",
    checkIntervalMs: 300_000,
    stalenessBoundMs: 86_400_000,
    claimMs: 10_000,
  });
  expect(repositoryRule("gitlab.example.com/*=share-by-user:true;claim:10s")).toEqual({
    repositories: "gitlab.example.com/*",
    shareByUser: true,
    claimMs: 10_000,
  });
  expect(repositoryRule("registry.local:5000/a=failure-backoff:2s")?.repositories).toBe("registry.local:5000/a");
});

test.each([
  "registry.example.com/a",
  "=check-interval:5m",
  "registry.example.com/a:v1=check-interval:5m",
  "registry.example.com/a=interval:5m",
  "registry.example.com/a=check-interval:often",
  "registry.example.com/a=claim:0s",
  "registry.example.com/a=share-by-user:perhaps",
  "registry.example.com/a=",
])("%s is none, and the setting is refused", (text) => {
  expect(repositoryRule(text)).toBeUndefined();
  expect(repositories.parse(text)).toBeUndefined();
});

test("the config file has them as a map of maps", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-rules-"));
  const text = "repositories:\n  registry.example.com/team/*:\n    check-interval: 5m\n    share-by-user: true\n";
  writeFileSync(join(directory, "fetch-image.config.yaml"), text);
  const file = await readConfigFile(directory, undefined);
  rmSync(directory, { recursive: true });
  expect(file?.values.get("repositories")).toBe("registry.example.com/team/*=check-interval:5m;share-by-user:true");
});

test("the first rule that fits and says an interval decides it", () => {
  const rules = [
    { repositories: "a.example.com/x/*", claimMs: 1000 },
    { repositories: "a.example.com/*", checkIntervalMs: 1 },
    { repositories: "*", checkIntervalMs: 2 },
  ];
  expect(intervalOf(rules, "a.example.com/x/y")).toBe(1);
  expect(intervalOf(rules, "b.example.com/x")).toBe(2);
  expect(intervalOf([], "b.example.com/x")).toBeUndefined();
});
