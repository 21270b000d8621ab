import { describe, expect, test } from "vitest";
import type { CheckEvidence, Rejected } from "../facts/facts.ts";
import type { Version } from "../plan/plan.ts";
import { type ChosenVersion, resolveVersion, type VersionCandidates } from "./resolve-version.ts";

const digest = `sha256:${"a".repeat(64)}`;
const other = `sha256:${"b".repeat(64)}`;

/** What a table's row says of a choice. */
type Choice = Pick<ChosenVersion, "version" | "via" | "pinned"> & { readonly rejected: readonly string[] };

const noTag = "source tag: the source has none";

describe("the version of a registry-image: the check's digest, the plan's version, the source's tag, latest", () => {
  test.each<[string, Partial<VersionCandidates>, Choice]>([
    [
      "a check's digest comes first (B6), and the plan's version is told",
      { checked: step({ tag: "v2", digest }), planVersion: { tag: "v1", digest: other }, sourceTag: "v0" },
      chosen({ tag: "v2", digest }, "step", [
        `plan digest ${other}, tag v1: the check gave a digest, which comes first`,
      ]),
    ],
    ["a check's digest alone is enough", { checked: step({ digest }) }, chosen({ digest }, "step")],
    [
      "a check without a digest falls back to the plan's static version (B5)",
      { checked: step({ tag: "v2" }), planVersion: { tag: "v1", digest }, sourceTag: "v0" },
      chosen({ tag: "v1", digest }, "plan", ["check tag v2: it has no digest"]),
    ],
    [
      "a plan's static version that is only a tag is unpinned (B5)",
      { checked: step({ tag: "v2" }), planVersion: { tag: "v1" }, sourceTag: "v0" },
      unpinned({ tag: "v1" }, "plan", ["check tag v2: it has no digest"]),
    ],
    [
      "then comes the source's tag (B5)",
      { checked: step({ tag: "v2" }), sourceTag: "v0" },
      unpinned({ tag: "v0" }, "tag", ["check tag v2: it has no digest"]),
    ],
    [
      "a plan's version of neither digest nor tag does not stand before the source's tag",
      { checked: step({}), planVersion: { ref: "8d3f1c" }, sourceTag: "v0" },
      unpinned({ tag: "v0" }, "tag", [
        "check (empty): it has no digest",
        "plan ref 8d3f1c: it has neither digest nor tag",
      ]),
    ],
    [
      "then latest, and every candidate passed over is told (B5)",
      { checked: step({ tag: "v2" }) },
      unpinned({ tag: "latest" }, "latest", ["check tag v2: it has no digest", noTag]),
    ],
    [
      "an empty digest, as programs write one that is not there, is none",
      { checked: step({ tag: "v2", digest: "" }), planVersion: { tag: "v1", digest: "" } },
      unpinned({ tag: "v1" }, "plan", ["check digest , tag v2: it has no digest"]),
    ],
    [
      "what is no digest is never put into a reference",
      { checked: step({ tag: "v2", digest: "sha256:abc" }), sourceTag: "v0" },
      unpinned({ tag: "v0" }, "tag", ["check digest sha256:abc, tag v2: its digest is not one"]),
    ],
    [
      "a pin is used as it is, with no network",
      { hasCheckPlan: false, planVersion: { tag: "v1", digest }, sourceTag: "v0" },
      chosen({ tag: "v1", digest }, "pin"),
    ],
    [
      "a pin without a tag is pulled under the source's",
      { hasCheckPlan: false, planVersion: { digest }, sourceTag: "v0" },
      chosen({ digest, tag: "v0" }, "pin"),
    ],
    ["a pin needs no tag", { hasCheckPlan: false, planVersion: { digest } }, chosen({ digest }, "pin")],
    [
      "a pin without a digest says that it is unpinned",
      { hasCheckPlan: false, planVersion: { tag: "v1" } },
      unpinned({ tag: "v1" }, "pin"),
    ],
  ])("%s", (_name, candidates, expected) => {
    expect(choose(candidates)).toEqual(expected);
  });

  test("what a check passed over stands before what the choice passes over", () => {
    const rejected: readonly Rejected[] = [{ candidate: "v3", reason: "a pre-release" }];
    const checked = { ...step({ tag: "v2" }), rejected };
    expect(choose({ checked, sourceTag: "v0" }).rejected).toEqual([
      "v3: a pre-release",
      "check tag v2: it has no digest",
    ]);
  });

  test.each(["HEAD", "GET", "fresh", "joined", "step"] as const)("a check via %s says so", (via) => {
    expect(choose({ checked: { ...step({ digest }), evidence: evidence(via) } }).via).toBe(via);
  });
});

describe("the version of another type is taken as it is", () => {
  test.each<[string, Partial<VersionCandidates>, Choice]>([
    [
      "the check's",
      { checked: step({ ref: "8d3f1c" }), planVersion: { ref: "77aa" } },
      chosen({ ref: "8d3f1c" }, "step"),
    ],
    ["the plan's", { planVersion: { ref: "77aa" } }, chosen({ ref: "77aa" }, "plan")],
    [
      "a pin, even one with an empty field",
      { hasCheckPlan: false, planVersion: { ref: "" } },
      chosen({ ref: "" }, "pin"),
    ],
  ])("%s", (_name, candidates, expected) => {
    expect(choose({ isRegistryImage: false, sourceTag: "v0", ...candidates })).toEqual(expected);
  });
});

function choose(candidates: Partial<VersionCandidates>): Choice {
  const { rejected, ...choice } = resolveVersion({ hasCheckPlan: true, isRegistryImage: true, ...candidates });
  return { ...choice, rejected: rejected.map(({ candidate, reason }) => `${candidate}: ${reason}`) };
}

function chosen(version: Version, via: Choice["via"], rejected: readonly string[] = []): Choice {
  return { version, via, pinned: true, rejected };
}

function unpinned(version: Version, via: Choice["via"], rejected: readonly string[] = []): Choice {
  return { version, via, pinned: false, rejected };
}

function step(version: Version): NonNullable<VersionCandidates["checked"]> {
  return { version, evidence: evidence("step"), rejected: [] };
}

function evidence(via: CheckEvidence["via"]): CheckEvidence {
  return { via, observedAt: "2026-11-22T04:40:00.000Z" };
}
