// What layers come in: compressions told apart by their first bytes, and every format that tar(1) writes.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import zlib, { gzipSync } from "node:zlib";
import { unpackLayers } from "@fetch-image/registry";
import { describe, expect, test } from "vitest";
import { scratch, type Scratch } from "../support/scratch.ts";
import { tarOf } from "./tar-builder.ts";
import { digestOf, layerOf } from "./tar-layers.ts";
import { isRoot, onPath, programsMissing } from "./tar-peers.ts";
import { snapshotTree, without } from "./tar-tree.ts";

const { signal } = new AbortController();
const hasNativeZstd = "createZstdDecompress" in zlib;
const noisy = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at) % 251));
const tar = tarOf([{ name: "d/" }, { name: "d/file", content: noisy, mtime: 7 }, { name: "empty" }]);
const [firstHalf, secondHalf] = [tar.subarray(0, 100_000), tar.subarray(100_000)];

const sparseBytes = 8 * 1024 ** 2 + 5;

function program(name: string): string {
  return onPath(name) ?? name;
}

function zstd(bytes: Buffer, ...flags: readonly string[]): Buffer {
  return execFileSync(program("zstd"), ["-q", "-c", ...flags], { input: bytes, maxBuffer: 64 * 1024 ** 2 });
}

describe("compression", () => {
  const forms: { readonly [name: string]: () => Buffer } = {
    none: () => tar,
    gzip: () => gzipSync(tar),
    "gzip in two members": () => Buffer.concat([gzipSync(firstHalf), gzipSync(secondHalf)]),
    "gzip with a name and a comment in its header": () => {
      const plain = gzipSync(tar);
      const header = Buffer.from(plain.subarray(0, 10)).fill(0x18, 3, 4);
      return Buffer.concat([header, Buffer.from("layer.tar\0a comment\0"), plain.subarray(10)]);
    },
    zstd: () => zstd(tar),
    "zstd without a checksum": () => zstd(tar, "--no-check"),
    "zstd at its strongest": () => zstd(tar, "--ultra", "-22"),
    "zstd in two frames": () => Buffer.concat([zstd(firstHalf), zstd(secondHalf)]),
    "zstd between skippable frames": () => {
      const skippable = Buffer.from("\x53\x2a\x4d\x18\x05\0\0\0table", "latin1");
      return Buffer.concat([skippable, zstd(tar), skippable]);
    },
    "zstd whose frame says its size": () => zstd(tar, "--stream-size", String(tar.length)),
  };
  for (const [name, make] of Object.entries(forms)) {
    for (const chunkBytes of [1009, 1 << 20]) {
      test(`reads ${name}, in chunks of ${chunkBytes} bytes`, async ({ skip }) => {
        const whyNot = name.startsWith("zstd") ? programsMissing("zstd") : undefined;
        skip(whyNot !== undefined, whyNot);
        using folder = scratch("unpack-formats");
        const layer = layerOf(make(), { diffId: digestOf(tar), chunkBytes });
        const { entries, bytes } = await unpackLayers({ layers: [layer], destination: folder.path("root"), signal });
        expect({ entries, bytes }).toEqual({ entries: 3, bytes: noisy.length });
        expect(readFileSync(folder.path("root", "d", "file")).equals(noisy)).toBe(true);
      });
    }
  }

  const broken: { readonly [what: string]: { readonly make: () => Buffer; readonly says: RegExp } } = {
    "cut zstd": { make: () => zstd(tar).subarray(0, -20), says: /zstd data ends too early/ },
    "zstd without its checksum's last byte": {
      make: () => zstd(tar).subarray(0, -1),
      says: /zstd data ends too early/,
    },
    "bytes after zstd": {
      make: () => Buffer.concat([zstd(tar), Buffer.from("more")]),
      says: /bytes after its zstd data/,
    },
    "a zstd window beyond bounds": {
      make: () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 1, 0, 0]),
      says: /zstd window is \d+ bytes/,
    },
    "a zstd frame that says it is as large as memory": {
      make: () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]),
      says: /zstd window is \d+ bytes/,
    },
    "zstd blocks of a byte each": {
      make: () => {
        const block = Buffer.from([(1 << 3) & 0xff, 0, 0, 0x78]);
        const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3]);
        return Buffer.concat([header, ...Array.from({ length: 100 }, () => block), Buffer.from([1, 0, 0])]);
      },
      // Node's own decoder takes them as they come, and no tar comes of it.
      says: hasNativeZstd ? /unpacks to sha256:/ : /zstd blocks are too small for their window of 134217728 bytes/,
    },
    "damaged zstd": {
      make: () => {
        const bytes = zstd(tar, "--no-check");
        return Buffer.concat([bytes.subarray(0, 30), Buffer.alloc(40, 0xff), bytes.subarray(70)]);
      },
      says: /zstd data is damaged|unpacks to sha256|checksum is wrong|ends too early/,
    },
  };
  for (const [what, { make, says }] of Object.entries(broken)) {
    test(`refuses ${what}`, async ({ skip }) => {
      const whyNot = programsMissing("zstd");
      skip(whyNot !== undefined, whyNot);
      using folder = scratch("unpack-formats");
      const layers = [layerOf(make(), { diffId: digestOf(tar) })];
      const unpacking = unpackLayers({ layers, destination: folder.path("root"), signal });
      await expect(unpacking).rejects.toMatchObject({ code: "FI_LAYER_INVALID", message: expect.stringMatching(says) });
    });
  }
});

describe("tar(1) as the writer", () => {
  const whyNot = programsMissing("tar", "getfattr", "setfattr");
  const formats: { readonly [name: string]: readonly string[] } = {
    v7: ["--format=v7"],
    oldgnu: ["--format=oldgnu"],
    gnu: ["--format=gnu"],
    ustar: ["--format=ustar"],
    posix: ["--format=posix", "--xattrs", "--xattrs-include=*"],
    "gnu, sparse": ["--format=gnu", "--sparse"],
    "posix, sparse 0.0": ["--format=posix", "--sparse", "--sparse-version=0.0"],
    "posix, sparse 0.1": ["--format=posix", "--sparse", "--sparse-version=0.1"],
    "posix, sparse 1.0": ["--format=posix", "--sparse", "--sparse-version=1.0"],
    "posix, with a global header": ["--format=posix", "--pax-option=mtime=1234567890"],
  };
  for (const [name, flags] of Object.entries(formats)) {
    test(`gives the tree that tar(1) gives: ${name}`, async ({ skip }) => {
      skip(whyNot !== undefined, whyNot);
      using folder = scratch("unpack-formats");
      makeTree(folder, {
        old: name === "v7",
        longNames: name !== "v7" && name !== "ustar",
        xattrs: flags.includes("--xattrs"),
      });
      const archive = folder.path("archive.tar");
      execFileSync(program("tar"), [...flags, "-C", folder.path("tree"), "-cf", archive, "."], { stdio: "pipe" });
      mkdirSync(folder.path("theirs"));
      const numeric = [
        "--numeric-owner",
        "-p",
        ...(flags.includes("--xattrs") ? ["--xattrs", "--xattrs-include=*"] : []),
      ];
      execFileSync(program("tar"), [...numeric, "-C", folder.path("theirs"), "-xf", archive], { stdio: "pipe" });

      const bytes = readFileSync(archive);
      const layers = [layerOf(gzipSync(bytes), { diffId: digestOf(bytes) })];
      await unpackLayers({ layers, destination: folder.path("ours"), signal });
      expect(snapshotTree(folder.path("ours"))).toEqual(snapshotTree(folder.path("theirs")));
      const { size, blocks } = statSync(folder.path("ours", "sparse"));
      expect({ size, holes: blocks * 512 < size / 2 }).toEqual({
        size: sparseBytes,
        holes: flags.includes("--sparse"),
      });
    });
  }

  function makeTree(
    folder: Scratch,
    { old, longNames, xattrs }: { readonly old: boolean; readonly longNames: boolean; readonly xattrs: boolean },
  ): void {
    const at = (...names: readonly string[]): string => folder.path("tree", ...names);
    mkdirSync(at("dir", "empty"), { recursive: true, mode: 0o755 });
    writeFileSync(at("file"), "text", { mode: 0o640 });
    writeFileSync(at("dir", "big"), noisy);
    symlinkSync("../file", at("dir", "link"));
    execFileSync(program("ln"), [at("file"), at("dir", "hard")]);
    if (!old) execFileSync(program("mkfifo"), [at("pipe")]);
    execFileSync(program("chmod"), ["4755", at("dir", "big")]);
    if (isRoot) execFileSync(program("chown"), ["12345:54321", at("file")]);
    if (longNames) {
      mkdirSync(at("long-".repeat(40)));
      writeFileSync(at("long-".repeat(40), "name-".repeat(40)), "long");
      symlinkSync("t/".repeat(150), at("long-link"));
    }
    if (xattrs) execFileSync(program("setfattr"), ["-n", "user.a", "-v", "b=\n", at("file")]);
    const sparse = openSync(at("sparse"), "w");
    for (let piece = 0; piece < 60; piece++) writeSync(sparse, `piece ${piece}`, piece * 128 * 1024 + 4096);
    ftruncateSync(sparse, sparseBytes);
    closeSync(sparse);
    utimesSync(at("dir", "big"), 1_600_000_000.25, 1_600_000_000.25);
    utimesSync(at("dir"), 1_500_000_000, 1_500_000_000);
  }
});

test("umoci's own layers become the tree that it made them of", async ({ skip }) => {
  const whyNot = isRoot ? programsMissing("umoci", "getfattr", "setfattr") : "umoci packs as root only here";
  skip(whyNot !== undefined, whyNot);
  using folder = scratch("unpack-formats");
  const image = `${folder.path("layout")}:latest`;
  const umoci = (...args: readonly string[]): void => void execFileSync(program("umoci"), args, { stdio: "pipe" });
  umoci("init", "--layout", folder.path("layout"));
  umoci("new", "--image", image);
  umoci("unpack", "--image", image, folder.path("bundle"));
  const at = (...names: readonly string[]): string => folder.path("bundle", "rootfs", ...names);
  mkdirSync(at("etc", "conf.d"), { recursive: true });
  writeFileSync(at("etc", "passwd"), "root", { mode: 0o644 });
  writeFileSync(at("etc", "conf.d", "old"), "old");
  execFileSync(program("setfattr"), ["-n", "user.a", "-v", "1", at("etc", "passwd")]);
  umoci("repack", "--image", image, folder.path("bundle"));
  umoci("unpack", "--image", image, folder.path("second"));
  const second = (...names: readonly string[]): string => folder.path("second", "rootfs", ...names);
  execFileSync(program("rm"), ["-r", second("etc", "conf.d")]);
  symlinkSync("passwd", second("etc", "shadow"));
  execFileSync(program("ln"), [second("etc", "passwd"), second("etc", "group")]);
  execFileSync(program("chmod"), ["2750", second("etc")]);
  umoci("repack", "--image", image, folder.path("second"));

  const blob = (digest: string): Buffer => readFileSync(folder.path("layout", "blobs", "sha256", digest.slice(7)));
  const read = (digest: string): never => JSON.parse(blob(digest).toString()) as never;
  const index = JSON.parse(readFileSync(folder.path("layout", "index.json"), "utf8")) as {
    manifests: { digest: string }[];
  };
  const manifest: { config: { digest: string }; layers: { digest: string }[] } = read(index.manifests[0]?.digest ?? "");
  const { rootfs }: { rootfs: { diff_ids: `sha256:${string}`[] } } = read(manifest.config.digest);
  const layers = manifest.layers.map(({ digest }, at) =>
    layerOf(blob(digest), { diffId: rootfs.diff_ids[at] ?? "sha256:" }),
  );
  await unpackLayers({ layers, destination: folder.path("ours"), signal });
  expect(layers.length).toBe(2);
  expect(without(snapshotTree(folder.path("ours")), "mtime")).toEqual(without(snapshotTree(second()), "mtime"));
});
