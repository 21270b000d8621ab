import type { Unpacking } from "./apply-layer.ts";
import { makeFifos } from "./fifos.ts";
import { type Directory, type HeldAttributes, type Node, pathOf, type Tree, type Waiting } from "./tree.ts";
import { type PathWithAttributes, setExtendedAttributes } from "./xattrs.ts";

/**
 * What had to wait until all was written: fifos, extended attributes, and then the modes and times of directories, from
 * the innermost, because one that nobody may enter or write to, or whose time is set, must not be touched again.
 */
export async function finish(unpacking: Unpacking): Promise<void> {
  const { tree, disk, skips } = unpacking;
  const waiting = [...tree.waiting].map((each) => stillThere(each, tree)).filter((each) => each !== undefined);
  await finishFifos(
    waiting.filter(({ node }) => node.kind === "fifo"),
    unpacking,
  );
  const directories = outermostFirst(tree.root);
  await setExtendedAttributes(
    disk.directory,
    [...waiting.map(withAttributes), ...directories.map(withAttributesOfDirectory)].filter(
      ({ xattrs }) => xattrs.size > 0,
    ),
    skips,
  );
  for (const { node, attributes, paths } of waiting) {
    if (node.kind === "file") disk.setModeAndTime(paths[0] ?? "", attributes);
  }
  for (const directory of directories.toReversed()) {
    if (unpacking.pace.due()) await unpacking.pace.turn();
    if (directory.attributes) disk.setAttributes(directory.path, directory.attributes);
    else disk.setMode(directory.path, impliedMode);
  }
}

/** Of a directory that no layer has an entry for, as Concourse's registry-image resource makes it. */
const impliedMode = 0o755;

interface Remaining {
  readonly node: Node;
  readonly attributes: HeldAttributes;
  /** At least one. */
  readonly paths: readonly string[];
}

function stillThere([node, { attributes, places }]: [Node, Waiting], tree: Tree): Remaining | undefined {
  const paths = places.filter((place) => !place.directory.removed && tree.get(place) === node).map(pathOf);
  return paths.length === 0 ? undefined : { node, attributes, paths: [...new Set(paths)] };
}

async function finishFifos(fifos: readonly Remaining[], { disk, skips }: Unpacking): Promise<void> {
  const failed = await makeFifos(
    disk.directory,
    fifos.map(({ paths }) => paths[0] ?? ""),
  );
  for (const { attributes, paths } of fifos) {
    const [first = "", ...others] = paths;
    const why = failed.get(first);
    if (why !== undefined) {
      for (const path of paths) skips.add(path, `it is a fifo: ${why}`);
      continue;
    }
    for (const other of others) disk.hardLink(first, other);
    disk.setAttributes(first, attributes);
  }
}

function outermostFirst(root: Directory): readonly Directory[] {
  const directories = [root];
  // Grows while it is walked.
  for (const directory of directories) {
    for (const node of directory.children.values()) if (node.kind === "directory") directories.push(node);
  }
  return directories;
}

function withAttributes({ paths, attributes: { xattrs } }: Remaining): PathWithAttributes {
  return { path: paths[0] ?? "", xattrs };
}

function withAttributesOfDirectory({ path, attributes }: Directory): PathWithAttributes {
  return { path, xattrs: attributes?.xattrs ?? none };
}

const none: ReadonlyMap<string, string> = new Map<string, string>();
