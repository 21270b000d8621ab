import { expect, test } from "vitest";
import { imageURL, referenceOfImageURL } from "./image-url.ts";

const reference = `registry.example.com/my-resource:v1.2@sha256:${"a".repeat(64)}`;

test("an ImageURL is docker:/// and the reference", () => {
  expect(imageURL(reference)).toBe(`docker:///${reference}`);
});

test("the reference comes back out of its ImageURL", () => {
  expect(referenceOfImageURL(imageURL(reference))).toBe(reference);
});

test.each(["", reference, "docker://busybox", "raw:///busybox", "DOCKER:///busybox"])("%j is no ImageURL", (text) => {
  expect(referenceOfImageURL(text)).toBeUndefined();
});
