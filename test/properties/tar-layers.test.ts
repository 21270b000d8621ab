// Any stack of layers becomes what the specification says, by a model of it that knows no disk and no streams.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FetchImageError } from "@fetch-image/core";
import { type TarItem, tarOf } from "../registry/tar-builder.ts";
import { unpackTars } from "../registry/tar-layers.ts";
import { snapshotTree } from "../registry/tar-tree.ts";
import { scratch } from "../support/scratch.ts";
import { seedFromEnv } from "./seed.ts";
import { applyLayers, Refused } from "./tar-model.ts";

test("the tree is the one that the specification describes, or the image is refused where it must be", async () => {
  await fc.assert(
    fc.asyncProperty(stackOfLayers(), async (stack) => {
      using folder = scratch("tar-layers");
      const destination = folder.path("root");
      const wanted = refusalOr(() => applyLayers(stack));
      const actual = await unpackTars(
        stack.map((items) => tarOf(items)),
        destination,
      ).then(
        () => treeOf(destination),
        (error: unknown) => (FetchImageError.is(error) ? error.code : error),
      );
      // A directory that no entry tells of has whatever time it was made at.
      const comparable = (tree: typeof actual): unknown =>
        typeof tree === "object" && tree !== null && typeof wanted === "object"
          ? Object.fromEntries(
              Object.entries(tree as Tree).map(([path, entry]) => [
                path,
                wanted[path]?.mtime === undefined ? { ...entry, mtime: undefined } : entry,
              ]),
            )
          : tree;
      expect(comparable(actual)).toEqual(wanted);
    }),
    { seed: seedFromEnv(), numRuns: 120 },
  );
});

type Tree = ReturnType<typeof treeOf>;

function treeOf(directory: string): ReturnType<typeof applyLayers> {
  return Object.fromEntries(
    Object.entries(snapshotTree(directory, { attributes: false })).map(([path, entry]) => [
      path,
      {
        type: entry.type,
        mode: entry.type === "symlink" ? undefined : Number.parseInt(entry.mode, 8),
        mtime: Number(entry.mtime) / 1e6,
        content: entry.type === "symlink" ? entry.content : undefined,
        size: entry.size === undefined ? undefined : Number(entry.size),
        sameAs: entry.hardLinkOf,
      },
    ]),
  );
}

function refusalOr<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refused) return "FI_LAYER_INVALID";
    throw error;
  }
}

/** Names whose kind is always the same, so that whiteouts may stand anywhere, and others. */
const directories = ["a", "b"];
const links = ["l", "m"];
const anything = ["x", "y", ...links];

function stackOfLayers(): fc.Arbitrary<readonly (readonly TarItem[])[]> {
  const parents = fc.array(
    fc.oneof(
      { weight: 7, arbitrary: fc.constantFrom(...directories) },
      { weight: 1, arbitrary: fc.constantFrom(...anything) },
    ),
    { maxLength: 3 },
  );
  const path = fc.tuple(parents, fc.constantFrom(...anything)).map(([above, name]) => [...above, name].join("/"));
  const directoryPath = fc
    .tuple(parents, fc.constantFrom(...directories, "x"))
    .map(([above, name]) => [...above, name].join("/"));
  const details = {
    mtime: fc.integer({ min: 1, max: 2_000_000_000 }),
    mode: fc.constantFrom(0o644, 0o755, 0o4711, 0o700, 0o000),
  };
  const target = fc.oneof(
    path,
    directoryPath,
    path.map((to) => `/${to}`),
    parents.map((to) => ["..", ...to, ".."].join("/")),
  );
  const item: fc.Arbitrary<TarItem> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ name: path, content: fc.nat(2000).map((size) => "c".repeat(size)), ...details }),
    },
    { weight: 4, arbitrary: fc.record({ name: directoryPath.map((name) => `${name}/`), ...details }) },
    { weight: 2, arbitrary: fc.record({ name: path, type: fc.constant("2"), linkname: target, mtime: details.mtime }) },
    { weight: 1, arbitrary: fc.record({ name: path, type: fc.constant("1"), linkname: path, ...details }) },
    { weight: 1, arbitrary: fc.record({ name: fc.constantFrom("./", "/"), ...details }) },
  );
  const whiteout: fc.Arbitrary<TarItem> = fc
    .tuple(parents, fc.constantFrom(...directories, ...anything, ".wh..opq", ".wh..opq"))
    .map(([above, name]) => ({ name: [...above, `.wh.${name}`].join("/") }));
  return fc.array(
    fc
      .tuple(fc.array(item, { maxLength: 8 }), fc.array(whiteout, { maxLength: 3 }), fc.infiniteStream(fc.nat()))
      .map(([items, whiteouts, places]) => {
        // A whiteout takes away a link or a file that an entry before it may have gone through or linked to; only where
        // none did, the order says nothing.
        const free = items.every(
          ({ name, type }) =>
            type !== "1" &&
            name
              .split("/")
              .slice(0, -1)
              .every((each) => ["", ".", ...directories].includes(each)),
        );
        if (!free) return [...whiteouts, ...items];
        const mixed = [...items];
        for (const each of whiteouts) mixed.splice((places.next().value ?? 0) % (mixed.length + 1), 0, each);
        return mixed;
      }),
    { minLength: 1, maxLength: 4 },
  );
}
