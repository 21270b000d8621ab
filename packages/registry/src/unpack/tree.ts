import { shown } from "./byte-text.ts";
import type { Attributes, Disk } from "./disk.ts";
import { namesOf } from "./entry-path.ts";
import type { UnpackLimits } from "./limits.ts";
import { Misfit } from "./misfit.ts";
import type { Pace } from "./pace.ts";

/** One thing on the disk; two names of one thing, hard links, have the same. */
export type Node = Directory | Symlink | Other;

export interface Directory {
  readonly kind: "directory";
  readonly parent: Directory | undefined;
  readonly name: string;
  /** From the root, whose own is empty. */
  readonly path: string;
  readonly depth: number;
  readonly children: Map<string, Node>;
  /** The names that the current layer has put here, or has put something below. */
  own: Set<string> | undefined;
  /** The last layer that hid what was here before it, and the last that has an entry for it. */
  hiddenBy: number;
  declaredBy: number;
  /** Set at the end; undefined where no entry says any. */
  attributes: HeldAttributes | undefined;
  removed: boolean;
}

interface Symlink {
  readonly kind: "symlink";
  readonly target: string;
}

/** A fifo is on the disk only at the end. */
interface Other {
  readonly kind: "file" | "fifo";
}

export interface HeldAttributes extends Attributes {
  readonly xattrs: ReadonlyMap<string, string>;
}

/** A name in a directory, whether or not something has it. */
export interface Place {
  readonly directory: Directory;
  readonly name: string;
}

export function pathOf({ directory, name }: Place): string {
  return directory.path === "" ? name : `${directory.path}/${name}`;
}

/** What a thing still needs at the end, and the names it was given. */
export interface Waiting {
  attributes: HeldAttributes;
  readonly places: Place[];
}

/**
 * What is on the disk, in memory as well: about 100 bytes a file. The disk begins empty and nobody else writes there, so
 * a look at it is never needed to know what a name is. Both change here and nowhere else.
 */
export class Tree {
  readonly root: Directory = newDirectory(undefined, "");
  readonly waiting: Map<Node, Waiting> = new Map<Node, Waiting>();
  readonly #disk: Disk;
  readonly #limits: UnpackLimits;
  readonly #pace: Pace;
  #layer = 0;
  #touched: Directory[] = [];

  constructor({ disk, limits, pace }: { readonly disk: Disk; readonly limits: UnpackLimits; readonly pace: Pace }) {
    this.#disk = disk;
    this.#limits = limits;
    this.#pace = pace;
  }

  /** What was put so far is of lower layers from now on. */
  beginLayer(): void {
    this.#layer++;
    for (const directory of this.#touched) directory.own = undefined;
    this.#touched = [];
  }

  /** The directory of these names, made where it is missing. */
  enter(names: readonly string[]): Directory {
    const { missing, blocked, ...found } = this.#locate(names);
    if (blocked === "circle") throw new Misfit("it lies below too many symbolic links");
    if (blocked) throw new Misfit(`${shown(pathOf(blocked))}, above it, is no directory`);
    let { directory } = found;
    for (const name of missing) directory = this.makeDirectory({ directory, name });
    return directory;
  }

  /** The directory of these names; undefined where there is none. */
  find(names: readonly string[]): Directory | undefined {
    const { directory, missing, blocked } = this.#locate(names);
    return missing.length === 0 && !blocked ? directory : undefined;
  }

  get({ directory, name }: Place): Node | undefined {
    return directory.children.get(name);
  }

  /** Whether the current layer put it there, or something below it. */
  isOwn({ directory, name }: Place): boolean {
    return directory.own?.has(name) ?? false;
  }

  makeDirectory(place: Place): Directory {
    const directory = newDirectory(place.directory, place.name);
    if (directory.depth > this.#limits.depth) throw new Misfit("it lies too deep", "depth");
    if (directory.path.length > this.#limits.pathBytes) throw new Misfit("its path is too long", "pathBytes");
    this.#disk.makeDirectory(directory.path);
    this.put(place, directory);
    return directory;
  }

  /** Notes what was made at a place that had nothing. */
  put(place: Place, node: Node): void {
    place.directory.children.set(place.name, node);
    this.waiting.get(node)?.places.push(place);
    this.touch(place);
  }

  /** Makes the name, and those above it, the current layer's. */
  touch({ directory, name }: Place): void {
    for (let [at, own]: [Directory | undefined, string] = [directory, name]; at; own = at.name, at = at.parent) {
      if (at.own?.has(own)) return;
      if (!at.own) this.#touched.push(at);
      at.own ??= new Set();
      at.own.add(own);
    }
  }

  /** What an entry says of a directory. */
  declare(directory: Directory, attributes: HeldAttributes): void {
    directory.attributes = attributes;
    directory.declaredBy = this.#layer;
  }

  async remove(place: Place): Promise<void> {
    const node = this.get(place);
    if (node?.kind === "directory") await this.#removeDirectory(node);
    else if (node && node.kind !== "fifo") this.#disk.unlink(pathOf(place));
    place.directory.children.delete(place.name);
  }

  /** Hides what lower layers put at the place, as if that had been done before the layer began. */
  async whiteOut(place: Place): Promise<void> {
    const node = this.get(place);
    if (!this.isOwn(place)) await this.remove(place);
    else if (node?.kind === "directory") {
      await this.whiteOutChildren(node);
      // What the lower directory was like is hidden with it.
      if (node.declaredBy !== this.#layer) node.attributes = undefined;
    }
  }

  async whiteOutChildren(directory: Directory): Promise<void> {
    // A second time there is nothing left; a layer may say it a million times.
    if (directory.hiddenBy === this.#layer) return;
    directory.hiddenBy = this.#layer;
    for (const name of directory.children.keys()) {
      if (this.#pace.due()) await this.#pace.turn();
      await this.whiteOut({ directory, name });
    }
  }

  async #removeDirectory(directory: Directory): Promise<void> {
    for (const name of directory.children.keys()) {
      if (this.#pace.due()) await this.#pace.turn();
      await this.remove({ directory, name });
    }
    this.#disk.removeDirectory(directory.path);
    directory.removed = true;
  }

  /**
   * How far the names lead from the root, as for a process whose root it is: symbolic links among them are followed, and
   * neither `..` nor an absolute target leads out. What is missing is taken as the directory it would be, so that `..`
   * in a link's target can take it back (as filepath-securejoin does).
   */
  #locate(names: readonly string[]): Location {
    let directory = this.root;
    const missing: string[] = [];
    const ahead = names.toReversed();
    for (let [name, links] = [ahead.pop(), 0]; name !== undefined; name = ahead.pop()) {
      const node = missing.length > 0 ? undefined : directory.children.get(name);
      if (name === ".." && missing.pop() === undefined) directory = directory.parent ?? this.root;
      else if (name === "..") continue;
      else if (node === undefined) missing.push(name);
      else if (node.kind === "directory") directory = node;
      else if (node.kind !== "symlink") return { directory, missing, blocked: { directory, name } };
      else if (++links > followedLinks) return { directory, missing, blocked: "circle" };
      else {
        if (node.target.startsWith("/")) directory = this.root;
        ahead.push(...namesOf(node.target).toReversed());
      }
    }
    return { directory, missing };
  }
}

interface Location {
  readonly directory: Directory;
  readonly missing: readonly string[];
  /** By something that is no directory, or by links that lead nowhere. */
  readonly blocked?: Place | "circle";
}

/** In one path; as Linux. */
const followedLinks = 40;

function newDirectory(parent: Directory | undefined, name: string): Directory {
  return {
    kind: "directory",
    parent,
    name,
    path: parent === undefined ? "" : pathOf({ directory: parent, name }),
    depth: parent === undefined ? 0 : parent.depth + 1,
    children: new Map(),
    own: undefined,
    hiddenBy: 0,
    declaredBy: 0,
    attributes: undefined,
    removed: false,
  };
}
