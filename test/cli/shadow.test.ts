import { afterAll, beforeAll, expect, test } from "vitest";
import { type Images, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let images: Images;
let place: Scratch;
beforeAll(async () => {
  images = await startImages();
  place = scratch("shadow");
  await makeEmbeddedStore(place.path("data"));
}, 60_000);
afterAll(async () => {
  place[Symbol.dispose]();
  await images.registry.close();
});

test("shadow compares what lines tell, tells of lines that it cannot read, and reports; no build has run it", async () => {
  const digest = images.digests["acme/golang:1.22"] ?? "";
  const source = { repository: `${images.registry.host}/acme/golang`, tag: "1.22" };
  const lines = [
    { source, actual: { version: { tag: "1.22", digest }, requests: 2 } },
    { build: { id: "7" }, source, actual: { digest: `sha256:${"0".repeat(64)}`, observedAt: "2030-01-01T00:00:00Z" } },
    { source, actual: {} },
  ].map((line) => JSON.stringify(line));
  const data = ["--data", place.path("data")];
  const input = [...lines, "", "no JSON"].join("\n");
  const compared = await fetchImage(["shadow", "compare", "--json", ...data], { input });
  expect(compared.status).toBe(2);
  expect(compared.stderr).toContain("line 3: FI_COMPARISON_INVALID: ");
  expect(compared.stderr).toContain("line 5: FI_COMPARISON_INVALID: not a JSON object");
  const classes = compared.json().map((each: { class: string; build: { id: string } }) => [each.build.id, each.class]);
  expect(Object.fromEntries(classes)).toEqual({ "line-1": "same", "7": "unexplained" });

  const report = await fetchImage(["shadow", "report", "--comparisons", "2", "--period", "0s", ...data]);
  expect(report.stdout).toContain("unexplained: ");
  expect(report.stdout).toContain("Not safe to switch: 1 unexplained difference, in 2 comparisons over ");
  expect((await fetchImage(["shadow", "report", "--since", "0s", "--json", ...data])).json()).toMatchObject([
    { comparisons: 0, verdict: { verdict: "too-early" } },
  ]);
  expect((await fetchImage(["builds", "--digest", digest, "--json", ...data])).stdout).toBe("");
  expect((await fetchImage(["shadow", "repot", ...data])).status).toBe(2);
}, 60_000);
