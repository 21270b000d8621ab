import type { Digest, ListedImage } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { factsOf, pinnedPlan, scene, typePlans } from "../support/engine.ts";

const index: Digest = `sha256:${"a".repeat(64)}`;
const child: Digest = `sha256:${"b".repeat(64)}`;
const other: Digest = `sha256:${"c".repeat(64)}`;
const source = { repository: "registry.test/acme/app", tag: "v1" };
const getPlan = pinnedPlan("2", source, { tag: "v1", digest: index });
const { id: fetchId } = getPlan;
const ran = (digest: string) => `registry.test/acme/app@${digest}`;

/** A registry whose index lists one image. */
function listing(made: ReturnType<typeof scene>) {
  const asked: string[] = [];
  made.registry.listed = (_source, digest): Promise<readonly ListedImage[] | undefined> => {
    asked.push(digest);
    return Promise.resolve(digest === index ? [{ digest: child }] : []);
  };
  return asked;
}

describe("what ran", () => {
  test("is compared with what was resolved, and the outcome is a fact", async () => {
    const made = scene();
    listing(made);
    await using engine = made.engine;
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage({ getPlan, privileged: false });
    const outcomes = [];
    for (const digest of [index, child, other]) {
      outcomes.push((await build.recordRan({ fetchId, imageID: ran(digest), pod: "ci-unit-b1-get-0" })).outcome);
    }
    expect(outcomes).toEqual(["same", "platform", "different"]);
    const facts = (await factsOf(made.eventLog, "1")).filter(({ type }) => type === "ImageRan");
    expect(facts.map(({ data }) => data)).toEqual([
      { fetchId, imageID: ran(index), pod: "ci-unit-b1-get-0", resolved: index, outcome: "same", digest: index },
      { fetchId, imageID: ran(child), pod: "ci-unit-b1-get-0", resolved: index, outcome: "platform", digest: child },
      { fetchId, imageID: ran(other), pod: "ci-unit-b1-get-0", resolved: index, outcome: "different", digest: other },
    ]);
  });

  test("costs no request where the digests are the same", async () => {
    const made = scene();
    const asked = listing(made);
    await using engine = made.engine;
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage({ getPlan, privileged: false });
    await build.recordRan({ fetchId, imageID: ran(index) });
    expect(asked).toEqual([]);
  });

  test("is unknown, and no mismatch, where the registry cannot be asked", async () => {
    const made = scene();
    made.registry.listed = () => Promise.reject(new Error("connection refused"));
    await using engine = made.engine;
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage({ getPlan, privileged: false });
    const verdict = await build.recordRan({ fetchId, imageID: ran(child) });
    expect(verdict).toMatchObject({ outcome: "unknown", digest: child });
    expect(verdict.reason).toContain("FI_INTERNAL");
  });

  test("is stored once, however often it is told, after a restart too", async () => {
    const made = scene();
    {
      await using engine = made.engine;
      const build = await engine.openBuild({ id: "1" });
      await build.fetchImage({ getPlan, privileged: false });
      await Promise.all([1, 2].map(() => build.recordRan({ fetchId, imageID: ran(index) })));
    }
    const next = scene({ eventLog: made.eventLog });
    await using engine = next.engine;
    const build = await engine.openBuild({ id: "1" });
    expect(await build.recordRan({ fetchId, imageID: ran(index) })).toMatchObject({ outcome: "same" });
    await build.drained();
    const facts = await factsOf(made.eventLog, "1");
    expect(facts.filter(({ type }) => type === "ImageRan")).toHaveLength(1);
  });

  test("of a fetch that the build does not have is refused", async () => {
    await using engine = scene().engine;
    const build = await engine.openBuild({ id: "1" });
    await expect(build.recordRan({ fetchId: "9/image-get", imageID: ran(index) })).rejects.toMatchObject({
      code: "FI_PLAN_UNKNOWN",
    });
  });

  test("in a step of ours is told by the step runner, of the image that the step's type was resolved to", async () => {
    const made = scene({
      stepRunner: {
        check: async (_plan, { ran: tell }) => {
          await tell?.(ran(index));
          return [{ ref: "a" }];
        },
        get: (_plan, { ran: tell }) => {
          expect(tell).toBeUndefined();
          return Promise.resolve({ handle: "volume" });
        },
      },
    });
    await using engine = made.engine;
    const build = await engine.openBuild({ id: "1" });
    const outer = typePlans("2", { uri: "x" }, { type: "git" });
    const checkPlan = {
      ...outer.checkPlan,
      check: { ...outer.checkPlan.check, image_get_plan: pinnedPlan("2/check", source, { digest: index }) },
    };
    await build.fetchImage({ getPlan: outer.getPlan, checkPlan, privileged: false });
    const facts = (await factsOf(made.eventLog, "1")).filter(({ type }) => type === "ImageRan");
    expect(facts.map(({ data }) => data)).toMatchObject([{ fetchId: "2/check/image-get", outcome: "same" }]);
  });

  test("never holds a secret that a runtime repeats", async () => {
    const made = scene();
    await using engine = made.engine;
    const build = await engine.openBuild({ id: "1", secrets: ["hunter2"] });
    await build.fetchImage({ getPlan, privileged: false });
    await build.recordRan({ fetchId, imageID: `hunter2@${other}`, pod: "hunter2" });
    expect(JSON.stringify((await factsOf(made.eventLog, "1")).map(({ data }) => data))).not.toContain("hunter2");
  });
});
