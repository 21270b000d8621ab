import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { readTar, unpackLayers } from "@fetch-image/registry";
import { paxHeader, sealed, tarOf } from "../../registry/tar-builder.ts";
import { layerOf } from "../../registry/tar-layers.ts";
import { scratch } from "../../support/scratch.ts";
import { expectOurs, type FuzzTarget, must } from "../target.ts";

const ordinary = tarOf([
  { name: "bin/", mode: 0o755 },
  { name: "bin/tool", content: "#!/bin/sh\n", mode: 0o4755 },
  { name: "lib", type: "2", linkname: "bin" },
  { name: "lib/other", type: "1", linkname: "bin/tool" },
  { name: "dev/null", type: "3" },
]);
const hiding = tarOf([{ name: "bin/.wh..wh..opq" }, { name: ".wh.lib" }, { name: "x".repeat(100), content: "y" }]);
const extended = tarOf([
  { name: "long", content: "abc", pax: { path: `${"d/".repeat(200)}f`, mtime: "1.5", "SCHILY.xattr.user.a": "b" } },
  paxHeader({ uid: "4294967296" }, "g"),
  { name: "pipe", type: "6" },
]);
const climbing = tarOf([
  { name: "up", type: "2", linkname: "../../outside" },
  { name: "up/file", content: "escaped" },
  { name: "../outside/file", content: "escaped" },
]);
const words = [
  "../",
  "/",
  "\0",
  "./",
  ".wh.",
  ".wh..wh..opq",
  "outside/",
  "ustar\0",
  "1",
  "2",
  "5",
  "L",
  "x",
  "\x80",
  "7",
];

export const layerTargets: readonly FuzzTarget[] = [
  {
    name: "tar",
    seeds: [ordinary, hiding, extended, climbing],
    words: [...words, "30 path=", "size=", "GNU.sparse.major=1\n", "777777"],
    open: () =>
      Promise.resolve({
        async take(input) {
          try {
            const entries = await readTar(withRightSums(input));
            must(entries.length <= input.length / 512, "it makes up entries");
          } catch (error) {
            expectOurs(error);
          }
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  },
  {
    name: "layer",
    seeds: [ordinary, hiding, climbing, gzipSync(ordinary), gzipSync(climbing)],
    words: [...words, "\x1f\x8b", "\x28\xb5\x2f\xfd"],
    open() {
      const place = scratch("fuzz-layer");
      mkdirSync(place.path("outside"));
      writeFileSync(place.path("outside/file"), "mine");
      const { signal } = new AbortController();
      return Promise.resolve({
        async take(input) {
          const destination = place.path("root");
          const layers = [layerOf(ordinary), layerOf(withRightSums(input))];
          let done = false;
          try {
            await unpackLayers({ layers, destination, signal, limits: { bytes: 4 * 1024 ** 2, entries: 2000 } });
            done = true;
          } catch (error) {
            expectOurs(error);
          }
          must(existsSync(destination) === done, "it leaves what is not whole, or not what is");
          rmSync(destination, { recursive: true, force: true });
          must(readdirSync(place.directory).join() === "outside", "it leaves something beside");
          must(readdirSync(place.path("outside")).join() === "file", "it writes outside");
        },
        [Symbol.asyncDispose]: () => Promise.resolve(place[Symbol.dispose]()),
      });
    },
  },
];

/** Nearly every change spoils a header's checksum, and would be refused for that alone. */
export function withRightSums(input: Uint8Array): Buffer {
  const bytes = Buffer.from(input);
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (block.toString("latin1", 257, 262) === "ustar") sealed(block).copy(block);
  }
  return bytes;
}
