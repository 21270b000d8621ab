/** The names of a path, without the empty ones and the dots that say nothing. `..` is kept. */
export function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/**
 * Where an entry belongs, from the root: `..` takes back the name before it, as Go's `filepath.Clean` does, whatever that
 * name is in the tree. An absolute path begins at the root too. Undefined when it leads out of the root.
 */
export function entryNames(path: string): readonly string[] | undefined {
  const names: string[] = [];
  for (const name of namesOf(path)) {
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names;
}

/** What an entry's last name means (OCI image-spec, layer.md "Whiteouts"). */
export type Mark =
  | { readonly kind: "none" }
  | { readonly kind: "opaque" }
  | { readonly kind: "whiteout"; readonly of: string }
  /** AUFS kept its own books in files of layers; they hide nothing. */
  | { readonly kind: "meta" }
  | { readonly kind: "nonsense" };

export function markOf(name: string): Mark {
  if (!name.startsWith(whiteoutPrefix)) return { kind: "none" };
  if (name === opaqueMark) return { kind: "opaque" };
  if (name.startsWith(metaPrefix)) return { kind: "meta" };
  const of = name.slice(whiteoutPrefix.length);
  return of === "" || of === "." || of === ".." ? { kind: "nonsense" } : { kind: "whiteout", of };
}

const whiteoutPrefix = ".wh.";
const metaPrefix = ".wh..wh.";
const opaqueMark = ".wh..wh..opq";
