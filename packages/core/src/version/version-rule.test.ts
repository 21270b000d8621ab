import { describe, expect, test } from "vitest";
import { versionRule, type VersionSource } from "./version-rule.ts";

describe("the rule of a source", () => {
  test.each<[VersionSource, unknown]>([
    [{ tag: "1.36" }, { mode: "tag", tag: "1.36" }],
    [
      { tag: "1.36", tag_regex: "(", semver_constraint: "bad", variant: "alpine", pre_releases: true },
      { mode: "tag", tag: "1.36" },
    ],
    [{ tag_regex: "^v" }, { mode: "tag_regex", regex: expect.objectContaining({ text: "^v" }), byCreation: false }],
    [
      { tag: "", tag_regex: "^v", created_at_sort: true, semver_constraint: "bad" },
      { mode: "tag_regex", regex: expect.objectContaining({ text: "^v" }), byCreation: true },
    ],
    [{}, { mode: "semver", bareTag: "latest", suffix: "" }],
    [
      { tag: "", tag_regex: "", variant: "", semver_constraint: "", pre_release_prefixes: [] },
      { mode: "semver", bareTag: "latest", suffix: "" },
    ],
    [{ created_at_sort: true }, { mode: "semver", bareTag: "latest", suffix: "" }],
    [{ variant: "alpine" }, { mode: "semver", bareTag: "alpine", suffix: "-alpine" }],
    [
      { semver_constraint: "~1.2" },
      { mode: "semver", bareTag: "latest", suffix: "", constraint: expect.objectContaining({ text: "~1.2" }) },
    ],
    [
      { pre_releases: true },
      {
        mode: "semver",
        bareTag: "latest",
        suffix: "",
        preReleases: { prefixes: ["alpha", "beta", "rc"], dashIsVariant: true },
      },
    ],
    [
      { pre_releases: true, pre_release_prefixes: ["build"] },
      {
        mode: "semver",
        bareTag: "latest",
        suffix: "",
        preReleases: { prefixes: ["alpha", "beta", "rc", "build"], dashIsVariant: false },
      },
    ],
    [{ pre_release_prefixes: ["build"] }, { mode: "semver", bareTag: "latest", suffix: "" }],
  ])("%j", (source, rule) => {
    expect(versionRule(source)).toEqual({ ok: true, rule });
  });
});

test.each<[VersionSource, string, string]>([
  [{ tag_regex: "(" }, "FI_SOURCE_INVALID", "tag_regex"],
  [{ tag_regex: "a".repeat(5000) }, "FI_SOURCE_UNSUPPORTED", "tag_regex"],
  [{ semver_constraint: "newest" }, "FI_SOURCE_INVALID", "semver_constraint"],
])("%.40j has none, and the error names the field", (source, code, field) => {
  expect(versionRule(source)).toMatchObject({ ok: false, error: { code, details: { field } } });
});
