/**
 * The end of this turn of the event loop, at which all go on in one go that wait for it, so that the appends of builds and
 * scopes that come from one turn reach the store together and share a transaction. No timers.
 */
export interface Ticker {
  /** One promise for all who ask in one turn. */
  turnEnd(): Promise<void>;
}

export function createTicker(): Ticker {
  let end: Promise<void> | undefined;
  return {
    turnEnd() {
      end ??= new Promise((resolve) => {
        setImmediate(() => {
          end = undefined;
          resolve();
        });
      });
      return end;
    },
  };
}
