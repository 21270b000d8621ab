import { describe, expect, test } from "vitest";
import { renderRan } from "./render-ran.ts";

const resolved = `sha256:${"a".repeat(64)}`;
const told = { fetchId: "2/image-get", imageID: `registry.test/app@sha256:${"b".repeat(64)}`, resolved };

describe("what ran, below an explanation", () => {
  test("is nothing where nobody said anything", () => {
    expect(renderRan([])).toBe("");
  });

  test("says of each whether it is what was resolved, and warns of another image", () => {
    const text = renderRan([
      { ...told, imageID: `registry.test/app@${resolved}`, outcome: "same", pod: "ci-unit-b7-task-1" },
      { ...told, outcome: "platform" },
      { ...told, outcome: "different" },
      { ...told, imageID: "", outcome: "unknown", reason: "the runtime names no digest" },
    ]);
    expect(text.replaceAll(/([ab])\1{63}/g, "$1…")).toMatchInlineSnapshot(`
      "what ran
        pod ci-unit-b7-task-1 ran what was resolved: registry.test/app@sha256:a…
        ran registry.test/app@sha256:b…, which is the same image: one of the two is the index that lists the other
        warning: ran registry.test/app@sha256:b…, and sha256:a… was resolved
        warning: ran an image without a name; whether that is what was resolved is unknown: the runtime names no digest
      "
    `);
  });

  test("never writes to a terminal what a runtime made up", () => {
    expect(renderRan([{ ...told, imageID: "\u001b[2J", outcome: "unknown" }])).not.toContain("\u001b");
  });
});
