import { type Json, type ObservationRow, type ReadModel, type ScopeRow, withVersion } from "@fetch-image/core/fetching";
import type { AuditAsOf, AuditHistory, AuditObservation, AuditScope, AuditVersion } from "./answers.ts";
import { given, textIn } from "./images.ts";
import { justAfter, readRevision } from "./questions.ts";

/** The checks that were answered. */
export const answered = ["changed", "same", "vanished"] as const;

export function auditScope({ scope, type, repository, pullRepository, tag, credential, source }: ScopeRow): AuditScope {
  return given({
    scope,
    type,
    repository,
    pullRepository,
    tag,
    rule: tag === undefined ? ruleOf(source ?? {}) : undefined,
    credential: credential === "anonymous" ? null : credential,
    // The digest of a tag is its index's, whatever the platform.
    platform: tag === undefined ? platformOf(source?.["platform"]) : undefined,
    source,
  });
}

/** The newest stays of a scope, from before one of them on. */
export async function historyOf(
  row: ScopeRow,
  readModel: ReadModel,
  { limit, before }: { readonly limit: number; readonly before?: string },
): Promise<AuditHistory> {
  const page = { limit: limit + 1, ...(before === undefined ? {} : { before: readRevision(before) }) };
  const stays = await readModel.stays(row.scope, page);
  const shown = stays.slice(0, limit);
  return given({
    ...auditScope(row),
    stays: shown.map(({ outcome, tag, digest, firstObservedAt, lastObservedAt, observations, ...stay }, index) => ({
      ...given({ tag, digest }),
      vanished: outcome === "vanished",
      firstObservedAt,
      lastObservedAt,
      observations,
      firstObservedBy: { build: stay.buildId, fetch: stay.fetchId },
      current: index === 0 && before === undefined && outcome === "observed",
    })),
    before: stays.length > limit ? shown.at(-1)?.revision.toString() : undefined,
    lastCheckedAt: row.lastCheckedAt,
    lastFailure: lastFailureOf(row),
  });
}

/** What a scope said at `time`, between which observations. */
export async function asOfScope(row: ScopeRow, readModel: ReadModel, time: string): Promise<AuditAsOf> {
  const { scope } = row;
  const edge = justAfter(time);
  const [[last], [next]] = await Promise.all([
    readModel.observations({ scope, outcomes: answered, until: edge }, { limit: 1, first: "newest" }),
    readModel.observations({ scope, outcomes: answered, since: edge }, { limit: 1, first: "oldest" }),
  ]);
  const [failed] = await readModel.observations(
    { scope, outcomes: ["failed"], until: edge, ...(last === undefined ? {} : { since: justAfter(last.observedAt) }) },
    { limit: 1, first: "newest" },
  );
  const version = last === undefined || last.outcome === "vanished" ? undefined : versionOf(last);
  const repository = row.pullRepository ?? row.repository;
  return given({
    ...auditScope(row),
    time,
    known: known(last),
    version,
    image: version === undefined || repository === undefined ? undefined : withVersion(repository, version),
    last: last && auditObservation(last),
    next: next && auditObservation(next),
    sameAfter: last === undefined || next === undefined ? null : sameAnswer(last, next),
    failed: failed && failureOf(failed),
  });
}

function known(last: ObservationRow | undefined): AuditAsOf["known"] {
  if (last === undefined) return "unknown";
  return last.outcome === "vanished" ? "vanished" : "observed";
}

export function versionOf({ tag, digest }: ObservationRow): AuditVersion {
  return given({ tag, digest });
}

function auditObservation(row: ObservationRow): AuditObservation {
  const { observedAt, outcome, buildId, fetchId, host } = row;
  const by = { build: buildId, fetch: fetchId };
  return given({ ...versionOf(row), at: observedAt, vanished: outcome === "vanished", by, host });
}

function sameAnswer(a: ObservationRow, b: ObservationRow): boolean {
  const [left, right] = [a, b].map((row) => (row.outcome === "vanished" ? undefined : `${row.tag} ${row.digest}`));
  return left === right;
}

function failureOf({ observedAt, failure }: ObservationRow) {
  return { at: observedAt, code: text(failure?.["code"]), message: text(failure?.["message"]) };
}

/** Why the last check failed, where it is the last one that did. */
function lastFailureOf({ lastCheckedAt, lastFailure }: ScopeRow): string | undefined {
  if (lastFailure === undefined || lastFailure["at"] !== lastCheckedAt) return undefined;
  return textIn(lastFailure["failure"], "message");
}

/** The fields of a source without a tag that say which of all tags is meant, as far as they are there. */
function ruleOf(source: { readonly [name: string]: Json }): string {
  const fields = ["tag_regex", "created_at_sort", "variant", "semver_constraint", "pre_releases"];
  const set = fields.flatMap((name) => {
    const value = source[name];
    if (value === undefined || value === null || value === false || value === "") return [];
    return [value === true ? name : `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`];
  });
  return set.length === 0 ? "newest version tag" : set.join(", ");
}

function platformOf(platform: Json | undefined): string | undefined {
  const parts = [textIn(platform, "os"), textIn(platform, "architecture")].filter(Boolean);
  return parts.length === 0 ? undefined : parts.join("/");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
