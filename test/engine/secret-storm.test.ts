// Many passwords of one scope on three nodes whose store loses answers, refuses, is full and slow. FETCH_IMAGE_SEED replays a run.
import { FetchImageError, scopeStreamPrefix } from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Random, randomOf } from "../fuzz/random.ts";
import { seedFromEnv } from "../properties/seed.ts";
import { typePlans } from "../support/engine.ts";
import { node, type PrivateGround, privateGround, repository, scopeFactsOf } from "../support/private-scope.ts";

interface Fetched {
  readonly secret: string;
  /** What it ended with: `ok`, or an error's code; undefined while it has not. */
  outcome: string | undefined;
}

const secrets = Array.from({ length: 25 }, (_, index) => (index % 5 === 0 ? `guess ${index}` : `token ${index}`));
const isTaken = (secret: string) => secret.startsWith("token");

/** Makes the ground's store bad for scopes, until it is told to be calm; tells what a node sent before it was answered. */
function badStore({ eventLog, clock }: PrivateGround, random: Random) {
  const seen = { isCalm: false, overlaps: 0 };
  const delay = (ms: number) => new Promise<void>((resolve) => clock.after(random.below(ms), resolve));
  const chance = () => (seen.isCalm ? 1000 : random.below(1000));
  const append = eventLog.append.bind(eventLog);
  const read = eventLog.read.bind(eventLog);
  const underWay = new Set<unknown>();
  eventLog.append = async (...appending) => {
    const [stream, , [first]] = appending;
    if (!stream.startsWith(scopeStreamPrefix)) return await append(...appending);
    const writer = first?.metadata["node"];
    if (underWay.has(writer)) seen.overlaps++;
    underWay.add(writer);
    try {
      await delay(60);
      const fault = chance();
      if (fault < 100) throw new FetchImageError("FI_STORE_UNAVAILABLE");
      if (fault < 200) {
        await append(...appending).catch(() => {});
        await delay(500);
        throw new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN");
      }
      if (fault < 250) throw new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN");
      if (fault < 270) throw new FetchImageError("FI_STORE_FULL");
      if (fault < 290) await delay(7000);
      return await append(...appending);
    } finally {
      underWay.delete(writer);
    }
  };
  eventLog.read = async (...reading) => {
    if (!reading[0].startsWith(scopeStreamPrefix)) return await read(...reading);
    await delay(40);
    if (chance() < 50) throw new FetchImageError("FI_STORE_UNAVAILABLE");
    return await read(...reading);
  };
  return seen;
}

test("whatever the store does, each fetch ends, nobody is told what he may not see, and nothing is written twice or beside", async () => {
  const ended = new Map<string | undefined, number>();
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const random = randomOf(seed);
      const its = privateGround({ settings: { claimMs: 3000, storePatienceMs: 4000, attempts: 4 } });
      for (const secret of secrets.filter(isTaken)) its.taken.add(secret);
      const engines = [its.engine, node(its, "b"), node(its, "c")];
      const store = badStore(its, random);
      const fetches: Fetched[] = [];
      const fetchBy = async (secret: string) => {
        const fetched: Fetched = { secret, outcome: undefined };
        fetches.push(fetched);
        const controller = new AbortController();
        if (!store.isCalm && random.below(7) === 0) its.clock.after(random.below(2000), () => controller.abort());
        const source = { repository, tag: "v1", username: "ci", password: secret };
        const plans = { ...typePlans("2", source, { skip: random.below(10) === 0 }), privileged: false };
        const build = await random.pick(engines).openBuild({ id: `${fetches.length}` });
        const ending = build.fetchImage({ ...plans, signal: controller.signal });
        fetched.outcome = await ending.then(() => "ok", codeOf);
        ended.set(fetched.outcome, (ended.get(fetched.outcome) ?? 0) + 1);
      };
      for (let step = 0; step < 20; step++) {
        for (let each = 0; each < 8; each++) void fetchBy(random.pick(secrets));
        await its.clock.advance(random.below(700));
      }
      store.isCalm = true;
      await its.clock.advance(400_000);
      const stormy = fetches.length;
      for (const secret of secrets.filter(isTaken)) void fetchBy(secret);
      await its.clock.advance(100_000);
      expect(fetches.filter(({ outcome }) => outcome === undefined)).toEqual([]);
      expect(fetches.filter(({ secret, outcome }) => !isTaken(secret) && outcome === "ok")).toEqual([]);
      expect(fetches.slice(stormy).filter(({ outcome }) => outcome !== "ok")).toEqual([]);
      expect(store.overlaps).toBe(0);
      const news = (await scopeFactsOf(its)).flatMap((fact) => (fact.type === "VersionObserved" ? [fact.data] : []));
      // Nothing was pushed meanwhile: of all answers the first alone is news.
      expect(news.map(({ changed }) => changed)).toEqual(news.map((_, index) => index === 0));
      await Promise.all(engines.map((engine) => engine.close()));
    }),
    { seed: seedFromEnv(), numRuns: 20 },
  );
  // What the storm is for did happen.
  expect([...ended.keys()]).toEqual(expect.arrayContaining(["ok", "FI_UNAUTHORIZED", "FI_ABORTED"]));
});

function codeOf(error: unknown): string {
  if (!FetchImageError.is(error)) return String(error);
  return FetchImageError.is(error.cause) ? error.cause.code : error.code;
}
