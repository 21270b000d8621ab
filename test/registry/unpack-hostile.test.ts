// Layers that want out, want more than there is, or are broken. Whatever they say, nothing beside the destination changes,
// and a refused image leaves nothing.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { FetchImageError, type FetchImageErrorCode } from "@fetch-image/core";
import { type LayerToUnpack, unpackLayers, type UnpackLimits } from "@fetch-image/registry";
import { expect, test } from "vitest";
import { type Scratch, scratch } from "../support/scratch.ts";
import { padded, paxHeader, sealed, tarHeader, type TarItem, tarItem, tarOf } from "./tar-builder.ts";
import { digestOf, gzippedLayer, layerOf } from "./tar-layers.ts";
import { onPath } from "./tar-peers.ts";
import { snapshotTree, type TreeSnapshot } from "./tar-tree.ts";

type Items = readonly (TarItem | Buffer)[];

interface Case {
  /** Layers, the lowest first; `outside` is the path of a directory that must stay as it is. */
  readonly layers: (outside: string) => readonly (Items | LayerToUnpack)[];
  readonly limits?: Partial<UnpackLimits>;
  /** How it is refused. */
  readonly refused?: { readonly code?: FetchImageErrorCode; readonly says: RegExp };
  /** Or else what is there: `path` → `directory`, `-> target`, `file`. */
  readonly becomes?: { readonly [path: string]: string };
}

const link = (name: string, linkname: string): TarItem => ({ name, type: "2", linkname });
const hard = (name: string, linkname: string, more: Partial<TarItem> = {}): TarItem => ({
  name,
  type: "1",
  linkname,
  ...more,
});
const file = (name: string, content = "evil"): TarItem => ({ name, content });
const one =
  (...items: Items) =>
  (): readonly Items[] => [items];
const leadsOut = { says: /leads out of the image/ };
const raw = (bytes: Buffer): LayerToUnpack => layerOf(bytes);
const goodTar = tarOf([file("a", "a".repeat(5000)), file("b", "b")]);
const goodGzip = gzipSync(goodTar);

const cases: { readonly [about: string]: Case } = {
  // Names.
  "a name that climbs out": { layers: one(file("../outside/new")), refused: leadsOut },
  "a name that climbs out in its middle": { layers: one(file("a/../../outside/secret")), refused: leadsOut },
  "a directory that climbs out": { layers: one({ name: "../outside/", mode: 0o777 }), refused: leadsOut },
  "a pax path that climbs out": {
    layers: one({ name: "harmless", pax: { path: "../outside/secret" }, content: "evil" }),
    refused: leadsOut,
  },
  "a GNU long name that climbs out": {
    layers: one(tarItem({ name: "././@LongLink", type: "L", content: "../outside/secret\0" }), file("harmless")),
    refused: leadsOut,
  },
  "an absolute name": {
    layers: () => [[file("/etc/passwd", "p")]],
    becomes: { etc: "directory", "etc/passwd": "file" },
  },
  "the outside by its absolute name": {
    layers: (outside) => [[{ name: "x", pax: { path: `${outside}/secret` }, content: "evil" }]],
  },
  "a NUL in a pax path": {
    layers: one({ name: "x", pax: { path: "ok\0/../../outside/secret" }, content: "evil" }),
    refused: { says: /`path` has a NUL/ },
  },
  "a NUL in a pax link target": {
    layers: one({ name: "x", type: "2", pax: { linkpath: "a\0b" } }),
    refused: { says: /`linkpath` has a NUL/ },
  },
  "a file without a name": { layers: one(file("")), refused: { says: /the root can only be a directory/ } },
  "a symbolic link in place of the root": {
    layers: (outside) => [[link("./", outside)], [file("secret")]],
    refused: { says: /the root can only be a directory/ },
  },
  "a symbolic link in place of the root, by a detour": {
    layers: (outside) => [[link("a/..", outside), file("secret")]],
    refused: { says: /the root can only be a directory/ },
  },
  "a hard link in place of the root": {
    layers: one(file("a"), hard("/", "a")),
    refused: { says: /the root can only be a directory/ },
  },
  "a global header that renames everything": {
    layers: one(paxHeader({ path: "../outside/secret" }, "g"), file("x")),
    refused: { says: /a global pax header sets `path`/ },
  },

  // Symbolic links.
  "a file through a symbolic link of its own layer": {
    layers: (outside) => [[link("l", outside), file("l/secret")]],
  },
  "a file through a symbolic link of a lower layer": {
    layers: (outside) => [[link("l", outside)], [file("l/secret"), { name: "l/inside/", mode: 0o777 }]],
  },
  "a file through a relative link": {
    layers: one(link("l", "../outside"), file("l/secret")),
    becomes: { l: "-> ../outside", outside: "directory", "outside/secret": "file" },
  },
  "a file through links to links": {
    layers: one(link("a", ".."), link("b", "a/.."), link("c", "b/../outside"), file("c/secret")),
    becomes: { a: "-> ..", b: "-> a/..", c: "-> b/../outside", outside: "directory", "outside/secret": "file" },
  },
  "a file in place of a link": {
    layers: (outside) => [[link("l", `${outside}/secret`), file("l", "new")]],
    becomes: { l: "file" },
  },
  "a file in place of a lower layer's link": {
    layers: (outside) => [[link("l", `${outside}/secret`)], [file("l", "new")]],
    becomes: { l: "file" },
  },
  "a directory in place of a link": {
    layers: (outside) => [[link("l", outside)], [{ name: "l/", mode: 0o777 }, file("l/secret")]],
    becomes: { l: "directory", "l/secret": "file" },
  },
  "a directory that becomes a link before its mode is set": {
    layers: (outside) => [[{ name: "d/", mode: 0o777, mtime: 5 }, file("d/x"), link("d", outside)]],
  },
  "a directory that becomes a link, then a file below": {
    layers: (outside) => [[{ name: "d/" }, file("d/x"), link("d", outside), file("d/secret")]],
  },
  "a parent of a parent that becomes a link": {
    layers: (outside) => [[{ name: "d/inside/", mode: 0o777 }], [link("d", outside), file("d/inside/file")]],
  },
  "links in a circle": {
    layers: one(link("a", "b"), link("b", "a"), file("a/x")),
    refused: { says: /too many symbolic links/ },
  },
  "a link to itself": { layers: one(link("a", "a"), file("a/x")), refused: { says: /too many symbolic links/ } },
  "a link to nothing": { layers: one(link("a", "")), refused: { says: /links to nothing/ } },
  "a file below a file": { layers: one(file("a"), file("a/b")), refused: { says: /"a", above it, is no directory/ } },
  "a file below a link to a file": {
    layers: one(file("a"), link("l", "a"), file("l/b")),
    refused: { says: /"a", above it, is no directory/ },
  },

  // Hard links.
  "a hard link to the outside": {
    layers: one(hard("h", "../outside/secret")),
    refused: { says: /links out of the image/ },
  },
  "a hard link to the outside by its absolute name": {
    layers: (outside) => [[hard("h", `${outside}/secret`.slice(0, 100))]],
    refused: { says: /which is not there/ },
  },
  "a hard link through a symbolic link": {
    layers: (outside) => [[link("l", outside), hard("h", "l/secret")]],
    refused: { says: /which is not there/ },
  },
  "a hard link to a symbolic link, with a mode for what that points at": {
    layers: (outside) => [[link("l", `${outside}/secret`), hard("h", "l", { mode: 0o777, mtime: 5, uid: 1 })]],
  },
  "a file in place of a hard link to a symbolic link": {
    layers: (outside) => [[link("l", `${outside}/secret`), hard("h", "l"), file("h", "new")]],
  },
  "a hard link to a directory": {
    layers: one({ name: "d/" }, hard("h", "d")),
    refused: { says: /hard link to the directory "d"/ },
  },
  "a hard link to itself": { layers: one(file("h"), hard("h", "h")), refused: { says: /which is not there/ } },
  "a hard link to the root": { layers: one(hard("h", "/")), refused: { says: /links out of the image/ } },
  "a hard link to what it replaces": {
    layers: one({ name: "d/" }, file("d/x"), hard("d", "d/x")),
    refused: { says: /which is not there/ },
  },

  // Whiteouts.
  "a whiteout of the directory it is in": {
    layers: one(file("a"), file(".wh..")),
    refused: { says: /whiteout of no name/ },
  },
  "a whiteout of the directory above": {
    layers: one({ name: "d/" }, file("d/.wh...")),
    refused: { says: /whiteout of no name/ },
  },
  "a whiteout of nothing": { layers: one(file(".wh.")), refused: { says: /whiteout of no name/ } },
  "a whiteout outside": { layers: one(file("../.wh.outside")), refused: leadsOut },
  "a whiteout through a symbolic link": { layers: (outside) => [[link("l", outside)], [file("l/.wh.secret")]] },
  "an opaque mark through a symbolic link": { layers: (outside) => [[link("l", outside)], [file("l/.wh..wh..opq")]] },
  "a whiteout of a link to the outside": { layers: (outside) => [[link("l", outside)], [file(".wh.l")]], becomes: {} },
  "an opaque mark at the root": {
    layers: () => [
      [file("a"), { name: "d/" }, file("d/x")],
      [file(".wh..wh..opq"), file("b")],
    ],
    becomes: { b: "file" },
  },
  "names below a whiteout": { layers: one(file(".wh.d/x"), file("a")), becomes: { a: "file" } },
  "AUFS's own files": { layers: one(file(".wh..wh.aufs"), file(".wh..wh.plnk"), file("a")), becomes: { a: "file" } },

  // What waits for the end.
  "an attribute for a file whose directory becomes a link": {
    layers: (outside) => [
      [{ name: "d/secret", pax: { "SCHILY.xattr.user.evil": "1" }, content: "x" }, { name: "d/x" }, link("d", outside)],
    ],
  },
  "a name and an attribute that forge lines for setfattr": {
    layers: one(
      { name: "x", pax: { path: "a\n\n# file: ../outside/secret\nuser.evil=1\n", "SCHILY.xattr.user.x": "1" } },
      { name: "b", pax: { "SCHILY.xattr.user.x\n\n# file: ../outside/secret\nuser.evil": "1" } },
      { name: "c", pax: { "SCHILY.xattr.user.y": "1\n\n# file: ../outside/secret\nuser.evil=1\n" } },
      { name: "d\\056\\056", pax: { "SCHILY.xattr.user.z": "1" } },
    ),
  },
  "an attribute for a symbolic link": {
    layers: (outside) => [
      [
        {
          ...link("l", `${outside}/secret`),
          pax: { "SCHILY.xattr.user.evil": "1", "SCHILY.xattr.security.evil": "1" },
        },
      ],
    ],
  },
  "attributes of the host": {
    layers: one({ name: "d/", pax: { "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.odd": "1" } }),
    becomes: { d: "directory" },
  },
  "a fifo whose directory becomes a link": {
    layers: (outside) => [[{ name: "d/p", type: "6" }, link("d", outside)]],
  },
  devices: {
    layers: one({ name: "dev/sda", type: "4" }, { name: "dev/null", type: "3" }, file("a")),
    becomes: { a: "file" },
  },

  // More than there is room for.
  "more bytes than allowed": {
    layers: one(file("a", "x".repeat(600)), file("b", "x".repeat(600))),
    limits: { bytes: 1000 },
    refused: { code: "FI_LAYER_TOO_LARGE", says: /layer 1 of 1 \(sha256:.*\), entry "b": .*bound `bytes` of 1000/ },
  },
  "a size that nothing has": {
    layers: one({ name: "a", pax: { size: "9007199254740991" } }),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /entry "a": .*`bytes`/ },
  },
  "holes larger than allowed": {
    layers: one({
      name: "a",
      pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999999" },
      content: "0\n".padEnd(512, "\0"),
    }),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /entry "a": .*`bytes`/ },
  },
  "more entries than allowed": {
    layers: () => [
      [file("a"), file("b")],
      [file("a"), file("a")],
    ],
    limits: { entries: 3 },
    refused: { code: "FI_LAYER_TOO_LARGE", says: /layer 2 of 2 .*entry "a": .*bound `entries` of 3/ },
  },
  "a pax header without end": {
    layers: one({ name: "a", pax: { comment: "x".repeat(2_000_000) } }),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `entryHeaderBytes` of 1048576/ },
  },
  "a header said to be larger than memory": {
    layers: one(tarHeader({ name: "x", type: "L", size: 8 ** 11 - 1 })),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `entryHeaderBytes`/ },
  },
  "one extended header after the other": {
    layers: one(...Array.from({ length: 3000 }, () => paxHeader({})), file("a")),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `entryHeaderBytes`/ },
  },
  "global headers that pile up": {
    layers: one(
      ...Array.from({ length: 30 }, (_, n) => [
        paxHeader({ [`SCHILY.xattr.user.${n}`]: "x".repeat(50_000) }, "g"),
        tarItem(file("a")),
      ]).flat(),
    ),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `entryHeaderBytes`/ },
  },
  "attributes larger than allowed": {
    layers: one(
      { name: "a", pax: { "SCHILY.xattr.user.a": "x".repeat(600) } },
      { name: "b", pax: { "SCHILY.xattr.user.a": "x".repeat(600) } },
    ),
    limits: { attributeBytes: 1000 },
    refused: { code: "FI_LAYER_TOO_LARGE", says: /entry "b": .*bound `attributeBytes` of 1000/ },
  },
  "a path that is too long": {
    layers: one({ name: "x", pax: { path: "abc/".repeat(1100) } }),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `pathBytes` of 4095/ },
  },
  "a link target that is too long": {
    layers: one({ name: "x", type: "2", pax: { linkpath: "abc/".repeat(1100) } }),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `pathBytes` of 4095/ },
  },
  "a path that is too deep": {
    layers: one({ name: "x", pax: { path: "a/".repeat(600) } }),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `depth` of 512/ },
  },
  "a path that symbolic links make too deep": {
    layers: one(
      { name: "x", type: "5", pax: { path: "a/".repeat(300) } },
      { ...link("l", ""), pax: { linkpath: "a/".repeat(300) } },
      { name: "x", pax: { path: `l/${"b/".repeat(300)}` } },
    ),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `depth` of 512/ },
  },
  "a name that no disk has": {
    layers: one({ name: "x", pax: { path: "n".repeat(300) } }),
    refused: { code: "FI_LAYER_TOO_LARGE", says: /its path is too long here/ },
  },
  "a gzip bomb": {
    layers: () => {
      const zeros = gzipSync(Buffer.alloc(32 * 1024 ** 2));
      const start = gzipSync(tarHeader({ name: "zeros", size: 8 ** 11 - 512 }));
      return [raw(Buffer.concat([start, ...Array.from({ length: 20 }, () => zeros)]))];
    },
    refused: { code: "FI_LAYER_TOO_LARGE", says: /bound `expansion` of 200/ },
  },

  // Broken.
  "no tar at all": { layers: () => [raw(Buffer.alloc(1000, "no tar "))], refused: { says: /checksum is wrong/ } },
  "less than a header": { layers: () => [raw(Buffer.alloc(100, "x"))], refused: { says: /ends within a header/ } },
  "gzip cut in its middle": {
    layers: () => [raw(goodGzip.subarray(0, goodGzip.length / 2))],
    refused: { says: /gzip data ends too early/ },
  },
  "gzip without its last byte": {
    layers: () => [raw(goodGzip.subarray(0, -1))],
    refused: { says: /gzip data ends too early/ },
  },
  "gzip with a wrong sum": {
    layers: () => [raw(Buffer.concat([goodGzip.subarray(0, -8), Buffer.alloc(4, 1), goodGzip.subarray(-4)]))],
    refused: { says: /gzip data is damaged \(incorrect data check\)/ },
  },
  "bytes after the gzip data": {
    layers: () => [raw(Buffer.concat([goodGzip, Buffer.from("garbage")]))],
    refused: { says: /gzip data is damaged/ },
  },
  "zeros after the gzip data": {
    layers: () => [raw(Buffer.concat([goodGzip, Buffer.alloc(70_000)]))],
    refused: { says: /bytes after its gzip data/ },
  },
  "a tar cut within a file": {
    layers: () => [raw(goodTar.subarray(0, 3000))],
    refused: { says: /entry "a": the archive ends within it/ },
  },
  "a tar cut within a block": {
    layers: () => [raw(goodTar.subarray(0, 512 + 5010))],
    refused: { says: /entry "a": the archive ends within it/ },
  },
  "a tar cut between entries, and nothing that vouches for it": {
    layers: () => [raw(goodTar.subarray(0, 512 + 5120))],
    refused: { says: /no end mark/ },
  },
  "bytes after the end mark": {
    layers: () => [raw(Buffer.concat([goodTar, tarItem(file("hidden"))]))],
    refused: { says: /bytes after the archive's end mark/ },
  },
  "an entry after a lone block of zeros": {
    layers: () => [raw(Buffer.concat([tarItem(file("a")), Buffer.alloc(512), tarItem(file("b")), Buffer.alloc(1024)]))],
    refused: { says: /after a lone block of zeros/ },
  },
  "another tar than the config promised": {
    layers: () => [gzippedLayer(goodTar, { diffId: digestOf(Buffer.from("another")) })],
    refused: { says: /unpacks to sha256:[0-9a-f]{64}, the image's config promised sha256:/ },
  },
  "a wrong checksum": {
    layers: () => {
      const tar = Buffer.from(goodTar);
      tar[0] = 0x7a;
      return [raw(tar)];
    },
    refused: { says: /entry "z": a header's checksum is wrong/ },
  },
  "a size that is no number": {
    layers: one(sealed(Buffer.from(tarHeader({ name: "a" })).fill("9", 124, 135)), padded(Buffer.alloc(0))),
    refused: { says: /entry "a": its header's size is no number/ },
  },
  "a negative size": {
    layers: one(sealed(Buffer.from(tarHeader({ name: "a" })).fill(0xff, 124, 136))),
    refused: { says: /entry "a": its size is negative/ },
  },
  "an owner that is no id": {
    layers: one({ name: "a", pax: { uid: "4294967295" } }),
    refused: { says: /entry "a": its owner 4294967295 is no id/ },
  },
  "an extended header without its entry": {
    layers: one(file("a"), paxHeader({ path: "b" })),
    refused: { says: /after an extended header, without its entry/ },
  },
  "a pax record longer than its header": {
    layers: one(tarItem({ name: "x", type: "x", content: "99 path=a\n" }), file("a")),
    refused: { says: /record of a pax header is malformed/ },
  },
  "a pax record without an end": {
    layers: one(tarItem({ name: "x", type: "x", content: "10 path=abc" }), file("a")),
    refused: { says: /record of a pax header is malformed/ },
  },
  "a pax header that goes on without a record": {
    layers: one(tarItem({ name: "x", type: "x", content: "12 path=abc\nmore" }), file("a")),
    refused: { says: /record of a pax header is malformed/ },
  },
  "an entry of a type that is not for layers": {
    layers: one({ name: "v", type: "V" }),
    refused: { says: /entry "v": it is of type "V"/ },
  },
};

for (const [about, { layers, limits, refused, becomes }] of Object.entries(cases)) {
  test(`stays inside, or refuses: ${about}`, async () => {
    using folder = scratch("unpack-hostile");
    const { outside, before } = makeOutside(folder);
    const destination = folder.path("root");
    const refusal = await unpackLayers({
      layers: layers(outside).map((layer) => ("digest" in layer ? layer : gzippedLayer(tarOf(layer)))),
      destination,
      signal: new AbortController().signal,
      ...(limits && { limits }),
    }).then(() => undefined, asRefusal);
    expect(refusal?.code).toBe(refused && (refused.code ?? "FI_LAYER_INVALID"));
    expect(refusal?.message ?? "").toMatch(refused ? /^layer [12] of [12] \(sha256:[0-9a-f]{64}\)[:,] / : /^$/);
    expect(refusal?.message ?? "").toMatch(refused?.says ?? /^$/);
    expect(snapshotTree(outside)).toEqual(before);
    expect(readdirSync(folder.directory).toSorted()).toEqual(refused ? ["outside"] : ["outside", "root"]);
    expect(becomes && kindsOf(snapshotTree(destination))).toEqual(becomes);
  });
}

function asRefusal(error: unknown): FetchImageError {
  if (!FetchImageError.is(error)) throw error;
  return error;
}

/** A directory to be left alone, with a file and a directory in it that anybody may write. */
function makeOutside(folder: Scratch): { readonly outside: string; readonly before: TreeSnapshot } {
  const outside = folder.path("outside");
  mkdirSync(folder.path("outside", "inside"), { recursive: true });
  writeFileSync(folder.path("outside", "secret"), "secret", { mode: 0o600 });
  const setfattr = onPath("setfattr");
  if (setfattr !== undefined) execFileSync(setfattr, ["-n", "user.mine", "-v", "1", folder.path("outside", "secret")]);
  return { outside, before: snapshotTree(outside) };
}

function kindsOf(tree: TreeSnapshot): { readonly [path: string]: string } {
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([path]) => path !== ".")
      .map(([path, { type, content }]) => [path, type === "symlink" ? `-> ${content}` : type]),
  );
}
