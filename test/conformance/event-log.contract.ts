import { describe, expect, test } from "vitest";
import { appendContract } from "./event-log/appends.ts";
import { concurrencyContract } from "./event-log/concurrency.ts";
import { expectModelled } from "./event-log/model.ts";
import { payloadContract } from "./event-log/payloads.ts";
import { readContract } from "./event-log/reads.ts";
import { subscriptionContract } from "./event-log/subscriptions.ts";
import { contract, type EventLogUnderTest } from "./under-test.ts";

/** Everything that packages/core/src/ports/event-log.ts promises, of one adapter. */
export function eventLogContract(
  name: string,
  adapter: EventLogUnderTest,
  options: { readonly modelRuns: number },
): void {
  describe(`the event log of ${name}`, () => {
    contract("appends", adapter, appendContract);
    contract("payloads", adapter, payloadContract);
    contract("reads", adapter, readContract);
    contract("concurrency", adapter, concurrencyContract);
    contract("subscriptions", adapter, subscriptionContract);
    test("random appends have the outcomes of a model made of lists", async ({ skip }) => {
      if (adapter.missing !== undefined) skip(adapter.missing);
      expect.hasAssertions();
      await expectModelled(adapter, options.modelRuns);
    });
  });
}
