import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { FetchImageError } from "@fetch-image/core";
import { type LayerToUnpack, unpackLayers, type UnpackProgress } from "@fetch-image/registry";
import { describe, expect, test } from "vitest";
import { scratch } from "../support/scratch.ts";
import { type TarItem, tarItem, tarOf } from "./tar-builder.ts";
import { digestOf, gzippedLayer, layerOf, unpackTars } from "./tar-layers.ts";
import { isRoot, programsMissing } from "./tar-peers.ts";
import { snapshotTree, without } from "./tar-tree.ts";

const { signal } = new AbortController();
const simple = tarOf([{ name: "a", content: "a" }]);

describe("the destination", () => {
  test("is made, with the directories above it", async () => {
    using folder = scratch("unpack");
    await unpackTars([simple], folder.path("not", "yet", "there"));
    expect(readFileSync(folder.path("not", "yet", "there", "a"), "utf8")).toBe("a");
  });

  test("may be an empty directory", async () => {
    using folder = scratch("unpack");
    mkdirSync(folder.path("empty"));
    await unpackTars([simple], folder.path("empty"));
    expect(readdirSync(folder.directory)).toEqual(["empty"]);
    expect(readdirSync(folder.path("empty"))).toEqual(["a"]);
  });

  test("may be a symbolic link to an empty directory", async () => {
    using folder = scratch("unpack");
    mkdirSync(folder.path("empty"));
    symlinkSync("empty", folder.path("link"));
    await unpackTars([simple], folder.path("link"));
    expect(readdirSync(folder.path("empty"))).toEqual(["a"]);
  });

  test("that has something in it is refused and left alone", async () => {
    using folder = scratch("unpack");
    mkdirSync(folder.path("full"));
    writeFileSync(folder.path("full", "mine"), "mine");
    const before = snapshotTree(folder.directory);
    await expect(unpackTars([simple], folder.path("full"))).rejects.toMatchObject({
      code: "FI_DESTINATION_UNUSABLE",
      message: `${folder.path("full")} is not empty`,
    });
    expect(snapshotTree(folder.directory)).toEqual(before);
  });

  test("that is a file is refused and left alone", async () => {
    using folder = scratch("unpack");
    writeFileSync(folder.path("file"), "mine");
    await expect(unpackTars([simple], folder.path("file"))).rejects.toMatchObject({
      code: "FI_DESTINATION_UNUSABLE",
      message: expect.stringContaining(folder.path("file")),
    });
    expect(readFileSync(folder.path("file"), "utf8")).toBe("mine");
  });

  test("is readable by everybody where no entry says otherwise, and as the root's entry says where one does", async () => {
    using folder = scratch("unpack");
    await unpackTars([simple], folder.path("plain"));
    await unpackTars([tarOf([{ name: "./", mode: 0o711, mtime: 42 }])], folder.path("said"));
    const modeAndTime = (name: string): readonly number[] => [
      statSync(folder.path(name)).mode & 0o7777,
      statSync(folder.path(name)).mtimeMs,
    ];
    expect(modeAndTime("plain")[0]).toBe(0o755);
    expect(modeAndTime("said")).toEqual([0o711, 42_000]);
  });

  test("of an image without layers is an empty directory", async () => {
    using folder = scratch("unpack");
    const unpacked = await unpackLayers({ layers: [], destination: folder.path("root"), signal });
    expect(unpacked).toEqual({ entries: 0, bytes: 0, skipped: [] });
    expect(readdirSync(folder.path("root"))).toEqual([]);
  });
});

describe("a failure", () => {
  const failures: { readonly [what: string]: LayerToUnpack["open"] } = {
    "of the first read": () => failing([]),
    "in the middle of a file": () => failing([tarItem({ name: "a", content: "a".repeat(5000) }).subarray(0, 2000)]),
    "between gzipped chunks": () => failing([Buffer.from("1f8b0800000000000003", "hex")]),
  };
  for (const [what, open] of Object.entries(failures)) {
    test(`${what} is the caller's own error, and leaves nothing`, async () => {
      using folder = scratch("unpack");
      const own = new FetchImageError("FI_REGISTRY_UNREACHABLE", { message: "cut off" });
      const layers = [gzippedLayer(simple), { digest: digestOf(simple), open: () => rethrowing(open(), own) }];
      await expect(unpackLayers({ layers, destination: folder.path("root"), signal })).rejects.toBe(own);
      expect(readdirSync(folder.directory)).toEqual([]);
    });

    test(`${what} with some other error is FI_GET_FAILED, naming the layer`, async () => {
      using folder = scratch("unpack");
      const layers = [{ digest: digestOf(simple), open }];
      await expect(unpackLayers({ layers, destination: folder.path("root"), signal })).rejects.toMatchObject({
        code: "FI_GET_FAILED",
        message: expect.stringContaining(digestOf(simple)),
        cause: { message: "no more" },
      });
      expect(readdirSync(folder.directory)).toEqual([]);
    });
  }

  test("gives back every layer that was opened", async () => {
    using folder = scratch("unpack");
    const open = new Set<number>();
    const layers = [Buffer.alloc(2000, "no tar"), simple, simple].map((bytes, index) => ({
      digest: digestOf(bytes),
      async *open() {
        open.add(index);
        try {
          for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
        } finally {
          open.delete(index);
        }
      },
    }));
    await expect(unpackLayers({ layers, destination: folder.path("root"), signal })).rejects.toMatchObject({
      code: "FI_LAYER_INVALID",
    });
    await expect.poll(() => [...open]).toEqual([]);
  });

  test("cleans up where the image's own modes would lock us out", async () => {
    using folder = scratch("unpack");
    const layers = [
      [{ name: "locked/", mode: 0 }, { name: "locked/in/", mode: 0 }, { name: "locked/in/file" }],
      [{ name: "v", type: "V" }],
    ].map((items) => tarOf(items));
    await expect(unpackTars(layers, folder.path("root"))).rejects.toMatchObject({ code: "FI_LAYER_INVALID" });
    expect(readdirSync(folder.directory)).toEqual([]);
  });
});

describe("the signal", () => {
  test("that is aborted already lets nothing begin", async () => {
    using folder = scratch("unpack");
    const unpacking = unpackTars([simple], folder.path("root"), { signal: AbortSignal.abort() });
    await expect(unpacking).rejects.toMatchObject({ code: "FI_ABORTED" });
    expect(readdirSync(folder.directory)).toEqual([]);
  });

  for (const [what, first] of Object.entries({
    plain: Buffer.alloc(0),
    gzip: Buffer.from("1f8b0800000000000003", "hex"),
  })) {
    test(`ends the wait for a layer that never comes: ${what}`, async () => {
      using folder = scratch("unpack");
      const controller = new AbortController();
      const layer: LayerToUnpack = {
        digest: digestOf(first),
        async *open() {
          yield first;
          controller.abort();
          await new Promise(() => undefined);
        },
      };
      const unpacking = unpackLayers({ layers: [layer], destination: folder.path("root"), signal: controller.signal });
      await expect(unpacking).rejects.toMatchObject({ code: "FI_ABORTED" });
      expect(readdirSync(folder.directory)).toEqual([]);
    });
  }

  test("ends work under way", async () => {
    using folder = scratch("unpack");
    const controller = new AbortController();
    const entry = tarItem({ name: "again", content: "x".repeat(100_000) });
    const layer: LayerToUnpack = {
      digest: digestOf(entry),
      async *open() {
        for (let count = 0; ; count++) {
          if (count === 200) controller.abort();
          yield entry;
        }
      },
    };
    const unpacking = unpackLayers({ layers: [layer], destination: folder.path("root"), signal: controller.signal });
    await expect(unpacking).rejects.toMatchObject({ code: "FI_ABORTED" });
    expect(readdirSync(folder.directory)).toEqual([]);
  });
});

test("progress is told while large files are written, and after each layer", async () => {
  using folder = scratch("unpack");
  const told: UnpackProgress[] = [];
  const large = tarOf([{ name: "large", content: Buffer.alloc(10 * 1024 ** 2, "x") }]);
  await unpackTars([large, simple], folder.path("root"), { onProgress: (progress) => void told.push(progress) });
  expect(told.filter(({ layer }) => layer === 1).length).toBeGreaterThan(2);
  expect(told.map(({ bytes }) => bytes)).toEqual(told.map(({ bytes }) => bytes).toSorted((one, other) => one - other));
  expect(told.at(-1)).toEqual({ layer: 2, layers: 2, bytes: 10 * 1024 ** 2 + 1, entries: 2 });
});

describe("as Concourse's registry-image resource does", () => {
  test("a device is skipped, said so, and what is in its place stays", async () => {
    using folder = scratch("unpack");
    const device = (name: string, type: "3" | "4"): TarItem => ({ name, type });
    const layers = [[{ name: "null", content: "a file" }], [device("null", "3"), device("dev/sda", "4")]];
    const { skipped, entries } = await unpackTars(
      layers.map((items) => tarOf(items)),
      folder.path("root"),
    );
    expect({ skipped, entries }).toEqual({
      entries: 3,
      skipped: [
        { path: "null", why: "it is a device" },
        { path: "dev/sda", why: "it is a device" },
      ],
    });
    expect(readdirSync(folder.path("root"))).toEqual(["null"]);
  });

  test("what a hard link's entry says of mode and time is said of the file", async () => {
    using folder = scratch("unpack");
    await unpackTars(
      [
        tarOf([
          { name: "a", mode: 0o600, mtime: 1 },
          { name: "b", type: "1", linkname: "a", mode: 0o640, mtime: 2 },
        ]),
      ],
      folder.path("root"),
    );
    const { mode, mtimeMs, nlink } = statSync(folder.path("root", "a"));
    expect({ mode: mode & 0o7777, mtimeMs, nlink }).toEqual({ mode: 0o640, mtimeMs: 2000, nlink: 2 });
  });
});

test("a whiteout that comes after what it makes room for hides only what lower layers had", async () => {
  using folder = scratch("unpack");
  const layers = [
    [
      { name: "d/", mode: 0o700 },
      { name: "d/old", content: "old" },
    ],
    [{ name: "d/new", content: "new" }, { name: ".wh.d" }],
  ];
  await unpackTars(
    layers.map((items) => tarOf(items)),
    folder.path("root"),
  );
  expect(readdirSync(folder.path("root", "d"))).toEqual(["new"]);
  // The hidden directory's mode is hidden too.
  expect(statSync(folder.path("root", "d")).mode & 0o7777).toBe(0o755);
});

test("an archive without an end mark is taken when its diff id vouches for it", async () => {
  using folder = scratch("unpack");
  const cut = simple.subarray(0, 1024);
  await unpackLayers({ layers: [layerOf(cut, { diffId: digestOf(cut) })], destination: folder.path("root"), signal });
  expect(readdirSync(folder.path("root"))).toEqual(["a"]);
});

test("an archive that ends with its last file's content, as umoci insert writes it, is taken when its diff id vouches for it", async () => {
  using folder = scratch("unpack");
  const unfilled = tarItem({ name: "tool", content: "#!/bin/sh\n" }).subarray(0, 512 + 10);
  const layer = layerOf(unfilled, { diffId: digestOf(unfilled) });
  await unpackLayers({ layers: [layer], destination: folder.path("root"), signal });
  expect(readFileSync(folder.path("root", "tool"), "utf8")).toBe("#!/bin/sh\n");

  const cut = unfilled.subarray(0, -1);
  const unpacking = unpackLayers({
    layers: [layerOf(cut, { diffId: digestOf(cut) })],
    destination: folder.path("cut"),
    signal,
  });
  await expect(unpacking).rejects.toMatchObject({ code: "FI_LAYER_INVALID" });
  const unvouched = unpackLayers({ layers: [layerOf(unfilled)], destination: folder.path("unvouched"), signal });
  await expect(unvouched).rejects.toMatchObject({ code: "FI_LAYER_INVALID" });
});

test("bytes after an end mark are passed over, as Go does, where the diff id vouches for them", async () => {
  using folder = scratch("unpack");
  const followed = Buffer.concat([simple, Buffer.from("more")]);
  const layer = layerOf(followed, { diffId: digestOf(followed) });
  await unpackLayers({ layers: [layer], destination: folder.path("root"), signal });
  expect(readdirSync(folder.path("root"))).toEqual(["a"]);
});

test("what is skipped a million times is told a thousand times", async () => {
  using folder = scratch("unpack");
  const items = Array.from({ length: 1500 }, (_, index) => ({ name: `dev${index}`, type: "3" }));
  const { skipped } = await unpackTars([tarOf(items)], folder.path("root"));
  expect(skipped.length).toBe(1000);
  expect(skipped.at(-1)).toEqual({ path: "", why: "and 501 more" });
});

test("attributes that the host keeps for itself are skipped and said so, the others set", async ({ skip }) => {
  const whyNot = programsMissing("setfattr", "getfattr");
  skip(whyNot !== undefined, whyNot);
  using folder = scratch("unpack");
  const pax = {
    "SCHILY.xattr.user.kept": "1",
    "SCHILY.xattr.trusted.overlay.opaque": "y",
    "SCHILY.xattr.security.selinux": "label",
    "SCHILY.xattr.nonsense": "1",
  };
  const { skipped } = await unpackTars([tarOf([{ name: "d/", pax }])], folder.path("root"));
  expect(skipped.map(({ path, why }) => `${path} ${why}`)).toEqual([
    'd/ extended attribute "trusted.overlay.opaque": `trusted.` is for the host to set',
    'd/ extended attribute "security.selinux": it is the host\'s own',
    'd/ extended attribute "nonsense": no such kind',
  ]);
  expect(snapshotTree(folder.path("root"))["d"]?.xattrs).toBe("user.kept=0sMQ==");
});

test("attributes are skipped, and said so, where no program can set them", async () => {
  using folder = scratch("unpack");
  const path = process.env["PATH"];
  process.env["PATH"] = folder.path("nothing-here");
  try {
    const tar = tarOf([
      { name: "f", pax: { "SCHILY.xattr.user.a": "1" } },
      { name: "p", type: "6" },
    ]);
    const { skipped } = await unpackTars([tar], folder.path("root"));
    expect(skipped).toEqual([
      { path: "p", why: "it is a fifo: mkfifo is not there" },
      { path: "f", why: "extended attributes: setfattr is not there" },
    ]);
    expect(readdirSync(folder.path("root"))).toEqual(["f"]);
  } finally {
    process.env["PATH"] = path;
  }
});

test("without root's rights the tree is the same, owners aside", async () => {
  using folder = scratch("unpack");
  const owner = { uid: 12345, gid: 6789, mtime: 9 };
  const layers = [
    [
      { name: "./", mode: 0o555, ...owner },
      { name: "closed/", mode: 0, ...owner },
      { name: "closed/in/", mode: 0o111, ...owner },
      { name: "closed/in/file", mode: 0o400, content: "x", ...owner, pax: { "SCHILY.xattr.user.a": "1" } },
      { name: "closed/old/", mode: 0, ...owner },
      { name: "closed/old/file", mode: 0, ...owner },
      { name: "sticky/", mode: 0o3777, ...owner },
      { name: "sticky/setuid", mode: 0o6755, content: "s", ...owner },
      { name: "sticky/hard", type: "1", linkname: "sticky/setuid", mode: 0o6755, ...owner },
      { name: "sticky/link", type: "2", linkname: "setuid", ...owner },
      { name: "pipe", type: "6", mode: 0o200, ...owner },
    ],
    [{ name: "closed/.wh.old" }, { name: "closed/in/more", mode: 0o000, content: "m", ...owner }],
  ].map((items) => tarOf(items));
  await unpackTars(layers, folder.path("ours"));
  chmodSync(folder.directory, 0o777);
  const { skipped } = await asNobody(() => unpackTars(layers, folder.path("theirs")));
  expect(skipped).toEqual([]);
  expect(without(snapshotTree(folder.path("theirs")), "owner")).toEqual(
    without(snapshotTree(folder.path("ours")), "owner"),
  );
  expect(statSync(folder.path("theirs")).uid).toBe(isRoot ? nobody : process.getuid?.());
});

/** Gives up root's rights for the time; who has none has none to give up. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (!isRoot) return await work();
  process.setegid?.(nobody);
  process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

const nobody = 65534;

async function* failing(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
  await Promise.reject(new Error("no more"));
}

async function* rethrowing(chunks: AsyncIterable<Uint8Array>, error: Error): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch {
    throw error;
  }
}
