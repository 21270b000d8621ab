import { describe, expect, test } from "vitest";
import type { Asker, Failure, RegistryFact } from "../facts/facts.ts";
import { formatTime, parseTime } from "../facts/time.ts";
import { evolveRegistry, healthyRegistry, type RegistryState } from "./registry-state.ts";

const start = parseTime("2026-11-22T04:40:00.000Z");
const alice = { buildId: "1", fetchId: "f1/image-get" };
const bob = { buildId: "2", fetchId: "f1/image-get" };
const host = "registry.test";
const limited = { code: "FI_RATE_LIMITED", message: "too many", retryable: true };
const unavailable = { code: "FI_REGISTRY_UNAVAILABLE", message: "503", retryable: true };

describe("a registry's pause", () => {
  test("is the longest of what was in flight together, and counts once", () => {
    const state = fold([1000, failed(alice, limited, 0, 60_000)], [2000, failed(bob, unavailable, 500)]);
    expect(state.failures).toBe(1);
    expect(state.failure).toMatchObject({ failure: limited, at: start + 1000, retryAfterMs: 60_000 });
    const longer = fold([1000, failed(alice, limited, 0, 2000)], [2000, failed(bob, limited, 500, 5000)]);
    expect(longer.failure).toMatchObject({ at: start + 2000, retryAfterMs: 5000 });
  });

  test("is that of the last failure where it was asked again in between", () => {
    const state = fold([1000, failed(alice, limited, 0, 60_000)], [62_000, failed(bob, unavailable, 61_500)]);
    expect(state.failures).toBe(2);
    expect(state.failure).toMatchObject({ failure: unavailable, at: start + 62_000, retryAfterMs: 0 });
  });

  test("stands whoever fails within it, who had not heard of it", () => {
    const state = fold(
      [1000, failed(alice, limited, 0, 60_000)],
      [2000, failed(bob, unavailable, 500)],
      [3000, failed(bob, unavailable, 1500)],
    );
    expect(state.failure).toMatchObject({ failure: limited, at: start + 1000, retryAfterMs: 60_000 });
  });

  test("is not that of a clock which is wrong", () => {
    const state = fold([3_600_000, failed(alice, limited, 3_599_000, 60_000)], [1000, failed(bob, unavailable, 500)]);
    expect(state.failure).toMatchObject({ failure: unavailable, at: start + 1000 });
  });
});

test("who tries a registry does so until he is answered, whatever became of others' questions", () => {
  const until = formatTime(start + 12_000);
  const probed: RegistryFact = { type: "RegistryProbed", data: { scope: "s1", asker: alice, until } };
  const trying = fold([0, failed(bob, limited, 0)], [2000, probed], [3000, failed(bob, unavailable, 0)]);
  expect(trying.probe?.asker).toEqual(alice);
  // Her own, of a node that has lost her build, has not either.
  const lost = at(3500, failed(alice, unavailable, 0));
  expect(evolveRegistry(trying, { ...lost, metadata: { ...lost.metadata, node: "lost" } }).probe?.asker).toEqual(alice);
  const state = evolveRegistry(trying, at(4000, failed(alice, unavailable, 2000)));
  expect(state.probe).toBeNull();
});

function failed(asker: Asker, failure: Failure, askedMs: number, retryAfterMs = 0): RegistryFact {
  const data = { registry: host, host, credential: null, scope: asker.buildId, failure, asker };
  const pause = retryAfterMs === 0 ? {} : { retryAfterMs };
  return { type: "RegistryFailed", data: { ...data, ...pause, askedAt: formatTime(start + askedMs) } };
}

function at(ms: number, fact: RegistryFact) {
  return { ...fact, metadata: { node: "n", time: formatTime(start + ms) } };
}

function fold(...facts: readonly (readonly [number, RegistryFact])[]): RegistryState {
  return facts.reduce((state, [ms, fact]) => evolveRegistry(state, at(ms, fact)), healthyRegistry);
}
