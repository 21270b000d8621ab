import { type BuildFactData, type FetchState, formatTime, isFinished, stateName } from "@fetch-image/core";
import type { FetchSummary } from "../../../src/fetches/fetch-summary.ts";
import type { BuildHistory } from "./history.ts";

export type { FetchSummary };

/** The fetches of a build that was read from a file. */
export function summariesOf(history: BuildHistory): readonly FetchSummary[] {
  const { opened, fetches } = history.state;
  if (opened === null) return [];
  return [...fetches].map(([fetchId, state]) => {
    const entries = history.tracks.get(fetchId)?.entries ?? [];
    const [first, last] = [entries[0], entries.at(-1)].map((index) => history.entries[index ?? 0]?.at ?? 0);
    return summaryOf(opened, state, { first: first ?? 0, last: last ?? 0 });
  });
}

function summaryOf(
  { buildId, team, pipeline, job }: BuildFactData<"BuildOpened">,
  state: FetchState,
  { first, last }: { readonly first: number; readonly last: number },
): FetchSummary {
  const { request, attempt, asker } = state.snapshot.context;
  const { resolved, failure, timer } = state;
  const name = stateName(state);
  const digest = resolved?.version["digest"];
  return {
    build: buildId,
    fetch: request.fetchId,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
    plan: request.planId,
    step: request.planId,
    kind: request.kind,
    name: request.name,
    type: request.type,
    ...(request.repository === undefined ? {} : { image: withTag(request.repository, request.tag) }),
    state: name,
    since: formatTime(last),
    requestedAt: formatTime(first),
    ...(isFinished(state) ? { endedAt: formatTime(last) } : {}),
    ...(digest === undefined ? {} : { digest }),
    ...(resolved?.reference === undefined ? {} : { reference: resolved.reference }),
    ...(resolved === null ? {} : { via: resolved.via }),
    ...(name === "waiting" && asker !== null ? { waitsFor: { build: asker.buildId, fetch: asker.fetchId } } : {}),
    attempt,
    ...(timer === null ? {} : { timer: { name: timer.name, dueAt: formatTime(timer.dueAt) } }),
    ...(resolved?.via === "stale-served" ? { stale: { ageMs: resolved.ageMs ?? 0 } } : {}),
    ...(failure === null ? {} : { failure: { code: failure.code, message: failure.message } }),
    facts: state.facts,
  };
}

function withTag(repository: string, tag: string | undefined): string {
  return tag === undefined ? repository : `${repository}:${tag}`;
}
