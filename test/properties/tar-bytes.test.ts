// Archives that were right and are not any more: whatever the bytes, there is an answer or one of our errors, and nothing
// beside the destination changes.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { FetchImageError } from "@fetch-image/core";
import { readTar, unpackLayers } from "@fetch-image/registry";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { paxHeader, sealed, tarItem, tarOf } from "../registry/tar-builder.ts";
import { layerOf } from "../registry/tar-layers.ts";
import { snapshotTree } from "../registry/tar-tree.ts";
import { scratch } from "../support/scratch.ts";
import { seedFromEnv } from "./seed.ts";

const sparseMap = "2\n0\n100\n1024\n5\n".padEnd(512, "\0");
const archives = [
  tarOf([
    { name: "./" },
    { name: "d/", mode: 0o700 },
    { name: "d/f", content: "f".repeat(700), mtime: 5 },
    { name: "l", type: "2", linkname: "../d" },
    { name: "l/g", content: "g" },
    { name: "h", type: "1", linkname: "d/f" },
    { name: "d/.wh..wh..opq" },
    { name: ".wh.gone" },
  ]),
  tarOf([
    paxHeader({ mtime: "3.5", comment: "all" }, "g"),
    { name: "x", pax: { path: "long/".repeat(40), mtime: "-1.25", "SCHILY.xattr.user.a": "b" }, content: "x" },
    tarItem({ name: "././@LongLink", type: "L", content: `${"n".repeat(150)}\0`, magic: "ustar  \u0000" }),
    { name: "cut", content: "long name", magic: "ustar  \u0000" },
    tarItem({ name: "././@LongLink", type: "K", content: `${"t/".repeat(80)}\0`, magic: "ustar  \u0000" }),
    { name: "s", type: "2", magic: "ustar  \u0000" },
  ]),
  tarOf([
    {
      name: "sparse",
      pax: {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "real",
        "GNU.sparse.realsize": "2048",
      },
      content: `${sparseMap}${"s".repeat(105)}`,
    },
    {
      name: "old",
      pax: { "GNU.sparse.size": "900", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "10,5" },
      content: "12345",
    },
  ]),
];

/** Some blocks taken, doubled or swapped, some bytes changed; headers often given a right checksum again. */
function damaged(): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom("byte", "byte", "byte", "zero-block", "drop-block", "double-block", "cut", "text"),
    byte: fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0, 0x2f, 0x2e, 0x30, 0x37, 0x80, 0xff, 0x32, 0x35, 0x78),
    ),
    text: fc.constantFrom("../", "/", "\0", "77777777777", "=", "\n", "99999", " ", "-1", ".wh."),
    seal: fc.boolean(),
  });
  return fc
    .tuple(fc.constantFrom(...archives), fc.array(edit, { minLength: 1, maxLength: 6 }))
    .map(([archive, edits]) => edits.reduce<Buffer>((bytes, each) => applied(bytes, each), Buffer.from(archive)));
}

function applied(
  bytes: Buffer,
  {
    at,
    kind,
    byte,
    text,
    seal,
  }: {
    readonly at: number;
    readonly kind: string;
    readonly byte: number;
    readonly text: string;
    readonly seal: boolean;
  },
): Buffer {
  if (bytes.length < 512) return bytes;
  const place = at % bytes.length;
  const start = place - (place % 512);
  const [before, block, after] = [
    bytes.subarray(0, start),
    Buffer.from(bytes.subarray(start, start + 512)),
    bytes.subarray(start + 512),
  ];
  if (kind === "cut") return bytes.subarray(0, place);
  if (kind === "drop-block") return Buffer.concat([before, after]);
  if (kind === "double-block") return Buffer.concat([before, block, block, after]);
  if (kind === "zero-block") block.fill(0);
  if (kind === "byte") block[place - start] = byte;
  if (kind === "text") block.write(text, Math.min(place - start, block.length - text.length), "latin1");
  return Buffer.concat([before, seal && block.length === 512 ? sealed(block) : block, after]);
}

test("a damaged archive is read, or refused as a layer", async () => {
  await fc.assert(
    fc.asyncProperty(damaged(), async (bytes) => {
      const outcome = await readTar(bytes).then(() => "read", codeOf);
      expect(["read", "FI_LAYER_INVALID", "FI_LAYER_TOO_LARGE"]).toContain(outcome);
    }),
    { seed: seedFromEnv(), numRuns: 3000 },
  );
});

test("any bytes at all are read, or refused as a layer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), fc.boolean(), async (bytes, sealing) => {
      const archive = Buffer.from(bytes);
      if (sealing && archive.length >= 512) sealed(archive.subarray(0, 512));
      const outcome = await readTar(archive).then(() => "read", codeOf);
      expect(["read", "FI_LAYER_INVALID", "FI_LAYER_TOO_LARGE"]).toContain(outcome);
    }),
    { seed: seedFromEnv(), numRuns: 500 },
  );
});

test("a damaged layer is unpacked, or refused and gone, and changes nothing outside", async () => {
  using folder = scratch("tar-bytes");
  mkdirSync(folder.path("outside"));
  mkdirSync(folder.path("d"));
  writeFileSync(folder.path("outside", "secret"), "secret");
  const before = [snapshotTree(folder.path("outside")), snapshotTree(folder.path("d"))];
  let destinations = 0;
  await fc.assert(
    fc.asyncProperty(damaged(), fc.boolean(), fc.nat(), async (bytes, compress, cut) => {
      const compressed = compress ? gzipSync(bytes, { level: 1 }) : bytes;
      const destination = `root-${++destinations}`;
      const outcome = await unpackLayers({
        layers: [layerOf(cut % 5 === 0 ? compressed.subarray(0, cut % compressed.length) : compressed)],
        destination: folder.path(destination),
        signal: new AbortController().signal,
      }).then(() => "unpacked", codeOf);
      expect(["unpacked", "FI_LAYER_INVALID", "FI_LAYER_TOO_LARGE"]).toContain(outcome);
      const left = readdirSync(folder.directory).filter((name) => name.startsWith(destination));
      expect(left).toEqual(outcome === "unpacked" ? [destination] : []);
    }),
    { seed: seedFromEnv(), numRuns: 150 },
  );
  expect([snapshotTree(folder.path("outside")), snapshotTree(folder.path("d"))]).toEqual(before);
});

function codeOf(error: unknown): unknown {
  return FetchImageError.is(error) ? error.code : error;
}
