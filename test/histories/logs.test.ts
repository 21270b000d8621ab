// The log of every history that was ever released, in both its forms: the renderer that a build keeps gives the same
// bytes for ever. What is to look otherwise is a new renderer, of which the builds opened from then on keep the version.
// FETCH_IMAGE_WRITE_LOGS=1 npx vitest run --project histories   writes those that are not there yet.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  concourseRenderers,
  decodeBuildFact,
  type RecordedBuildFact,
  type RecordedFact,
  renderBuildLog,
  renderConcourseLog,
  renderers,
} from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { flyWatch } from "../support/concourse-readers/fly-watch.ts";
import { webPage } from "../support/concourse-readers/web-page.ts";
import { testHash } from "../support/stream-histories.ts";

const folder = new URL("v1/", import.meta.url);
const logs = new URL("logs-1/", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.startsWith("build-"))
  .map((file) => file.replace(/\.json$/, ""));

if (process.env["FETCH_IMAGE_WRITE_LOGS"] === "1") writeMissing();

describe("C6: the log of every released shape of a build is the same bytes for ever", () => {
  test.each(names)("%s", (name) => {
    const facts = factsOf(name);
    expect(renderConcourseLog(facts)).toBe(readFileSync(new URL(`${name}.sse`, logs), "utf8"));
    expect(renderBuildLog(facts)).toBe(readFileSync(new URL(`${name}.txt`, logs), "utf8"));
  });
});

test("every one of them is read by Concourse's own clients, whole", () => {
  for (const name of names) {
    const text = renderConcourseLog(factsOf(name));
    const watched = flyWatch(text);
    expect([name, watched.exitStatus]).not.toEqual([name, 255]);
    const { dropped, wiped, orphans } = webPage(undefined, text);
    expect([name, dropped, wiped]).toEqual([name, [], []]);
    // Without the build's plan the page knows no step but what is announced: images of tasks.
    const unannounced = orphans.filter((orphan) => orphan.includes("/image-"));
    const isOfType = factsOf(name).some((fact) => fact.type === "FetchRequested" && fact.data.kind === "type");
    expect([name, isOfType || unannounced.length === 0]).toEqual([name, true]);
  }
});

test("a sealed log hashes to what was kept when the build ended, whatever was stored behind it", () => {
  const sealed = names.filter((name) => facts(name).some(({ type }) => type === "BuildLogSealed"));
  expect(sealed.length).toBeGreaterThan(0);
  for (const name of sealed) {
    const seal = factsOf(name).find((fact) => fact.type === "BuildLogSealed");
    expect(testHash.sha256Hex(renderConcourseLog(factsOf(name)))).toBe(seal?.data.sha256);
  }
});

test("one version names both forms of a log", () => {
  expect(Object.keys(concourseRenderers)).toEqual(Object.keys(renderers));
});

function factsOf(name: string): readonly RecordedBuildFact[] {
  return facts(name).map((stored) => {
    const decoded = decodeBuildFact(stored);
    if (!decoded.known) throw new Error(`${stored.type} is no longer known`);
    return decoded.fact;
  });
}

function facts(name: string): readonly RecordedFact[] {
  const { facts } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
  return facts.map((fact: { revision: number }) => ({ ...fact, revision: BigInt(fact.revision) }));
}

function writeMissing(): void {
  mkdirSync(logs, { recursive: true });
  for (const name of names) {
    const [sse, text] = ["sse", "txt"].map((ending) => new URL(`${name}.${ending}`, logs));
    if (sse !== undefined && !existsSync(sse)) writeFileSync(sse, renderConcourseLog(factsOf(name)));
    if (text !== undefined && !existsSync(text)) writeFileSync(text, renderBuildLog(factsOf(name)));
  }
}
