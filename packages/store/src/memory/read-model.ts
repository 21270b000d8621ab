import type {
  BuildImageRow,
  BuildRow,
  Json,
  Position,
  ReadModel,
  ReadModelChanges,
  ScopeRow,
  VersionRow,
} from "@fetch-image/core";
import { frozen } from "../facts/frozen.ts";
import { toText } from "../facts/text.ts";

/** A read model that lives as long as its process. Rows given out are frozen. */
export function createMemoryReadModel(): ReadModel {
  return new MemoryReadModel();
}

class MemoryReadModel implements ReadModel {
  #checkpoint: Position | undefined;
  readonly #builds = new Map<string, BuildRow>();
  readonly #images = new Map<string, BuildImageRow>();
  readonly #scopes = new Map<string, ScopeRow>();
  readonly #versions = new Map<string, VersionRow>();

  async checkpoint(): Promise<Position | undefined> {
    return this.#checkpoint;
  }

  async apply(
    changes: ReadModelChanges,
    move: { readonly from: Position | undefined; readonly to: Position },
  ): Promise<"applied" | "moved-by-another"> {
    if (this.#checkpoint !== move.from) return "moved-by-another";
    this.#checkpoint = move.to;
    for (const row of changes.builds) merge(this.#builds, [row.buildId], row);
    for (const row of changes.images) merge(this.#images, [row.buildId, row.fetchId], row);
    for (const row of changes.scopes) merge(this.#scopes, [row.scope], row);
    for (const row of changes.versions) merge(this.#versions, [row.scope, row.tag, row.digest], row, withinTime);
    return "applied";
  }

  async reset(): Promise<void> {
    this.#checkpoint = undefined;
    for (const table of [this.#builds, this.#images, this.#scopes, this.#versions]) table.clear();
  }

  async build(buildId: string): Promise<BuildRow | undefined> {
    return this.#builds.get(keyOf([buildId]));
  }

  async builds(options: { readonly limit: number }): Promise<readonly BuildRow[]> {
    return [...this.#builds.values()]
      .sort((a, b) => newest(a.openedAt, b.openedAt) || -byId(a.buildId, b.buildId))
      .slice(0, Math.max(0, options.limit));
  }

  async imagesOfBuild(buildId: string): Promise<readonly BuildImageRow[]> {
    return [...this.#images.values()]
      .filter((row) => row.buildId === toText(buildId))
      .sort((a, b) => oldest(a.requestedAt, b.requestedAt) || byId(a.fetchId, b.fetchId));
  }

  async imagesByDigest(digest: string, options: { readonly limit: number }): Promise<readonly BuildImageRow[]> {
    return [...this.#images.values()]
      .filter((row) => row.digest === toText(digest))
      .sort((a, b) => newest(a.requestedAt, b.requestedAt) || -byId(a.buildId, b.buildId) || byId(a.fetchId, b.fetchId))
      .slice(0, Math.max(0, options.limit));
  }

  async scopes(filter: { readonly repository: string; readonly tag?: string }): Promise<readonly ScopeRow[]> {
    return [...this.#scopes.values()]
      .filter((row) => row.repository === filter.repository && (filter.tag === undefined || row.tag === filter.tag))
      .sort((a, b) => byBytes(a.tag ?? "", b.tag ?? "") || byBytes(a.scope, b.scope));
  }

  async versions(scope: string): Promise<readonly VersionRow[]> {
    return [...this.#versions.values()]
      .filter((row) => row.scope === toText(scope))
      .sort(
        (a, b) =>
          compare(a.checkOrder ?? -1n, b.checkOrder ?? -1n) ||
          compare(a.firstObservedAt ?? "", b.firstObservedAt ?? "") ||
          byBytes(a.tag, b.tag) ||
          byBytes(a.digest, b.digest),
      );
  }

  async close(): Promise<void> {}
}

// The orders are those of the tables in PostgreSQL, down to how ties are broken.
function merge<Row extends object>(
  table: Map<string, Row>,
  key: readonly string[],
  row: Row,
  combine: (old: Row, merged: Row) => Row = (_old, merged) => merged,
): void {
  const entries: unknown[][] = Object.entries(row).flatMap(([field, value]) =>
    value === undefined ? [] : [[field, kept(value)]],
  );
  const given: Row = Object.fromEntries(entries);
  const old = table.get(keyOf(key));
  table.set(keyOf(key), Object.freeze(old === undefined ? given : combine(old, { ...old, ...given })));
}

function withinTime(old: VersionRow, merged: VersionRow): VersionRow {
  const [first] = times(old.firstObservedAt, merged.firstObservedAt);
  const last = times(old.lastObservedAt, merged.lastObservedAt).at(-1);
  return {
    ...merged,
    ...(first === undefined ? {} : { firstObservedAt: first }),
    ...(last === undefined ? {} : { lastObservedAt: last }),
  };
}

function times(...given: readonly (string | undefined)[]): readonly string[] {
  return given.filter((time) => time !== undefined).sort();
}

function kept(value: unknown): unknown {
  if (typeof value === "string") return toText(value);
  if (typeof value !== "object" || value === null) return value;
  const copy: Json = JSON.parse(JSON.stringify(value));
  return frozen(copy);
}

function keyOf(parts: readonly string[]): string {
  return JSON.stringify(parts.map(toText));
}

function newest(a: string | undefined, b: string | undefined): number {
  return compare(b ?? "", a ?? "");
}

// Without a time comes last.
function oldest(a: string | undefined, b: string | undefined): number {
  return compare(a ?? "~", b ?? "~");
}

// Build and plan ids are numbers in text: 10 comes after 9.
function byId(a: string, b: string): number {
  return compare(Array.from(a).length, Array.from(b).length) || byBytes(a, b);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function compare<T extends string | number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
