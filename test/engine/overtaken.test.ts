// What goes on though something else has come before it: questions in whose place another was begun, answers that are older
// than what stands. Nothing of it outlives whom it was for.
import { evolveScope, FetchImageError, unknownScope } from "@fetch-image/core";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { typePlans } from "../support/engine.ts";
import {
  fetchBy,
  host,
  node,
  type PrivateGround,
  privateGround,
  repository,
  scopeFactsOf,
} from "../support/private-scope.ts";

const settings = { claimMs: 3000 };

/** A ground whose registry answers nobody: checks end as they are failed, or given up. */
function silentGround() {
  const its = privateGround({ settings });
  const asked: { readonly fail: () => void }[] = [];
  its.registry.check = (_source, { signal }) =>
    new Promise((_resolve, reject) => {
      const giveUp = () => {
        reject(new FetchImageError("FI_ABORTED"));
      };
      if (signal.aborted) giveUp();
      signal.addEventListener("abort", giveUp);
      asked.push({ fail: () => reject(new FetchImageError("FI_REGISTRY_UNREACHABLE", { details: { host } })) });
    });
  return { ...its, asked };
}

/** As {@link fetchBy}, until it is called off. */
async function fetchUntil(its: PrivateGround, buildId: string): Promise<AbortController> {
  const caller = new AbortController();
  const build = await its.engine.openBuild({ id: buildId });
  const plans = typePlans("2", { repository, tag: "v1", username: "ci", password: "right" });
  build.fetchImage({ ...plans, privileged: false, signal: caller.signal }).catch(() => {});
  return caller;
}

describe("a question that follows another node's claim, whose fetch comes back here and asks anew in its place,", () => {
  async function overtaken() {
    const its = silentGround();
    const other = node(its, "b", { settings });
    fetchBy(other, "moved", "right").catch(() => {});
    await its.clock.advance(300);
    const follower = await fetchUntil(its, "follower");
    await its.clock.advance(600);
    const moved = await fetchUntil(its, "moved");
    await its.clock.advance(1000);
    return { ...its, other, follower, moved };
  }

  test("ends with its engine: nothing is read any more", async () => {
    const its = await overtaken();
    let reads = 0;
    const read = its.eventLog.read.bind(its.eventLog);
    its.eventLog.read = (...reading) => {
      reads++;
      return read(...reading);
    };
    const closing = its.engine.close();
    await its.clock.advance(1000);
    await closing;
    await its.other.close();
    // The claim that it follows runs out.
    await its.clock.advance(10_000);
    reads = 0;
    for (let turns = 0; turns < 100; turns++) await turn();
    expect(reads).toBe(0);
  });

  test("is given up with who waits for it: the registry is asked for nobody", async () => {
    const its = await overtaken();
    its.follower.abort();
    its.moved.abort();
    await its.other.close();
    const before = its.asked.length;
    await its.clock.advance(10_000);
    expect(its.asked.length).toBe(before);
    expect(claimers(await scopeFactsOf(its))).toEqual(["moved", "moved"]);
  });

  test("asks for who still waits for it when the claim has run out", async () => {
    const its = await overtaken();
    its.moved.abort();
    await its.other.close();
    await its.clock.advance(3000);
    expect(claimers(await scopeFactsOf(its))).toEqual(["moved", "moved", "follower"]);
  });
});

describe("a check's failure that is older than a late one of another node, whose claim has run out,", () => {
  test("is not recorded, and leaves no claim", async () => {
    const its = silentGround();
    const other = node(its, "b", { settings });
    const [late, mine] = [fetchBy(other, "late", "right"), fetchBy(its.engine, "mine", "right")];
    for (const fetch of [late, mine]) fetch.catch(() => {});
    await its.clock.advance(4000);
    expect(claimers(await scopeFactsOf(its))).toHaveLength(2);
    // The failure of the second who asked is on its way to the store while that of the first is stored.
    const append = its.eventLog.append.bind(its.eventLog);
    let isHeld = true;
    its.eventLog.append = async (stream, expected, facts) => {
      if (facts[0]?.type === "CheckFailed" && isHeld) {
        isHeld = false;
        its.asked[0]?.fail();
        await its.clock.settle();
      }
      return append(stream, expected, facts);
    };
    its.asked[1]?.fail();
    await its.clock.advance(500);
    const facts = await scopeFactsOf(its);
    expect(facts.map(({ type }) => type)).toEqual(["CheckClaimed", "CheckClaimed", "CheckFailed", "CheckFailed"]);
    expect(facts.map(({ metadata }) => metadata.node)).toEqual(["b", "a", "b", "a"]);
    expect(facts[3]?.data).toMatchObject({ failure: { code: "FI_ABORTED" }, asker: asker(facts[1]) });
    const state = facts.reduce(evolveScope, unknownScope);
    expect([state.claim, state.failure?.failure.code]).toEqual([null, "FI_REGISTRY_UNREACHABLE"]);
  });
});

type Facts = Awaited<ReturnType<typeof scopeFactsOf>>;

/** Which builds claimed, in order. */
function claimers(facts: Facts): readonly (string | undefined)[] {
  return facts.filter(({ type }) => type === "CheckClaimed").map((fact) => asker(fact)?.buildId);
}

function asker(fact: Facts[number] | undefined) {
  return fact === undefined || fact.type === "RateLimitObserved" ? undefined : fact.data.asker;
}
