import { expect, test } from "vitest";
import { resolveTaskImage, taskImageFromConfig } from "./task-image-from-config.ts";

const config = `
platform: linux
image_resource:
  type: registry-image
  source: {repository: ((host))/acme/golang, tag: ((.:tag)), password: ((vault:reg."a.b"))}
  version: {digest: d}
params: {NOT_ASKED_FOR: ((elsewhere))}
run: {path: go}
`;
const file = "repo/ci/unit.yml";

test("the image of a task's file has the step's vars in it, and says which it still waits for", () => {
  expect(taskImageFromConfig(config, { file, vars: { host: "reg.example" } })).toEqual({
    ok: true,
    imageResource: {
      type: "registry-image",
      source: { repository: "reg.example/acme/golang", tag: "((.:tag))", password: '((vault:reg."a.b"))' },
      version: { digest: "d" },
    },
    waitsFor: [".:tag", 'vault:reg."a.b"'],
  });
});

test("an image_resource without a source has an empty one; a rootfs and no image at all are answers too", () => {
  expect(taskImageFromConfig("{platform: linux, image_resource: {type: mock}}")).toMatchObject({
    imageResource: { type: "mock", source: {} },
  });
  expect(taskImageFromConfig("{platform: linux, rootfs_uri: 'docker:///x'}")).toEqual({
    ok: true,
    rootfsUri: "docker:///x",
    waitsFor: [],
  });
  expect(taskImageFromConfig("{platform: darwin, image_resource: ((image))}")).toEqual({
    ok: true,
    waitsFor: ["image"],
  });
});

test.each([
  ["platform: linux\nimage_resource: {typ: x}", 'repo/ci/unit.yml:2:18: image_resource: unknown field "typ" in'],
  ["run: {path: x}", "repo/ci/unit.yml:1:1: a task's config has no platform"],
  ["platform: [", "repo/ci/unit.yml:1:12: "],
  ["- a", "repo/ci/unit.yml:1:1: must be a map, not a list"],
  ["platform: linux\nimage_resource: {type: x, source: {tag: 'v((m))'}}", "((m)) is a map"],
])("%j is refused where it is wrong", (text, message) => {
  const result = taskImageFromConfig(text, { file, vars: { m: { a: 1 } } });
  expect(result).toMatchObject({ ok: false, error: { code: "FI_PIPELINE_INVALID" } });
  expect(!result.ok && result.error.message).toContain(message);
});

test("credentials are asked for, those of the image alone, and cut from what is printed", async () => {
  const asked: unknown[] = [];
  const result = await resolveTaskImage(config, {
    file,
    values: [{ host: "reg.example" }],
    source: {
      get: (reference) => {
        asked.push(reference);
        return Promise.resolve({ found: true, value: "canary-secret" });
      },
    },
  });
  expect(asked).toEqual([{ source: "vault", path: "reg", fields: ["a.b"] }]);
  expect(result).toMatchObject({
    ok: true,
    imageResource: { source: { password: "canary-secret", tag: "((.:tag))" } },
    waitsFor: [".:tag"],
    secrets: ["canary-secret"],
  });
});

test("every credential that nobody has is named", async () => {
  const result = await resolveTaskImage(config, { file });
  expect(result).toMatchObject({
    ok: false,
    error: {
      code: "FI_VAR_MISSING",
      message: 'repo/ci/unit.yml: no value for ((host)), ((vault:reg."a.b"))',
      details: { vars: ["host", 'vault:reg."a.b"'] },
    },
  });
  await expect(resolveTaskImage("platform: [", { file })).resolves.toMatchObject({ ok: false });
});

test("a var of the step may itself be a var", async () => {
  const text = "{platform: linux, rootfs_uri: ((uri))}";
  const varSources = [{ name: "kept", type: "dummy", config: { vars: { here: { uri: "docker:///x" } } } }];
  const result = await resolveTaskImage(text, { vars: { uri: "((kept:here.uri))" }, varSources });
  expect(result).toMatchObject({ ok: true, rootfsUri: "docker:///x" });
});
