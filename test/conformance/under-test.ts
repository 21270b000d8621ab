import type { EventLog, ReadModel } from "@fetch-image/core";
import { expect, test } from "vitest";

/** An adapter that a contract suite is run against. */
export interface UnderTest<Port> {
  /** Gives the port on an empty store of its own. */
  open(): Promise<Port>;
  /** Why the adapter cannot be tested on this machine; its tests are then skipped and counted, with this reason. */
  readonly missing?: string | undefined;
}

export type EventLogUnderTest = UnderTest<EventLog>;
export type ReadModelUnderTest = UnderTest<ReadModel>;

/** Defines a test that gets an open port, and closes it whatever happens. */
export type Check<Port> = (name: string, body: (port: Port) => Promise<void>, timeoutMs?: number) => void;

/** The tests of one area of a port: `define` registers them. */
export function contract<Port extends { close(): Promise<void> }>(
  area: string,
  adapter: UnderTest<Port>,
  define: (check: Check<Port>) => void,
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
  });
}
