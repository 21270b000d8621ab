/**
 * Runs what is handed in before the end of this turn of the event loop, all in one go, so that the appends of builds and
 * scopes that come from one turn reach the store together and share a transaction. No timers.
 */
export interface Ticker {
  soon(run: () => void): void;
}

export function createTicker(): Ticker {
  let waiting: (() => void)[] = [];
  return {
    soon(run) {
      waiting.push(run);
      if (waiting.length > 1) return;
      setImmediate(() => {
        const runs = waiting;
        waiting = [];
        for (const each of runs) each();
      });
    },
  };
}
