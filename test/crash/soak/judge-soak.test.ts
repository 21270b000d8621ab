import { describe, expect, test } from "vitest";
import { boundsAt, judgeSoak, type Sample } from "./judge-soak.ts";

const bounds = boundsAt(50);

describe("a soak", () => {
  test("whose memory goes up and down and stays where it is holds", () => {
    expect(
      judgeSoak(
        samples((n) => ({ heap: 60e6 + (n % 7) * 4e6 })),
        bounds,
      ),
    ).toEqual([]);
  });

  test("that fills what it keeps in its first fifth, and then no more, holds", () => {
    expect(
      judgeSoak(
        samples((n) => ({ heap: Math.min(n, 20) * 5e6 })),
        bounds,
      ),
    ).toEqual([]);
  });

  test("whose memory grows slowly and steadily does not, however much it goes up and down", () => {
    const growing = samples((n) => ({ heap: 60e6 + n * 150e3 + (n % 7) * 4e6 }));
    expect(judgeSoak(growing, bounds)).toEqual([expect.stringContaining("memory grows: 1")]);
  });

  test("that had one large page in hand when it was looked at is not said to grow", () => {
    expect(
      judgeSoak(
        samples((n) => ({ heap: n === 90 ? 200e6 : 60e6 })),
        bounds,
      ),
    ).toEqual([]);
  });

  test("that leaves a handle behind now and then does not hold", () => {
    expect(
      judgeSoak(
        samples((n) => ({ handles: 20 + Math.floor(n / 3) })),
        bounds,
      ),
    ).toEqual([expect.stringContaining("handles leak")]);
  });

  test("whose read model falls behind, or that takes more than it can do, does not hold", () => {
    expect(
      judgeSoak(
        samples((n) => ({ lagMs: n * 200, openBuilds: n * 20 })),
        bounds,
      ),
    ).toEqual([expect.stringContaining("behind"), expect.stringContaining("rate was not kept")]);
  });

  test("of which too little was seen is not said to hold", () => {
    expect(judgeSoak(samples(() => ({})).slice(0, 3), bounds)).toEqual([expect.stringContaining("too few")]);
  });
});

function samples(of: (n: number) => Partial<Sample>): readonly Sample[] {
  return Array.from({ length: 100 }, (_, n) => ({
    atMs: n * 1000,
    heap: 60e6,
    rss: 200e6,
    handles: 20,
    lagMs: 40,
    delayMs: 10,
    openBuilds: 5,
    ...of(n),
  }));
}
