import { setTimeout as sleep } from "node:timers/promises";
import type { EventFilter, EventLog, Position } from "@fetch-image/core";
import { expect } from "vitest";
import { codeOf, idsOf, someFacts } from "../facts.ts";
import { follow } from "../follower.ts";
import type { Check } from "../under-test.ts";

/** Catching up, living on, filters, resuming, ending. */
export function subscriptionContract(check: Check<EventLog>): void {
  check("a subscription to an empty log is caught up at once, then gives what comes", async (eventLog) => {
    const follower = follow(eventLog);
    await follower.caughtUp();
    expect(follower.messages).toEqual([{ kind: "caught-up", position: undefined }]);
    const facts = someFacts(2);
    await eventLog.append("build-1", "no-stream", facts);
    await follower.reached(2);
    await follower.stop();
    expect(idsOf(follower.facts)).toEqual(idsOf(facts));
  });

  check("it gives what is there, says when that is all, and goes on with what comes", async (eventLog) => {
    await fill(eventLog, 1300);
    const follower = follow(eventLog);
    await follower.caughtUp();
    expect(follower.facts).toHaveLength(1300);
    const [marker] = follower.messages.slice(-1);
    expect(marker).toEqual({ kind: "caught-up", position: follower.facts.at(-1)?.position });
    expect(follower.messages.findIndex(({ kind }) => kind === "caught-up")).toBe(1300);
    const late = someFacts(3);
    await eventLog.append("late", "no-stream", late);
    await follower.reached(1303);
    await follower.caughtUp(2);
    await follower.stop();
    expect(idsOf(follower.facts.slice(1300))).toEqual(idsOf(late));
    expect(idsOf((await eventLog.readAll({ limit: 2000 })).facts)).toEqual(idsOf(follower.facts));
  });

  check("it resumes after any position, and repeats nothing", async (eventLog) => {
    await fill(eventLog, 20);
    const { facts } = await eventLog.readAll({ limit: 100 });
    for (const index of [0, 7, 18, 19]) {
      const position = facts[index]?.position ?? "";
      const follower = follow(eventLog, { after: position });
      await follower.caughtUp();
      await follower.stop();
      expect(idsOf(follower.facts)).toEqual(idsOf(facts.slice(index + 1)));
    }
  });

  check("resumed again and again while facts come, it gives every fact once", async (eventLog) => {
    const writing = fill(eventLog, 200);
    const got: string[] = [];
    let after: Position | undefined;
    while (got.length < 200) {
      const follower = follow(eventLog, after === undefined ? {} : { after });
      await follower.reached(Math.min(1 + (got.length % 7), 200 - got.length));
      await follower.stop();
      got.push(...idsOf(follower.facts));
      after = follower.facts.at(-1)?.position ?? after;
    }
    await writing;
    expect(got).toEqual(idsOf((await eventLog.readAll({ limit: 1000 })).facts));
  });

  const filters: { readonly [name: string]: EventFilter } = {
    "one stream": { stream: "build-1" },
    "a prefix": { streamPrefixes: ["build-1"] },
    "a stream that comes later": { stream: "late" },
  };
  for (const [name, filter] of Object.entries(filters)) {
    check(`filtered by ${name}, it gives just those, before and after it caught up`, async (eventLog) => {
      await fill(eventLog, 700);
      const follower = follow(eventLog, { filter });
      await follower.caughtUp();
      await eventLog.append("late", "no-stream", someFacts(2));
      const [last] = await eventLog.read("build-1", { direction: "backwards", limit: 1 });
      await eventLog.append("build-1", last?.revision ?? 0n, someFacts(2));
      const wanted = (await eventLog.readAll({ limit: 1000, filter })).facts;
      await follower.reached(wanted.length);
      await follower.stop();
      expect(idsOf(follower.facts)).toEqual(idsOf(wanted));
    });
  }

  check("a slow reader misses nothing", async (eventLog) => {
    await fill(eventLog, 40);
    const got: string[] = [];
    const controller = new AbortController();
    for await (const message of eventLog.subscribe({ signal: controller.signal })) {
      if (message.kind !== "fact") continue;
      got.push(message.fact.id);
      if (got.length === 5) await fill(eventLog, 40, "more");
      if (got.length % 20 === 0) await sleep(5);
      if (got.length === 80) controller.abort();
    }
    expect(got).toEqual(idsOf((await eventLog.readAll({ limit: 1000 })).facts));
  });

  check("it ends without an error when its signal aborts, waiting or not", async (eventLog) => {
    await fill(eventLog, 600);
    const waiting = follow(eventLog);
    await waiting.caughtUp();
    await waiting.stop();
    const reading = follow(eventLog);
    await reading.reached(1);
    await reading.stop();
    const early = follow(eventLog);
    await early.stop();
    expect(early.facts).toEqual([]);
  });

  check("a reader that leaves early leaves nothing behind that keeps the log from closing", async (eventLog) => {
    await fill(eventLog, 10);
    for await (const message of eventLog.subscribe({ signal: new AbortController().signal })) {
      if (message.kind === "fact") break;
    }
    expect(await codeOf(eventLog.close())).toBe("fulfilled");
  });

  check("it rejects when the log is closed under it", async (eventLog) => {
    const follower = follow(eventLog);
    await follower.caughtUp();
    const ended = codeOf(follower.ended);
    await eventLog.close();
    expect(await ended).toBe("FI_STORE_UNAVAILABLE");
  });

  check("many subscriptions at once each get everything", async (eventLog) => {
    const followers = Array.from({ length: 20 }, () => follow(eventLog));
    await fill(eventLog, 30);
    await Promise.all(followers.map((follower) => follower.reached(30)));
    const wanted = idsOf((await eventLog.readAll({ limit: 100 })).facts);
    for (const follower of followers) {
      await follower.stop();
      expect(idsOf(follower.facts)).toEqual(wanted);
    }
  });
}

/** Writes so many facts, over ten streams, a few at a time. */
async function fill(eventLog: EventLog, count: number, prefix = "build"): Promise<void> {
  const streams = 10;
  await Promise.all(
    Array.from({ length: streams }, async (_, index) => {
      let left = Math.floor(count / streams) + (index < count % streams ? 1 : 0);
      let expected: bigint | "no-stream" = "no-stream";
      for (let size = 1; left > 0; size = size * 2 + 1) {
        const facts = someFacts(Math.min(size, left));
        expected = (await eventLog.append(`${prefix}-${index}`, expected, facts)).revision;
        left -= facts.length;
      }
    }),
  );
}
