import {
  buildStreamPrefix,
  type Clock,
  type EventFilter,
  type EventLog,
  parseTime,
  type Position,
  type ReadModel,
  type RecordedFact,
  scopeStreamPrefix,
} from "@fetch-image/core/fetching";

/** What is projected. */
export const projectedStreams: EventFilter = { streamPrefixes: [buildStreamPrefix, scopeStreamPrefix] };

/** How far a read model is behind its event log. */
export interface ProjectionLag {
  /** Facts that are stored and not projected; at least so many where `more` is true. */
  readonly facts: number;
  readonly more: boolean;
  /** How long ago the oldest of them was made, by the clock of whoever made it; milliseconds. */
  readonly oldestAgeMs?: number;
  /** Up to where is projected; absent where nothing is. */
  readonly checkpoint?: Position;
}

/**
 * Counts what stands in the log behind the read model's checkpoint, which every projector of the read model moves, on
 * whichever node. Reads what it counts: `countUpTo`, by default 1000, bounds that.
 */
export async function projectionLag(
  { eventLog, readModel, clock }: { readonly eventLog: EventLog; readonly readModel: ReadModel; readonly clock: Clock },
  { countUpTo = 1000 }: { readonly countUpTo?: number } = {},
): Promise<ProjectionLag> {
  const checkpoint = await readModel.checkpoint();
  let after = checkpoint;
  let facts = 0;
  let oldest: number | undefined;
  let more = true;
  while (more && facts < countUpTo) {
    const limit = Math.min(pageSize, countUpTo - facts);
    const page = await eventLog.readAll({ ...(after === undefined ? {} : { after }), filter: projectedStreams, limit });
    oldest ??= timeOf(page.facts[0]);
    facts += page.facts.length;
    after = page.next;
    more = !page.end && page.next !== undefined;
  }
  return {
    facts,
    more,
    ...(oldest === undefined ? {} : { oldestAgeMs: Math.max(0, clock.now() - oldest) }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
}

const pageSize = 1000;

function timeOf(fact: RecordedFact | undefined): number | undefined {
  const stamp = fact?.metadata["time"];
  const time = typeof stamp === "string" ? parseTime(stamp) : Number.NaN;
  return Number.isFinite(time) ? time : undefined;
}
