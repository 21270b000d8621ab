import type {
  BuildImageRow,
  BuildRow,
  BuildsQuery,
  ImageFilter,
  ImagePage,
  Json,
  ObservationFilter,
  ObservationPage,
  ObservationRow,
  Position,
  ReadModel,
  ReadModelChanges,
  ScopeRow,
  StayRow,
  TimeRange,
  VersionRow,
} from "@fetch-image/core/fetching";
import { frozen } from "../facts/frozen.ts";
import { toText } from "../facts/text.ts";
import { staysOf } from "./stays.ts";

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
  readonly #observations = new Map<string, ObservationRow>();

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
    for (const row of changes.observations) merge(this.#observations, [row.scope, String(row.revision)], row, first);
    return "applied";
  }

  async reset(): Promise<void> {
    this.#checkpoint = undefined;
    for (const table of [this.#builds, this.#images, this.#scopes, this.#versions, this.#observations]) table.clear();
  }

  async build(buildId: string): Promise<BuildRow | undefined> {
    return this.#builds.get(keyOf([buildId]));
  }

  async builds({ limit, after, ids, stored, ...range }: BuildsQuery): Promise<readonly BuildRow[]> {
    // Nothing expires here.
    if (stored === false) return [];
    const newestFirst = (a: Omit<BuildRow, "steps">, b: Omit<BuildRow, "steps">) =>
      newest(a.openedAt, b.openedAt) || -byId(a.buildId, b.buildId);
    const isDated = after !== undefined || range.since !== undefined || range.until !== undefined;
    return [...this.#builds.values()]
      .filter(({ openedAt }) => !isDated || (openedAt !== undefined && isWithin(openedAt, range)))
      .filter(({ buildId }) => ids === undefined || ids.some((id) => toText(id) === buildId))
      .sort(newestFirst)
      .filter((row) => after === undefined || newestFirst(row, after) > 0)
      .slice(0, Math.max(0, limit));
  }

  async imagesOfBuild(buildId: string): Promise<readonly BuildImageRow[]> {
    return [...this.#images.values()]
      .filter((row) => row.buildId === toText(buildId))
      .sort((a, b) => oldest(a.requestedAt, b.requestedAt) || byId(a.fetchId, b.fetchId));
  }

  async images(
    filter: ImageFilter,
    { limit, first: end = "newest", after }: ImagePage,
  ): Promise<readonly BuildImageRow[]> {
    const { ran, since, until, ...equal } = filter;
    const wanted = Object.entries(equal).filter(([, value]) => value !== undefined);
    const order = (a: ImageKey, b: ImageKey) => (end === "newest" ? -byRequest(a, b) : byRequest(a, b));
    return [...this.#images.values()]
      .filter(({ requestedAt }) => requestedAt !== undefined && isWithin(requestedAt, { since, until }))
      .filter((row) => wanted.every(([field, value]) => row[field as keyof typeof equal] === toText(value)))
      .filter(({ state }) => ran !== true || (state !== "failed" && state !== "aborted"))
      .sort(order)
      .filter((row) => after === undefined || order(row, after) > 0)
      .slice(0, Math.max(0, limit));
  }

  async scope(scope: string): Promise<ScopeRow | undefined> {
    return this.#scopes.get(keyOf([scope]));
  }

  async scopes(filter: { readonly repository: string; readonly tag?: string }): Promise<readonly ScopeRow[]> {
    return [...this.#scopes.values()]
      .filter(({ repository, pullRepository }) => [repository, pullRepository].includes(filter.repository))
      .filter(({ tag }) => filter.tag === undefined || tag === filter.tag)
      .sort((a, b) => byBytes(a.tag ?? "", b.tag ?? "") || byBytes(a.scope, b.scope));
  }

  async everyScope({
    limit,
    after,
  }: {
    readonly limit: number;
    readonly after?: string;
  }): Promise<readonly ScopeRow[]> {
    return [...this.#scopes.values()]
      .filter(({ scope }) => after === undefined || byBytes(scope, after) > 0)
      .sort((a, b) => byBytes(a.scope, b.scope))
      .slice(0, Math.max(0, limit));
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

  async observations(
    { scope, outcomes, before, ...range }: ObservationFilter,
    { limit, first: end, by = "time", after }: ObservationPage,
  ): Promise<readonly ObservationRow[]> {
    const compared = by === "revision" ? byRevision : byObservation;
    const order = (a: ObservationKey, b: ObservationKey) => (end === "newest" ? -compared(a, b) : compared(a, b));
    return [...this.#observations.values()]
      .filter((row) => scope === undefined || row.scope === toText(scope))
      .filter(({ outcome }) => outcomes === undefined || outcomes.includes(outcome))
      .filter(({ revision, observedAt }) => (before === undefined || revision < before) && isWithin(observedAt, range))
      .sort(order)
      .filter((row) => after === undefined || order(row, after) > 0)
      .slice(0, Math.max(0, limit));
  }

  async stays(
    scope: string,
    { limit, before }: { readonly limit: number; readonly before?: bigint },
  ): Promise<readonly StayRow[]> {
    const ofScope = [...this.#observations.values()].filter((row) => row.scope === toText(scope)).sort(byRevision);
    return staysOf(ofScope)
      .filter(({ revision }) => before === undefined || revision < before)
      .toReversed()
      .slice(0, Math.max(0, limit));
  }

  async droppedBefore(): Promise<string | undefined> {
    return undefined;
  }

  async close(): Promise<void> {}
}

type ImageKey = Pick<BuildImageRow, "requestedAt" | "buildId" | "fetchId">;
type ObservationKey = Pick<ObservationRow, "observedAt" | "scope" | "revision">;

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

/** A fact never changes, and neither does its row. */
function first<Row>(old: Row): Row {
  return old;
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

function isWithin(time: string, { since, until }: { readonly [Edge in keyof TimeRange]: string | undefined }): boolean {
  return (since === undefined || time >= since) && (until === undefined || time < until);
}

function byRequest(a: ImageKey, b: ImageKey): number {
  return oldest(a.requestedAt, b.requestedAt) || byId(a.buildId, b.buildId) || byId(a.fetchId, b.fetchId);
}

function byObservation(a: ObservationKey, b: ObservationKey): number {
  return compare(a.observedAt, b.observedAt) || byBytes(a.scope, b.scope) || byRevision(a, b);
}

function byRevision(a: ObservationKey, b: ObservationKey): number {
  return compare(a.revision, b.revision);
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
