import type { EventLog, ReadModel } from "@fetch-image/core";
import { expect, test } from "vitest";

/** An adapter that a contract suite is run against. */
export interface UnderTest<Port> {
  /** Gives the port on an empty store of its own. */
  open(): Promise<Port>;
  /** Why the adapter cannot be tested on this machine; its tests are then skipped and counted, with this reason. */
  readonly missing?: string | undefined;
  /** Where the adapter does not do what the others do: the tests then hold it to what it does instead. */
  readonly differences?: Differences;
}

export interface Differences {
  /** The largest append it takes, in bytes; a larger one is refused with `FI_APPEND_INVALID`. */
  readonly maxAppendBytes?: number;
  /** It takes a fact whose id stands in the store already, unless it stands where the fact would. */
  readonly takesKnownIds?: boolean;
}

export type EventLogUnderTest = UnderTest<EventLog>;
export type ReadModelUnderTest = UnderTest<ReadModel>;

/** Defines a test that gets an open port, and closes it whatever happens. */
export type Check<Port> = (name: string, body: (port: Port) => Promise<void>, timeoutMs?: number) => void;

/** The tests of one area of a port: `define` registers them. */
export function contract<Port extends { close(): Promise<void> }>(
  area: string,
  adapter: UnderTest<Port>,
  define: (check: Check<Port>, differences: Differences) => void,
): void {
  define((title, body, timeoutMs) => {
    test(
      `${area}: ${title}`,
      async ({ skip }) => {
        if (adapter.missing !== undefined) skip(adapter.missing);
        expect.hasAssertions();
        const port = await adapter.open();
        try {
          await body(port);
        } finally {
          await port.close();
        }
      },
      timeoutMs,
    );
  }, adapter.differences ?? {});
}
