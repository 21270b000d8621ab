import { type BuildImageRow, FetchImageError } from "@fetch-image/core/fetching";
import { expect, test } from "vitest";
import { requireAll, rerunPlanOf, verifyRerun } from "./rerun.ts";

const digest = `sha256:${"1f".repeat(32)}` as const;
const reference = `ghcr.io/acme/app:v1@${digest}`;
const steps = { "1": { kind: "get", name: "pr" }, "2": { kind: "task", name: "unit" } };
const build = { buildId: "7", team: "main", steps };

function row(plan: string, more: Partial<BuildImageRow> = {}): BuildImageRow {
  const resolved = {
    reference,
    imageURL: `docker:///${reference}`,
    digest,
    via: "HEAD",
    version: { tag: "v1", digest },
  };
  const key = { buildId: "7", fetchId: `${plan}/image-get`, planId: plan, name: "image", type: "registry-image" };
  return { ...key, state: "short-circuited", ...resolved, ...more };
}

test("a build is repeated digest for digest, types' types too, in the order of its plan", () => {
  const images = [row("2"), row("1/image-get", { name: "base" }), row("1", { name: "pull-request" })];
  const plan = rerunPlanOf(build, images);
  expect(plan).toMatchObject({ build: "7", team: "main", repeatable: true });
  expect(plan.images.map((image) => [image.plan, image.step, image.kind, image.resourceType])).toEqual([
    ["1/image-get", "pull-request", "get", "base"],
    ["1", "pr", "get", "pull-request"],
    ["2", "unit", "task", undefined],
  ]);
  for (const image of plan.images) expect(image).toMatchObject({ repeatable: true, image: reference, needs: "image" });
});

test("what was fetched as an artifact is fetched again by its digest", () => {
  const { imageURL: _url, ...fetched } = row("2", { state: "fetched", artifact: "volume-1" });
  expect(rerunPlanOf(build, [fetched]).images).toMatchObject([
    { repeatable: true, image: reference, needs: "artifact" },
  ]);
});

test("what cannot be repeated says why", () => {
  const { digest: _digest, ...unpinned } = row("2", { reference: "ghcr.io/acme/app:v1" });
  const { digest: _none, reference: _reference, ...git } = row("2", { type: "git", state: "fetched" });
  const images = [
    unpinned,
    git,
    row("2", { state: "failed" }),
    row("2", { state: "aborted" }),
    row("2", { state: "checking" }),
  ];
  const plan = rerunPlanOf(build, images);
  expect(plan.repeatable).toBe(false);
  expect(plan.images.map((image) => (image.repeatable ? "" : image.because))).toEqual([
    "it is not known as a digest, so that nothing names the same bytes",
    "it is not known as a registry-image, but a git, so that nothing names the same bytes",
    "its fetch failed, so that no step ran it",
    "its fetch was aborted, so that no step ran it",
    "its fetch has not ended",
  ]);
});

test("each digest is asked for once, and one that is gone is named", async () => {
  const other = `ghcr.io/acme/other:v1@${digest}`;
  const retagged = `ghcr.io/acme/app:v2@${digest}`;
  const images = [row("1"), row("2", { reference: retagged }), row("1/image-get", { reference: other })];
  const plan = rerunPlanOf(build, images);
  const asked: string[] = [];
  const verdicts = await verifyRerun(plan, async ({ image }) => {
    asked.push(image);
    return image !== other;
  });
  expect(asked).toHaveLength(2);
  expect([...verdicts].map(([{ image }, verdict]) => [image, verdict])).toEqual(
    expect.arrayContaining([
      [reference, "there"],
      [retagged, "there"],
      [other, "gone"],
    ]),
  );
  expect(() => requireAll(plan, verdicts)).toThrow(
    expect.objectContaining({
      code: "FI_DIGEST_GONE",
      message: expect.stringContaining(other),
      details: { build: "7", images: [other], plans: ["1/image-get"] },
    }),
  );
});

test("a registry that does not answer has not said that a digest is gone", async () => {
  const plan = rerunPlanOf(build, [row("1")]);
  const refused = new FetchImageError("FI_UNAUTHORIZED", { message: "ghcr.io answered 401" });
  const verdicts = await verifyRerun(plan, () => Promise.reject(refused));
  expect([...verdicts.values()]).toEqual([refused]);
  expect(() => requireAll(plan, verdicts)).toThrow(refused);
  requireAll(plan, await verifyRerun(plan, () => Promise.resolve(true)));
});
