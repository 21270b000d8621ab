import { setTimeout as later } from "node:timers/promises";
import { buildStream, decodeBuildFact, type EventLog, followSetbacks, parseTime } from "@fetch-image/core";

interface SetbacksToTell {
  readonly eventLog: EventLog;
  readonly buildId: string;
  /** What the build met before was told by the run that it was met in; milliseconds since the epoch. */
  readonly since: number;
  readonly tell: (setback: string) => void;
}

/** A run that is over by then looks at nothing. */
const lookEveryMs = 1000;

/** Tells why a build's fetches take long, until `end`: what else a run prints comes when they have ended. */
export function tellSetbacks({ eventLog, buildId, since, tell }: SetbacksToTell): { end(): Promise<void> } {
  const over = new AbortController();
  const telling = (async () => {
    const follower = followSetbacks();
    let from = 0n;
    for (;;) {
      await later(lookEveryMs, undefined, { signal: over.signal });
      for (const recorded of await eventLog.read(buildStream(buildId), { from })) {
        from = recorded.revision + 1n;
        const decoded = decodeBuildFact(recorded);
        const setback = decoded.known ? follower.next(decoded.fact) : undefined;
        if (setback !== undefined && decoded.known && parseTime(decoded.fact.metadata.time) >= since) tell(setback);
      }
    }
  })();
  // It was ended, or the store is away: that is for the fetches themselves to say.
  const ended = telling.catch(() => undefined);
  return {
    async end() {
      over.abort();
      await ended;
    },
  };
}
