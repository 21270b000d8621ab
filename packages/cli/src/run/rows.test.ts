import { FetchImageError } from "@fetch-image/core";
import { expect, test } from "vitest";
import type { Wanted } from "./images.ts";
import { type ImageRow, nameOf, rowFormat, rowJson } from "./rows.ts";

const later = { how: "later", because: "" } as const;
const getPlan = { id: "1/image-get", get: { name: "pull-request", type: "registry-image", source: {} } };
const fetch = { how: "fetch", getPlan, privileged: false, announce: false } as const;
const step: Wanted = { plan: "1", step: "pr", kind: "get", resourceType: "pull-request", ...fetch };
const inner: Wanted = { plan: "1/image-check", step: "pull-request", kind: "check", resourceType: "ecr", ...later };
const task: Wanted = { plan: "2", step: "unit", kind: "task", ...later };
const ofTask: Wanted = { plan: "2/image-get", step: "image", kind: "get", resourceType: "ecr", ...later };
const base: Wanted = { plan: "3", step: "repo", kind: "get", resourceType: "git", how: "base-type", baseType: "git" };
const all = [inner, step, ofTask, task, base];
const image = "r.example/acme/pr:1@sha256:".padEnd(90, "0");

test("an image is named by the step that needs it, and what it is to that step", () => {
  expect(all.map((wanted) => nameOf(wanted, all))).toEqual([
    "get pr: type ecr for pull-request",
    "get pr: type pull-request",
    "task unit: type ecr for its image",
    "task unit",
    "get repo: base type git",
  ]);
});

test("a line has its columns below the head's, the whole image last", () => {
  const { head, line } = rowFormat(all, { color: false, columns: undefined });
  const text = line({ wanted: step, image, via: "HEAD", state: "short-circuited", ms: 12 });
  expect(text.indexOf("HEAD")).toBe(head.indexOf("HOW"));
  expect(text.indexOf("r.example")).toBe(head.indexOf("IMAGE"));
  expect(text.endsWith(`${image}\n`)).toBe(true);
});

test("where the terminal is narrow, the image has a line of its own", () => {
  const { line } = rowFormat(all, { color: false, columns: 100 });
  const text = line({ wanted: step, image, via: "HEAD", state: "short-circuited", ms: 12 });
  expect(text.split("\n")).toEqual([expect.stringMatching(/HEAD +12$/), `      ${image}`, ""]);
});

test("a failed image is told by its code, a deferred one by its reason, one with bytes by where they are", () => {
  const { line } = rowFormat(all, { color: false, columns: undefined });
  const error = new FetchImageError("FI_CHECK_FAILED");
  expect(line({ wanted: task, state: "failed", ms: 1, error, via: "HEAD" })).toMatch(/failed +FI_CHECK_FAILED\n$/);
  expect(line({ wanted: task, state: "deferred", ms: 0, because: "a task makes it" })).toMatch(/a task makes it\n$/);
  expect(line({ wanted: task, image, via: "HEAD", state: "fetched", artifact: "/data/x", ms: 1 })).toContain(
    "\n      its bytes are in /data/x\n",
  );
});

test("as JSON, an error is cut, and what is no error is not", () => {
  const error = new FetchImageError("FI_CHECK_FAILED", { message: 'refused "robot"' });
  const row: ImageRow = { wanted: task, state: "failed", artifact: "/home/robot", ms: 1, error };
  expect(rowJson("1", row, (text) => text.replaceAll("robot", "((redacted))"))).toMatchObject({
    build: "1",
    artifact: "/home/robot",
    version: null,
    via: null,
    error: { code: "FI_CHECK_FAILED", message: 'refused "((redacted))"' },
  });
});
