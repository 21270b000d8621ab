// Passwords that are new for every job: hundreds of them ask for one scope at once, on a slow store, on several nodes, and are
// all served. What they cost the store is what they write, not its square. See docs/decisions/0023.
import { type EventLog, FetchImageError, scopeStreamPrefix } from "@fetch-image/core";
import { describe, expect, test, vi } from "vitest";
import { factTypesOf, typePlans } from "../support/engine.ts";
import {
  fetchBy,
  node,
  type PrivateGround,
  privateGround,
  repository,
  scopeFactsOf,
} from "../support/private-scope.ts";

/** What is asked of the store for scopes' streams. */
interface Watched extends PrivateGround {
  readonly appends: { readonly begun: number; readonly refused: number };
  /** How many facts were read. */
  readonly read: number;
}

/** The ground, on a store that takes `delayMs` of the simulated time for whatever is asked of a scope's stream. */
function watchedGround(delayMs: number, options: Parameters<typeof privateGround>[0] = {}): Watched {
  const its = privateGround(options);
  const { eventLog, clock } = its;
  const seen = { appends: { begun: 0, refused: 0 }, read: 0 };
  const delay = () => (delayMs === 0 ? undefined : new Promise<void>((resolve) => clock.after(delayMs, resolve)));
  const append = eventLog.append.bind(eventLog);
  const read = eventLog.read.bind(eventLog);
  eventLog.append = async (stream, ...appending) => {
    if (!stream.startsWith(scopeStreamPrefix)) return await append(stream, ...appending);
    seen.appends.begun++;
    await delay();
    try {
      return await append(stream, ...appending);
    } catch (error) {
      seen.appends.refused++;
      throw error;
    }
  };
  eventLog.read = async (stream, ...reading): ReturnType<EventLog["read"]> => {
    if (!stream.startsWith(scopeStreamPrefix)) return await read(stream, ...reading);
    await delay();
    const facts = await read(stream, ...reading);
    seen.read += facts.length;
    return facts;
  };
  return Object.assign(seen, its);
}

function tokens(its: PrivateGround, count: number): readonly string[] {
  const made = Array.from({ length: count }, (_, job) => `token of job ${job}`);
  for (const password of made) its.taken.add(password);
  return made;
}

async function countOf(its: PrivateGround, type: string): Promise<number> {
  return (await scopeFactsOf(its)).filter((fact) => fact.type === type).length;
}

describe("many passwords of one scope at once", () => {
  test("ask once for each, and no append is refused", async () => {
    const its = watchedGround(0);
    const jobs = tokens(its, 100);
    const fetches = jobs.map((password) => fetchBy(its.engine, password, password));
    await its.clock.advance(10_000);
    for (const imageURL of await Promise.all(fetches)) expect(imageURL).toContain(its.digest);
    expect([its.shown.length, its.appends.refused]).toEqual([100, 0]);
    await vi.waitFor(async () => {
      expect(await countOf(its, "VersionObserved")).toBe(100);
    });
  });

  test("are all served by a slow store, with one claim each: its time runs from when it is written", async () => {
    const its = watchedGround(100, { settings: { claimMs: 1000 } });
    const jobs = tokens(its, 700);
    const fetches = Promise.all(jobs.map((password) => fetchBy(its.engine, password, password)));
    await its.clock.advance(10_000);
    for (const imageURL of await fetches) expect(imageURL).toContain(its.digest);
    expect([its.shown.length, await countOf(its, "CheckClaimed")]).toEqual([700, 700]);
    expect(its.appends.begun).toBeLessThan(100);
  });

  test("on several nodes refuse each other's appends now and then, and still claim and ask once each", async () => {
    const its = watchedGround(10);
    const engines = [its.engine, ...["b", "c", "d"].map((name) => node(its, name))];
    const jobs = tokens(its, 200);
    const fetches = jobs.map((password, job) => fetchBy(engines[job % 4] ?? its.engine, password, password));
    const all = Promise.all(fetches);
    await its.clock.advance(10_000);
    for (const imageURL of await all) expect(imageURL).toContain(its.digest);
    expect([its.shown.length, await countOf(its, "CheckClaimed")]).toEqual([200, 200]);
    expect(its.appends.refused).toBeGreaterThan(0);
    expect(its.appends.refused).toBeLessThan(40);
  });

  test("are told of one change of the scope's version, however many are told it in one append", async () => {
    const its = watchedGround(50);
    const fetches = tokens(its, 40).map((password) => fetchBy(its.engine, password, password));
    await its.clock.advance(5000);
    await Promise.all(fetches);
    const observed = (await scopeFactsOf(its)).flatMap((fact) => (fact.type === "VersionObserved" ? [fact.data] : []));
    expect(observed.map(({ changed }) => changed)).toEqual([true, ...Array<boolean>(39).fill(false)]);
  });
});

describe("passwords of one scope, one after another", () => {
  test("read its stream once, not once each", async () => {
    const its = watchedGround(0);
    for (const password of tokens(its, 200)) await fetchBy(its.engine, password, password);
    expect(its.shown).toHaveLength(200);
    expect(its.read).toBeLessThan(400);
  });

  test("are remembered up to a thousand: by the one that was used longest ago it is asked once more", async () => {
    const its = watchedGround(0);
    await fetchBy(its.engine, "first", "right");
    for (const password of tokens(its, 500)) await fetchBy(its.engine, password, password);
    await fetchBy(its.engine, "by hand", "right", { skip: true });
    const others = Array.from({ length: 600 }, (_, job) => `another ${job}`);
    for (const password of others) its.taken.add(password);
    for (const password of others) await fetchBy(its.engine, password, password);
    const asked = its.shown.length;
    await fetchBy(its.engine, "again", "right");
    await fetchBy(its.engine, "again another", "another 599");
    expect(its.shown).toHaveLength(asked);
    await fetchBy(its.engine, "again the first", "token of job 0");
    expect(its.shown.slice(asked)).toEqual(["token of job 0"]);
  });
});

describe("who waits for his turn to write", () => {
  test("and has gone by then writes nothing, and keeps nobody waiting", async () => {
    const its = watchedGround(1000);
    const gone = tokens(its, 300).map(async (password) => {
      const build = await its.engine.openBuild({ id: password });
      const controller = new AbortController();
      const plans = typePlans("2", { repository, tag: "v1", username: "ci", password });
      const fetch = build.fetchImage({ ...plans, privileged: false, signal: controller.signal });
      fetch.catch(() => {});
      return { controller, fetch };
    });
    const aborted = await Promise.all(gone);
    // The scope is read, and the first of them are at the store.
    await its.clock.advance(1500);
    for (const { controller } of aborted) controller.abort();
    const staying = fetchBy(its.engine, "stays", "right");
    for (const { fetch } of aborted) await expect(fetch).rejects.toMatchObject({ code: "FI_ABORTED" });
    await its.clock.advance(5000);
    expect(await staying).toContain(its.digest);
    expect(its.shown).toEqual(["right"]);
    expect(await countOf(its, "CheckClaimed")).toBeLessThan(60);
    expect(await factTypesOf(its.eventLog, "token of job 299")).not.toContain("ImageChecked");
  });

  test("writes nothing any more once the engine is closed", async () => {
    const its = watchedGround(1000);
    const fetches = tokens(its, 300).map((password) => fetchBy(its.engine, password, password));
    const ended = Promise.allSettled(fetches);
    await its.clock.advance(1500);
    const closing = its.engine.close();
    const { begun } = its.appends;
    await its.clock.advance(60_000);
    await closing;
    await ended;
    expect([begun, its.appends.begun]).toEqual([1, 1]);
  });

  test("gives a store that is away up together with all who came with him", async () => {
    const its = privateGround({ settings: { storePatienceMs: 5000, attempts: 1 } });
    const away = storeAway(its);
    const fetches = ["right", "two", "three", "four"].map((password) => fetchBy(its.engine, password, password));
    const ended = Promise.allSettled(fetches);
    await its.clock.advance(8000);
    away.ends();
    const outcomes = await Promise.race([ended, its.clock.settle().then(() => "still waiting")]);
    expect(outcomes).toHaveLength(4);
    expect(await fetchBy(its.engine, "later", "right")).toContain(its.digest);
  });

  test("while the store is away is as patient as who came first, from when he came", async () => {
    const its = privateGround({ settings: { storePatienceMs: 5000, attempts: 1 } });
    its.taken.add("two");
    const away = storeAway(its);
    const first = fetchBy(its.engine, "first", "right");
    await its.clock.advance(4000);
    const second = fetchBy(its.engine, "second", "two");
    await its.clock.advance(3000);
    await expect(first).rejects.toMatchObject({ cause: { code: "FI_STORE_UNAVAILABLE" } });
    away.ends();
    await its.clock.advance(3000);
    expect(await second).toContain(its.digest);
  });

  test("behind many on a slow store outlives a short absence of it: it has answered since he came", async () => {
    const its = watchedGround(1000, { settings: { storePatienceMs: 5000, attempts: 1 } });
    const fetches = Promise.all(tokens(its, 600).map((password) => fetchBy(its.engine, password, password)));
    await its.clock.advance(8000);
    const away = storeAway(its);
    await its.clock.advance(1000);
    away.ends();
    await its.clock.advance(60_000);
    for (const imageURL of await fetches) expect(imageURL).toContain(its.digest);
  });
});

/** The store takes nothing for scopes until it ends. */
function storeAway({ eventLog }: PrivateGround): { ends(): void } {
  const append = eventLog.append.bind(eventLog);
  let isAway = true;
  eventLog.append = (stream, ...appending) => {
    if (isAway && stream.startsWith(scopeStreamPrefix))
      return Promise.reject(new FetchImageError("FI_STORE_UNAVAILABLE"));
    return append(stream, ...appending);
  };
  return {
    ends() {
      isAway = false;
    },
  };
}
