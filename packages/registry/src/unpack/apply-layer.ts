import { ByteSource } from "./byte-source.ts";
import { shown } from "./byte-text.ts";
import type { Complaints } from "./complaints.ts";
import type { Attributes, Disk } from "./disk.ts";
import { entryNames, markOf } from "./entry-path.ts";
import type { UnpackLimits } from "./limits.ts";
import { asComplaint, Misfit } from "./misfit.ts";
import type { Pace } from "./pace.ts";
import type { Skips } from "./skips.ts";
import { type TarEntry, TarReader } from "./tar-reader.ts";
import { type HeldAttributes, type Node, pathOf, type Place, type Tree } from "./tree.ts";
import { refusedAttribute } from "./xattrs.ts";

/** What all layers share. */
export interface Unpacking {
  /** As the caller knows it, for messages. */
  readonly destination: string;
  readonly tree: Tree;
  readonly disk: Disk;
  readonly limits: UnpackLimits;
  readonly pace: Pace;
  readonly skips: Skips;
  readonly tally: Tally;
}

export interface Tally {
  entries: number;
  /** Of files' contents. */
  bytes: number;
  heldBytes: number;
  /** Called now and then. */
  report(): void;
}

export interface LayerOfTar {
  /** Uncompressed. */
  readonly chunks: AsyncIterable<Buffer>;
  readonly complaints: Complaints;
  /** Whether its bytes are known to be complete when they end. */
  readonly verified: boolean;
}

/**
 * Applies one layer over those before it (OCI image-spec, layer.md "Applying Changesets"). Whiteouts hide what lower
 * layers put there and nothing of this one, whatever the order. Devices are left out, and what is in their place is left
 * alone, as Concourse's registry-image resource does (commands/rootfs.go).
 */
export async function applyLayer({ chunks, complaints, verified }: LayerOfTar, unpacking: Unpacking): Promise<void> {
  const { destination, tree, limits, pace, tally } = unpacking;
  const reader = new TarReader(new ByteSource(chunks), { limits, complaints, verified });
  tree.beginLayer();
  for (let entry; (entry = await reader.next());) {
    try {
      if (pace.due()) await pace.turn();
      if (++tally.entries > limits.entries) throw new Misfit("there are more entries than that", "entries");
      if (tally.bytes + entry.size > limits.bytes) throw new Misfit("the files together are larger", "bytes");
      await applyEntry(entry, reader, unpacking);
    } catch (error) {
      throw asComplaint(error, { complaints, limits, directory: destination, entry: entry.name });
    }
    tally.report();
  }
  // An archive that just stops between two entries looks like one that was cut there.
  if (!reader.hasEndMark && !verified) throw complaints.invalid("the archive has no end mark; it may be cut off");
}

async function applyEntry(entry: TarEntry, reader: TarReader, unpacking: Unpacking): Promise<void> {
  const { tree, skips } = unpacking;
  const names = entryNames(entry.name);
  if (names === undefined) throw new Misfit("its path leads out of the image");
  const name = names.at(-1);
  if (name === undefined) return applyToRoot(entry, unpacking);
  const above = names.slice(0, -1);
  if (above.some((each) => markOf(each).kind !== "none")) {
    return skips.add(entry.name, "it lies below a name that is kept for whiteouts");
  }
  const mark = markOf(name);
  if (mark.kind === "nonsense") throw new Misfit("it is a whiteout of no name");
  if (mark.kind === "meta") return;
  if (mark.kind !== "none") {
    const directory = tree.find(above);
    if (directory && mark.kind === "opaque") await tree.whiteOutChildren(directory);
    else if (directory && mark.kind === "whiteout") await tree.whiteOut({ directory, name: mark.of });
    return;
  }
  if (entry.type === "character-device" || entry.type === "block-device") {
    return skips.add(entry.name, "it is a device");
  }
  await applyAt({ directory: tree.enter(above), name }, entry, reader, unpacking);
}

function applyToRoot(entry: TarEntry, unpacking: Unpacking): void {
  const { tree } = unpacking;
  if (entry.type !== "directory") throw new Misfit(`the root can only be a directory, not a ${entry.type}`);
  tree.declare(tree.root, held(entry, unpacking));
}

async function applyAt(place: Place, entry: TarEntry, reader: TarReader, unpacking: Unpacking): Promise<void> {
  const { tree, disk } = unpacking;
  const existing = tree.get(place);
  if (entry.type === "directory" && existing?.kind === "directory") {
    tree.touch(place);
    return tree.declare(existing, held(entry, unpacking));
  }
  if (existing) await tree.remove(place);
  if (entry.type === "directory") return tree.declare(tree.makeDirectory(place), held(entry, unpacking));
  if (entry.type === "hardlink") return applyHardLink(place, entry, unpacking);
  if (entry.type === "symlink" && entry.linkname === "") throw new Misfit("it links to nothing");

  const attributes = held(entry, unpacking);
  const waits = entry.type === "fifo" || attributes.xattrs.size > 0;
  if (entry.type === "symlink") disk.symlink(pathOf(place), entry.linkname, entry);
  // An attribute may only be set by who may write the file, so that its mode waits too.
  const mode = waits ? 0o600 : entry.mode;
  if (entry.type === "file") await writeFile(place, { ...entry, mode }, reader, unpacking);
  const node = nodeOf(entry, waits);
  if (waits) tree.waiting.set(node, { attributes, places: [] });
  tree.put(place, node);
}

// One object serves all files about which there is nothing to remember.
function nodeOf({ type, linkname }: TarEntry, waits: boolean): Node {
  if (type === "symlink") return { kind: "symlink", target: linkname };
  if (type === "fifo") return { kind: "fifo" };
  return waits ? { kind: "file" } : plainFile;
}

const plainFile: Node = { kind: "file" };

/** What the entry says of mode, owner and time is said of the file that both names have, as the original does. */
function applyHardLink(place: Place, entry: TarEntry, { tree, disk }: Unpacking): void {
  const names = entryNames(entry.linkname);
  const name = names?.at(-1);
  if (names === undefined || name === undefined) throw new Misfit("it links out of the image");
  const directory = tree.find(names.slice(0, -1));
  const node = directory && tree.get({ directory, name });
  if (!directory || !node) throw new Misfit(`it is a hard link to ${shown(entry.linkname)}, which is not there`);
  if (node.kind === "directory") throw new Misfit(`it is a hard link to the directory ${shown(entry.linkname)}`);
  if (node.kind !== "fifo") disk.hardLink(pathOf({ directory, name }), pathOf(place));
  const waiting = tree.waiting.get(node);
  if (waiting) waiting.attributes = { ...attributesOf(entry), xattrs: waiting.attributes.xattrs };
  if (waiting && node.kind === "file") disk.setOwner(pathOf(place), entry);
  else if (node.kind === "file") disk.setAttributes(pathOf(place), entry);
  tree.put(place, node);
}

async function writeFile(place: Place, entry: TarEntry, reader: TarReader, unpacking: Unpacking): Promise<void> {
  const { disk, pace, tally } = unpacking;
  const before = tally.bytes;
  const pieces = (entry.pieces ?? [{ offset: 0, length: entry.size }]).values();
  let [position, left] = [0, 0];
  await disk.writeFile(
    pathOf(place),
    {
      size: entry.pieces && entry.size,
      async next() {
        if (pace.due()) await pace.turn();
        while (left === 0) {
          const piece = pieces.next();
          if (piece.done === true) return undefined;
          ({ offset: position, length: left } = piece.value);
        }
        const bytes = await reader.content(left);
        if (!bytes) return undefined;
        const part = { bytes, position };
        position += bytes.length;
        left -= bytes.length;
        tally.bytes += bytes.length;
        tally.report();
        return part;
      },
    },
    entry,
  );
  tally.bytes = before + entry.size;
}

function held(entry: TarEntry, { skips, limits, tally }: Unpacking): HeldAttributes {
  const xattrs = new Map<string, string>();
  for (const [name, value] of entry.xattrs) {
    const why = refusedAttribute(name);
    if (why === undefined) xattrs.set(name, value);
    else skips.add(entry.name, `extended attribute ${shown(name)}: ${why}`);
    tally.heldBytes += name.length + value.length;
  }
  if (tally.heldBytes <= limits.attributeBytes) return { ...attributesOf(entry), xattrs };
  throw new Misfit("the extended attributes together are larger", "attributeBytes");
}

function attributesOf({ mode, uid, gid, mtime }: TarEntry): Attributes {
  return { mode, uid, gid, mtime };
}
