import type {
  BuildImageRow,
  BuildRow,
  ObservationRow,
  ReadModelChanges,
  ScopeRow,
  VersionRow,
} from "../ports/read-model.ts";

/** The rows that one fact changes. */
export interface Rows {
  readonly builds?: readonly BuildRow[];
  readonly images?: readonly BuildImageRow[];
  readonly scopes?: readonly ScopeRow[];
  readonly versions?: readonly VersionRow[];
  readonly observations?: readonly ObservationRow[];
}

/** Rows merged in their order, one per key: a later field takes the place of an earlier one, and what is not given stays. */
export function changesOf(changes: readonly Rows[]): ReadModelChanges {
  return {
    builds: merged(
      changes,
      (rows) => rows.builds,
      ({ buildId }) => [buildId],
      laterFields,
    ),
    images: merged(
      changes,
      (rows) => rows.images,
      ({ buildId, fetchId }) => [buildId, fetchId],
      laterFields,
    ),
    scopes: merged(
      changes,
      (rows) => rows.scopes,
      ({ scope }) => [scope],
      laterFields,
    ),
    versions: merged(
      changes,
      (rows) => rows.versions,
      ({ scope, tag, digest }) => [scope, tag, digest],
      widerTimes,
    ),
    observations: merged(
      changes,
      (rows) => rows.observations,
      ({ scope, revision }) => [scope, String(revision)],
      laterFields,
    ),
  };
}

function merged<R>(
  changes: readonly Rows[],
  pick: (rows: Rows) => readonly R[] | undefined,
  keyOf: (row: R) => readonly string[],
  merge: (before: R, row: R) => R,
): readonly R[] {
  const found = new Map<string, R>();
  for (const rows of changes) {
    for (const row of pick(rows) ?? []) {
      const key = JSON.stringify(keyOf(row));
      const before = found.get(key);
      found.set(key, before === undefined ? row : merge(before, row));
    }
  }
  return [...found.values()];
}

function laterFields<R extends object>(before: R, row: R): R {
  return { ...before, ...row };
}

/** A version's first time stays the earliest, its last time and its order the latest: clocks of several nodes differ. */
function widerTimes(before: VersionRow, row: VersionRow): VersionRow {
  const first = least(before.firstObservedAt, row.firstObservedAt);
  const last = greatest(before.lastObservedAt, row.lastObservedAt);
  const order = greatest(before.checkOrder, row.checkOrder);
  return {
    ...before,
    ...(first === undefined ? {} : { firstObservedAt: first }),
    ...(last === undefined ? {} : { lastObservedAt: last }),
    ...(order === undefined ? {} : { checkOrder: order }),
  };
}

function least<T extends string>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

function greatest<T extends string | bigint>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}
