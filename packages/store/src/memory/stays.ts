import type { ObservationRow, StayRow } from "@fetch-image/core/fetching";

/** The stays of one scope's versions, oldest first, out of its observations by revision. */
export function staysOf(observations: readonly ObservationRow[]): readonly StayRow[] {
  const stays: StayRow[] = [];
  for (const row of observations) {
    if (row.outcome === "failed") continue;
    const outcome = row.outcome === "vanished" ? "vanished" : "observed";
    const last = stays.at(-1);
    if (last?.outcome === outcome && row.outcome !== "changed")
      stays[stays.length - 1] = prolonged(last, row.observedAt);
    else stays.push(begun(row, outcome));
  }
  return stays;
}

function begun(
  { scope, revision, tag, digest, observedAt, buildId, fetchId }: ObservationRow,
  outcome: StayRow["outcome"],
): StayRow {
  return {
    scope,
    revision,
    outcome,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
    firstObservedAt: observedAt,
    lastObservedAt: observedAt,
    observations: 1,
    buildId,
    fetchId,
  };
}

/** The clocks of several nodes differ. */
function prolonged(stay: StayRow, time: string): StayRow {
  return {
    ...stay,
    firstObservedAt: time < stay.firstObservedAt ? time : stay.firstObservedAt,
    lastObservedAt: time > stay.lastObservedAt ? time : stay.lastObservedAt,
    observations: stay.observations + 1,
  };
}
