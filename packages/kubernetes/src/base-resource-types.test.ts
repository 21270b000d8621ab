import { FetchImageError } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { baseResourceTypeImages, parseBaseTypeOverrides, resolveBaseResourceType } from "./base-resource-types.ts";

describe("base resource types", () => {
  test("are those that ship with Concourse, each an image of its own project", () => {
    expect(Object.keys(baseResourceTypeImages).join(" ")).toBe(
      "bosh-io-release bosh-io-stemcell cf docker-image git github-release hg mock pool registry-image s3 semver time",
    );
    for (const type of Object.keys(baseResourceTypeImages)) {
      expect(resolveBaseResourceType(type)?.canonical).toBe(`docker.io/concourse/${type}-resource:latest`);
    }
  });

  test.each(["", "my-type", "Git", "constructor", "__proto__", "toString"])("%j is none", (type) => {
    expect(resolveBaseResourceType(type)).toBeUndefined();
    expect(resolveBaseResourceType(type, { git: "ghcr.io/a/b" })).toBeUndefined();
  });

  test("are replaced by overrides, which may add new ones", () => {
    const overrides = { git: "registry.example.com/git-resource:v2", mine: "ghcr.io/acme/mine" };
    expect(resolveBaseResourceType("git", overrides)?.canonical).toBe("registry.example.com/git-resource:v2");
    expect(resolveBaseResourceType("mine", overrides)?.canonical).toBe("ghcr.io/acme/mine:latest");
    expect(resolveBaseResourceType("time", overrides)?.canonical).toBe("docker.io/concourse/time-resource:latest");
  });

  test("with an override that is no reference are refused by name", () => {
    expect(() => resolveBaseResourceType("git", { git: "Foo/bar" })).toThrow(
      expect.objectContaining({ code: "FI_SETTING_INVALID", message: expect.stringContaining(`"git"`) }),
    );
  });
});

describe("settings of base types", () => {
  test("are read as TYPE=IMAGE", () => {
    const digest = `sha256:${"a".repeat(64)}`;
    const settings = [
      "git=registry.example.com/git-resource:v2",
      ` mine = ghcr.io/acme/mine@${digest} `,
      "__proto__=a",
    ];
    const parsed = parseBaseTypeOverrides(settings);
    expect(parsed.ok && Object.entries(parsed.overrides)).toEqual([
      ["git", "registry.example.com/git-resource:v2"],
      ["mine", `ghcr.io/acme/mine@${digest}`],
      ["__proto__", "a"],
    ]);
    const overrides = parsed.ok ? parsed.overrides : {};
    expect(resolveBaseResourceType("__proto__", overrides)?.canonical).toBe("docker.io/library/a:latest");
  });

  test("may be none, or say the same twice", () => {
    expect(parseBaseTypeOverrides([])).toEqual({ ok: true, overrides: {} });
    expect(parseBaseTypeOverrides(["git=a", "git=a"])).toEqual({ ok: true, overrides: { git: "a" } });
  });

  test.each([
    ["git", /"git" has no "="/],
    ["", /"" has no "="/],
    ["=ghcr.io/a", /names no resource type/],
    ["git=", /names no image/],
    ["git=Foo/bar", /"git": "Foo\/bar" is not an image reference.*lower case/],
    ["git=me:hunter2@ghcr.io/a", /"git": "\*\*\*@ghcr\.io\/a" is not an image reference/],
    ["git=docker:///concourse/git-resource", /no scheme/],
    [`git=${"x".repeat(70_000)}`, /70000 characters/],
  ])("%.40s is refused, saying why", (setting, says) => {
    const error = refuse(["time=a", setting]);
    expect(error.code).toBe("FI_SETTING_INVALID");
    expect(error.message).toMatch(says);
    expect(`${error.stack}${JSON.stringify(error)}${error.hint}`).not.toContain("hunter2");
  });

  test("that contradict each other are refused", () => {
    expect(refuse(["git=a:1", "git=a:2"]).message).toBe(
      `base resource type "git" is given two images: "a:1" and "a:2"`,
    );
  });
});

function refuse(settings: readonly string[]): FetchImageError {
  const parsed = parseBaseTypeOverrides(settings);
  if (parsed.ok) throw new Error(`accepted as ${JSON.stringify(parsed.overrides)}`);
  expect(FetchImageError.is(parsed.error)).toBe(true);
  return parsed.error;
}
