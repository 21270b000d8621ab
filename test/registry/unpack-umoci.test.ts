// umoci as the oracle: the same layers, unpacked by it and by us, give the same tree.
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { scratch } from "../support/scratch.ts";
import { type TarItem, tarOf } from "./tar-builder.ts";
import { unpackTars } from "./tar-layers.ts";
import { isRoot, programsMissing } from "./tar-peers.ts";
import { snapshotTree, type TreeEntry, without } from "./tar-tree.ts";
import { umociUnpack } from "./tar-umoci.ts";

const whyNot = programsMissing("umoci", "getfattr", "setfattr");
const owner = isRoot ? { uid: 1000, gid: 50 } : {};
const at = (mtime: number, item: TarItem): TarItem => ({ mtime, ...item });

/** Layer stacks, each told apart by what it is about. */
const stacks: { readonly [about: string]: readonly (readonly TarItem[])[] } = {
  "modes, owners, times and links": [
    [
      at(1e9, { name: "./", mode: 0o750 }),
      at(1_000_000_001, { name: "bin/", mode: 0o755 }),
      at(1_000_000_002, { name: "bin/su", mode: 0o4755, content: "su" }),
      at(1_000_000_003, { name: "bin/mail", mode: 0o2711, ...owner, content: "mail" }),
      at(1_000_000_003, { name: "bin/mail2", type: "1", linkname: "bin/mail", mode: 0o2711, ...owner }),
      at(1_000_000_005, { name: "tmp/", mode: 0o1777 }),
      at(1_000_000_006, { name: "bin/sh", type: "2", linkname: "/bin/su", ...owner }),
      at(1_000_000_007, { name: "bin/up", type: "2", linkname: "../../../etc/passwd" }),
      at(0, { name: "empty" }),
      at(1_000_000_009, { name: "home/", mode: 0o700, ...owner }),
      at(1_000_000_010, { name: "home/locked/", mode: 0o500, ...owner }),
      at(1_000_000_011, { name: "home/locked/in", mode: 0o400, content: "x".repeat(5000), ...owner }),
      at(1_000_000_012, { name: "pipe", type: "6", mode: 0o640 }),
      { name: "fraction", pax: { mtime: "1234567890.123456789" }, content: "f" },
      { name: "before-1970", pax: { mtime: "-86400.5" }, content: "b" },
    ],
  ],
  "whiteouts and opaque directories": [
    [
      at(1, { name: "a/" }),
      at(1, { name: "a/one", content: "1" }),
      at(1, { name: "a/two", content: "2" }),
      at(1, { name: "a/deep/" }),
      at(1, { name: "a/deep/er/" }),
      at(1, { name: "a/deep/er/file", content: "3" }),
      at(1, { name: "b/" }),
      at(1, { name: "b/old", content: "4" }),
      at(1, { name: "c", content: "5" }),
      at(1, { name: "d/" }),
      at(1, { name: "d/keep", content: "6" }),
      at(1, { name: "d/drop", content: "7" }),
    ],
    [
      at(2, { name: "a/" }),
      at(2, { name: "a/.wh..wh..opq" }),
      at(2, { name: "a/deep/" }),
      at(2, { name: "a/deep/new", content: "8" }),
      at(2, { name: "b/" }),
      at(2, { name: "b/new", content: "9" }),
      at(2, { name: "b/.wh..wh..opq" }),
      at(2, { name: ".wh.c" }),
      at(2, { name: "d/.wh.drop" }),
      at(2, { name: "d/.wh.never-was" }),
    ],
  ],
  "things that replace others": [
    [
      at(1, { name: "file-to-dir", content: "f" }),
      at(1, { name: "dir-to-file/" }),
      at(1, { name: "dir-to-file/in", content: "f" }),
      at(1, { name: "link-to-file", type: "2", linkname: "kept" }),
      at(1, { name: "kept", content: "kept" }),
      at(1, { name: "dir/", mode: 0o711 }),
      at(1, { name: "dir/in", content: "in" }),
      at(1, { name: "dirlink", type: "2", linkname: "dir" }),
      at(1, { name: "hard", type: "1", linkname: "kept" }),
      at(1, { name: "twice", content: "first" }),
      at(3, { name: "twice", content: "second" }),
    ],
    [
      at(2, { name: "file-to-dir/" }),
      at(2, { name: "file-to-dir/in", content: "g" }),
      at(2, { name: "dir-to-file", content: "g" }),
      at(2, { name: "link-to-file", content: "a file now" }),
      at(2, { name: "dir/", mode: 0o700 }),
      at(2, { name: "dirlink/" }),
      at(2, { name: "dirlink/in", content: "not in dir" }),
      at(2, { name: "hard", content: "on its own" }),
    ],
  ],
  "parents that are symbolic links, within the root": [
    [
      at(1, { name: "usr/" }),
      at(1, { name: "usr/lib/" }),
      at(1, { name: "lib", type: "2", linkname: "usr/lib" }),
      at(1, { name: "abs", type: "2", linkname: "/usr/lib" }),
      at(1, { name: "out", type: "2", linkname: "../../../../usr" }),
      at(1, { name: "usr/back", type: "2", linkname: "../lib/./" }),
      at(1, { name: "nowhere", type: "2", linkname: "made/on/the/way" }),
      at(1, { name: "around", type: "2", linkname: "not-there/../usr" }),
    ],
    [
      at(2, { name: "lib/a", content: "a" }),
      at(2, { name: "abs/b", content: "b" }),
      at(2, { name: "out/c", content: "c" }),
      at(2, { name: "usr/back/d", content: "d" }),
      at(2, { name: "nowhere/e", content: "e" }),
      at(2, { name: "around/f", content: "f" }),
      at(2, { name: "g", type: "1", linkname: "abs/a" }),
      at(2, { name: "/absolute/h", content: "h" }),
      at(2, { name: "usr/../i", content: "i" }),
    ],
    [at(3, { name: "lib/.wh.a" }), at(3, { name: "out/lib/.wh.b" })],
  ],
  "names of bytes, long names and large numbers": [
    [
      at(1, { name: "caf\u00e9-latin1", content: "not utf-8" }),
      at(1, { name: "new\nline", content: "n" }),
      at(1, { name: "back\\slash", content: "b" }),
      at(1, { name: `${"long-".repeat(19)}/${"name-".repeat(0)}file`, content: "l" }),
      at(1, { name: "short", pax: { path: `${"deep/".repeat(60)}file` }, content: "p" }),
      at(1, { name: "short", type: "2", pax: { linkpath: "t".repeat(300), path: "long-link" } }),
      at(1, { name: "u\u0308", pax: { path: Buffer.from("ünïcode").toString("latin1") }, content: "u" }),
      ...(isRoot ? [at(1, { name: "owned", pax: { uid: "3000000", gid: "4000000" }, content: "o" })] : []),
    ],
  ],
  "extended attributes": [
    [
      {
        name: "plain",
        pax: { "SCHILY.xattr.user.one": "1", "SCHILY.xattr.user.bin": "\u0000\u00ff=\n" },
        content: "p",
        mtime: 1,
      },
      // Without root's rights umoci gives up on what it may not write to.
      {
        name: "read-only",
        mode: isRoot ? 0o400 : 0o600,
        pax: { "SCHILY.xattr.user.ro": "yes" },
        content: "r",
        mtime: 1,
      },
      { name: "dir/", pax: { "SCHILY.xattr.user.dir": "d" }, mtime: 1, mode: isRoot ? 0o555 : 0o755 },
      { name: "dir/odd \\ =name", pax: { "SCHILY.xattr.user.x": "x" }, content: "o", mtime: 1 },
      ...(isRoot
        ? [
            {
              name: "capable",
              mode: 0o755,
              pax: { "SCHILY.xattr.security.capability": "\u0001\u0000\u0000\u0002\u0000\u0020".padEnd(20, "\u0000") },
              mtime: 1,
            },
          ]
        : []),
    ],
    [{ name: "plain", content: "without them now", mtime: 2 }],
  ],
};

for (const [about, stack] of Object.entries(stacks)) {
  test(`gives the tree that umoci gives: ${about}`, async ({ skip }) => {
    skip(whyNot !== undefined, whyNot);
    using folder = scratch("unpack-umoci");
    const tars = stack.map((items) => tarOf(items));
    const theirs = umociUnpack(
      folder.directory,
      tars.map((tar) => ({ tar, gzip: gzipSync(tar) })),
    );
    await unpackTars(tars, folder.path("ours"));
    // Directories that no entry tells of have whatever time it was; umoci leaves them 0755 as well.
    const said = new Set(stack.flat().map(({ name, pax }) => pathOf(pax?.["path"] ?? name)));
    const comparable = (tree: string): { readonly [path: string]: Partial<TreeEntry> } =>
      Object.fromEntries(
        Object.entries(without(snapshotTree(tree), ...(isRoot ? [] : (["owner"] as const)))).map(([path, entry]) => [
          path,
          entry.type === "directory" && !said.has(path) ? { ...entry, mtime: 0n } : entry,
        ]),
      );
    expect(comparable(folder.path("ours"))).toEqual(comparable(theirs));
  });
}

function pathOf(name: string): string {
  return name.replace(/^\.\/$/, ".").replace(/(?<=.)\/$/, "");
}
