import { isDigest, type ObservationRow, type ReadModel, type ScopeRow } from "@fetch-image/core/fetching";
import type { AuditMove, AuditPage } from "./answers.ts";
import { answered, auditScope, versionOf } from "./histories.ts";
import { askedLimit, askedRange, askedTag, askedTime, pageMark, readPageMark, readRevision } from "./questions.ts";

export interface DriftQuery {
  /** From this time on. */
  readonly since?: string;
  /** Before this time. */
  readonly until?: string;
  /** Only this repository, or this tag of it. */
  readonly reference?: string;
  readonly limit?: number;
  /** `next` of the page before. */
  readonly page?: string;
}

/** How many rows are looked at for a page, at most: most are moves, but not of the one that is asked for. */
const looked = 500;
/** How many moves are looked into at the same time. */
const atOnce = 16;

type Place = Pick<ObservationRow, "observedAt" | "scope" | "revision">;

/** The tags that moved, the oldest move first. A first observation is no move. */
export async function driftPage(query: DriftQuery, readModel: ReadModel): Promise<AuditPage<AuditMove>> {
  const limit = askedLimit(query.limit);
  const range = askedRange(query);
  const scopes = new Map<string, ScopeRow | undefined>();
  if (query.reference !== undefined) {
    for (const row of await readModel.scopes(askedTag(query.reference))) scopes.set(row.scope, row);
    if (scopes.size === 0) return { rows: [] };
  }
  const only = query.reference !== undefined;
  const [one] = scopes.keys();
  const filter = {
    ...range,
    outcomes: ["changed", "vanished"] as const,
    // One scope's own index is the better one.
    ...(only && scopes.size === 1 && one !== undefined ? { scope: one } : {}),
  };
  const scopeOf = async (scope: string): Promise<ScopeRow | undefined> => {
    if (!scopes.has(scope)) scopes.set(scope, await readModel.scope(scope));
    return scopes.get(scope);
  };
  let after: Place | undefined = query.page === undefined ? undefined : readPlace(query.page);
  const moves: AuditMove[] = [];
  for (;;) {
    const page = { limit: looked, first: "oldest", ...(after && { after }) } as const;
    const all = await readModel.observations(filter, page);
    const rows = only ? all.filter(({ scope }) => scopes.has(scope)) : all;
    for (let from = 0; from < rows.length; from += atOnce) {
      const some = rows.slice(from, from + atOnce);
      const found = await Promise.all(some.map(async (row) => await moveOf(row, await scopeOf(row.scope), readModel)));
      for (const [index, move] of found.entries()) {
        after = some[index];
        if (move === undefined) continue;
        moves.push(move);
        if (moves.length === limit && after !== undefined) return { rows: moves, next: place(after) };
      }
    }
    if (all.length < looked) return { rows: moves };
    after = all.at(-1);
  }
}

/** Undefined where nothing had been there before, or nothing was there before either. */
async function moveOf(
  row: ObservationRow,
  scope: ScopeRow | undefined,
  readModel: ReadModel,
): Promise<AuditMove | undefined> {
  const before = async (outcomes: readonly ObservationRow["outcome"][]): Promise<ObservationRow | undefined> => {
    const filter = { scope: row.scope, before: row.revision, outcomes };
    const [found] = await readModel.observations(filter, { limit: 1, first: "newest", by: "revision" });
    return found;
  };
  const previous = await before(answered);
  if (previous === undefined || (previous.outcome === "vanished" && row.outcome === "vanished")) return undefined;
  const seen = previous.outcome === "vanished" ? await before(["changed", "same"]) : previous;
  if (seen === undefined) return undefined;
  const moved = previous.outcome === "vanished" ? "returned" : "moved";
  return {
    ...auditScope(scope ?? { scope: row.scope }),
    kind: row.outcome === "vanished" ? "vanished" : moved,
    from: { ...versionOf(seen), lastObservedAt: seen.observedAt },
    to: row.outcome === "vanished" ? null : versionOf(row),
    observedAt: row.observedAt,
    observedBy: { build: row.buildId, fetch: row.fetchId },
    firstBuild: await firstBuild(row, previous, readModel),
  };
}

/**
 * The first image that ran the version on the strength of this observation or a later one of the same stay. Who asked
 * before the tag was last seen elsewhere cannot be it.
 */
async function firstBuild(
  { scope, digest = "", observedAt }: ObservationRow,
  previous: ObservationRow,
  readModel: ReadModel,
): Promise<AuditMove["firstBuild"]> {
  if (!isDigest(digest)) return null;
  let after: { requestedAt: string; buildId: string; fetchId: string } | undefined;
  const since = previous.observedAt < observedAt ? previous.observedAt : observedAt;
  for (;;) {
    const page = { limit: 100, first: "oldest", ...(after && { after }) } as const;
    const images = await readModel.images({ scope, digest, ran: true, since }, page);
    const found = images.find((image) => (image.observedAt ?? "") >= observedAt);
    if (found !== undefined) {
      const { buildId, fetchId, requestedAt } = found;
      return { build: buildId, fetch: fetchId, ...(requestedAt === undefined ? {} : { requestedAt }) };
    }
    const last = images.at(-1);
    if (images.length < page.limit || last?.requestedAt === undefined) return null;
    after = { requestedAt: last.requestedAt, buildId: last.buildId, fetchId: last.fetchId };
  }
}

function place({ observedAt, scope, revision }: Place): string {
  return pageMark([observedAt, scope, String(revision)]);
}

function readPlace(mark: string): Place {
  const [observedAt = "", scope = "", revision = "0"] = readPageMark(mark, 3);
  return { observedAt: askedTime(observedAt), scope, revision: readRevision(revision) };
}
