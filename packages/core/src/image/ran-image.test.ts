import { describe, expect, test } from "vitest";
import { compareRan, readImageID } from "./ran-image.ts";

const index = `sha256:${"a".repeat(64)}` as const;
const child = `sha256:${"b".repeat(64)}` as const;
const other = `sha256:${"c".repeat(64)}` as const;

describe("a runtime's imageID", () => {
  test.each([
    ["containerd", `registry.test:5000/acme/app@${child}`, { digest: child, isManifest: true }],
    ["Docker, pulled", `docker-pullable://acme/app@${child}`, { digest: child, isManifest: true }],
    ["Docker, loaded", `docker://${child}`, { digest: child, isManifest: false }],
    ["a config's hash", child, { digest: child, isManifest: false }],
    ["nothing yet", "", undefined],
    ["a name without a digest", "registry.test/acme/app:v1", undefined],
    ["half a digest", "registry.test/acme/app@sha256:abc", undefined],
  ])("of %s", (_, imageID, read) => {
    expect(readImageID(imageID)).toEqual(read);
  });
});

describe("what ran, compared with what was resolved", () => {
  const registry = (lists: { readonly [digest: string]: readonly string[] }) => {
    const asked: string[] = [];
    const listed = (digest: string): Promise<readonly string[] | undefined> => {
      asked.push(digest);
      return Promise.resolve(lists[digest]);
    };
    return { asked, listed };
  };
  const ran = (digest: string) => `registry.test/acme/app@${digest}`;

  test("the resolved digest is the same, and nobody is asked", async () => {
    const { asked, listed } = registry({});
    expect(await compareRan({ resolved: index, imageID: ran(index) }, listed)).toEqual({
      outcome: "same",
      digest: index,
    });
    expect(asked).toEqual([]);
  });

  test("an image that the resolved index lists is a platform's", async () => {
    const { listed } = registry({ [index]: [other, child] });
    expect(await compareRan({ resolved: index, imageID: ran(child) }, listed)).toMatchObject({ outcome: "platform" });
  });

  test("an index that lists the resolved image is the same the other way round", async () => {
    const { asked, listed } = registry({ [child]: [], [index]: [child] });
    expect(await compareRan({ resolved: child, imageID: ran(index) }, listed)).toMatchObject({ outcome: "platform" });
    expect(asked).toEqual([child, index]);
  });

  test.each([
    ["that the resolved index does not list", index, { [index]: [child] }],
    ["where both are images", child, { [child]: [], [other]: [] }],
  ])("an image %s is different", async (_, resolved, lists) => {
    const { listed } = registry(lists);
    expect(await compareRan({ resolved, imageID: ran(other) }, listed)).toEqual({
      outcome: "different",
      digest: other,
    });
  });

  test.each([
    ["a runtime that names no digest", { resolved: index, imageID: "app:v1" }, /names no digest/],
    ["a runtime that names the config", { resolved: index, imageID: other }, /config/],
    ["a fetch without a digest", { resolved: undefined, imageID: ran(other) }, /no digest was resolved/],
    ["a registry that does not say", { resolved: index, imageID: ran(other) }, /not known/],
  ])("of %s nobody can tell, and the reason is said", async (_, pair, reason) => {
    const verdict = await compareRan(pair, registry({}).listed);
    expect(verdict.outcome).toBe("unknown");
    expect(verdict.reason).toMatch(reason);
  });
});
