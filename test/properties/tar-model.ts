// OCI image-spec, layer.md, in memory: each layer's whiteouts first, then its entries one by one. Written without a look
// at how unpacking does it.
import type { TarItem } from "../registry/tar-builder.ts";

/** The layer is one that must be refused. */
export class Refused extends Error {}

export interface ModelEntry {
  readonly type: string;
  readonly mode: number | undefined;
  /** Undefined where no entry says any. */
  readonly mtime: number | undefined;
  /** Of a symbolic link, where it leads. */
  readonly content: string | undefined;
  readonly size: number | undefined;
  /** The first name of a file with several. */
  readonly sameAs: string | undefined;
}

interface Thing {
  readonly type: "file" | "directory" | "symlink";
  mode?: number | undefined;
  mtime?: number | undefined;
  readonly target?: string;
  readonly size?: number;
}

/** By path, `""` being the root. Two names of one thing have the same object. */
type Things = Map<string, Thing>;

export function applyLayers(layers: readonly (readonly TarItem[])[]): { readonly [path: string]: ModelEntry } {
  const things: Things = new Map([["", { type: "directory" }]]);
  for (const items of layers) {
    for (const { name } of items.filter(isWhiteout)) whiteOut(things, name);
    for (const item of items.filter((each) => !isWhiteout(each))) put(things, item);
  }
  const firstNames = new Map<Thing, string>();
  const sorted = [...things].map(([path, thing]) => [path === "" ? "." : path, thing] as const).toSorted(byPath);
  return Object.fromEntries(
    sorted.map(([path, thing]) => {
      const first = firstNames.get(thing) ?? path;
      firstNames.set(thing, first);
      const { type, mode = 0o755, mtime, target, size } = thing;
      const sameAs = first === path ? undefined : first;
      return [path, { type, mode: type === "symlink" ? undefined : mode, mtime, content: target, size, sameAs }];
    }),
  );
}

function byPath([one]: readonly [string, Thing], [other]: readonly [string, Thing]): number {
  return one < other ? -1 : 1;
}

const lastName = (name: string): string => name.split("/").at(-1) ?? "";
const isWhiteout = ({ name }: TarItem): boolean => lastName(name).startsWith(".wh.");

function whiteOut(things: Things, path: string): void {
  const above = resolve(things, path.split("/").slice(0, -1).join("/"));
  if (above === undefined || things.get(above)?.type !== "directory") return;
  const name = lastName(path).slice(".wh.".length);
  const hidden = name === ".wh..opq" ? (above === "" ? "" : `${above}/`) : undefined;
  for (const each of things.keys()) {
    const victim =
      hidden === undefined ? isAtOrBelow(each, joined(above, name)) : each !== "" && each.startsWith(hidden);
    if (victim) things.delete(each);
  }
}

function put(
  things: Things,
  { name, type = name.endsWith("/") ? "5" : "0", mode, mtime, linkname = "", content = "" }: TarItem,
): void {
  const path = name.split("/").filter((each) => each !== "" && each !== ".");
  const last = path.pop();
  const about = { mode, mtime };
  if (last === undefined) {
    Object.assign(things.get("") ?? {}, about);
    return;
  }
  const above = makeParents(things, path.join("/"));
  const at = joined(above, last);
  const existing = things.get(at);
  if (type === "5" && existing?.type === "directory") {
    Object.assign(existing, about);
    return;
  }
  for (const each of things.keys()) if (isAtOrBelow(each, at)) things.delete(each);
  if (type === "5") things.set(at, { type: "directory", ...about });
  else if (type === "2") things.set(at, { type: "symlink", target: linkname, mtime });
  else if (type === "0") things.set(at, { type: "file", size: content.length, ...about });
  else {
    const parent = resolve(things, linkname.split("/").slice(0, -1).join("/"));
    const thing = parent === undefined ? undefined : things.get(joined(parent, lastName(linkname)));
    if (thing === undefined || thing.type === "directory") throw new Refused();
    // The entry's mode and time are those of the file with both names.
    if (thing.type === "file") Object.assign(thing, about);
    things.set(at, thing);
  }
}

function makeParents(things: Things, path: string): string {
  const real = resolve(things, path);
  if (real === undefined) throw new Refused();
  const names = real === "" ? [] : real.split("/");
  for (const at of names.map((_, index) => names.slice(0, index + 1).join("/"))) {
    if (!things.has(at)) things.set(at, { type: "directory" });
  }
  return real;
}

/** Where a path leads with this root; what is missing counts as a directory. Undefined when it cannot lead on. */
function resolve(things: Things, path: string): string | undefined {
  let at: string[] = [];
  let left = path.split("/");
  for (let followed = 0; left.length > 0;) {
    const [name = "", ...rest] = left;
    left = rest;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = at.slice(0, -1);
      continue;
    }
    const next = [...at, name];
    const thing = things.get(next.join("/"));
    if (thing?.type === "file") return undefined;
    if (thing?.type === "symlink") {
      if (++followed > 40) return undefined;
      const target = thing.target ?? "";
      if (target.startsWith("/")) at = [];
      left = [...target.split("/"), ...left];
      continue;
    }
    at = next;
  }
  return at.join("/");
}

function joined(above: string, name: string): string {
  return above === "" ? name : `${above}/${name}`;
}

function isAtOrBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
