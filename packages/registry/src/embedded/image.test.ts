import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { buildImage } from "./image.ts";
import { tarOf } from "./tar.ts";

test("the same recipe gives the same digest, on every machine and for ever", () => {
  const recipe = { layers: ["hello\n"], config: { Cmd: ["/bin/sh"] } };
  expect(buildImage(recipe).digest).toBe(buildImage(recipe).digest);
  expect(buildImage().digest).toBe("sha256:26f79a74898998461d824bd1f10333f13aed3abdd6adce49468c022fed627449");
  expect(buildImage({ layers: ["other\n"] }).digest).not.toBe(buildImage().digest);
});

test("an index has one image for each platform, and is pushed after them", () => {
  const image = buildImage({ platforms: ["linux/amd64", "linux/arm64/v8"] });
  expect(Object.keys(image.platforms)).toEqual(["linux/amd64", "linux/arm64/v8"]);
  expect(new Set(Object.values(image.platforms)).size).toBe(2);
  expect(image.manifests.at(-1)?.digest).toBe(image.digest);
  expect(image.mediaType).toBe("application/vnd.oci.image.index.v1+json");
});

test("every blob and manifest hashes to its name", () => {
  const image = buildImage({
    platforms: ["linux/amd64", "linux/arm/v7"],
    layers: ["a", { "etc/b": "c" }],
    format: "docker",
  });
  for (const { digest, bytes } of [...image.blobs, ...image.manifests]) {
    expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(digest);
  }
});

test.each(["linux", "", "/amd64"])("%j is refused as a platform", (text) => {
  expect(() => buildImage({ platforms: [text] })).toThrow("not a platform");
});

test("a tar ends in two empty blocks and has a right checksum", () => {
  const tar = tarOf({ "a.txt": "hello" });
  expect(tar.length).toBe(512 * 4);
  expect(tar.subarray(1024).every((byte) => byte === 0)).toBe(true);
  const header = Buffer.from(tar.subarray(0, 512));
  const stated = Number.parseInt(header.toString("latin1", 148, 154), 8);
  header.fill(" ", 148, 156);
  expect(header.reduce((sum, byte) => sum + byte, 0)).toBe(stated);
  expect(() => tarOf({ ["x".repeat(101)]: "" })).toThrow("at most 100 bytes");
});
