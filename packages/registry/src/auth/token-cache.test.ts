import { expect, test, vi } from "vitest";
import { createTokenCache, type Token } from "./token-cache.ts";

function cacheAt(time: { now: number }): ReturnType<typeof createTokenCache> {
  return createTokenCache(() => time.now);
}

test("asks once for all who wait, and not again while the token is fresh", async () => {
  const time = { now: 0 };
  const cache = cacheAt(time);
  const fetch = vi.fn<() => Promise<Token>>(async () => ({ value: "t1", freshUntil: 100 }));
  const all = await Promise.all([cache.get("k", fetch), cache.get("k", fetch), cache.get("k", fetch)]);
  time.now = 99;
  expect([...all, await cache.get("k", fetch)].map(({ value }) => value)).toEqual(["t1", "t1", "t1", "t1"]);
  expect(fetch).toHaveBeenCalledTimes(1);
});

test("tells at once a token that is here and fresh, and no other", async () => {
  const time = { now: 0 };
  const cache = cacheAt(time);
  const pending = cache.get("k", async () => ({ value: "t1", freshUntil: 100 }));
  expect(cache.fresh("k")).toBeUndefined();
  await pending;
  time.now = 99;
  expect(cache.fresh("k")?.value).toBe("t1");
  time.now = 100;
  expect(cache.fresh("k")).toBeUndefined();
  await cache.get("k", async () => ({ value: "t2", freshUntil: 200 }));
  cache.forget("k", "t2");
  expect(cache.fresh("k")).toBeUndefined();
});

test("asks again when the token has ended", async () => {
  const time = { now: 0 };
  const cache = cacheAt(time);
  await cache.get("k", async () => ({ value: "t1", freshUntil: 100 }));
  time.now = 100;
  expect((await cache.get("k", async () => ({ value: "t2", freshUntil: 200 }))).value).toBe("t2");
});

test("a failure is for those who waited for it, not for those who ask later", async () => {
  const cache = cacheAt({ now: 0 });
  const failing = vi.fn<() => Promise<Token>>(async () => {
    throw new Error("down");
  });
  const asked = [cache.get("k", failing), cache.get("k", failing)];
  await expect(asked[0]).rejects.toThrow("down");
  await expect(asked[1]).rejects.toThrow("down");
  expect(failing).toHaveBeenCalledTimes(1);
  expect((await cache.get("k", async () => ({ value: "t", freshUntil: 1 }))).value).toBe("t");
});

test("a refused token is forgotten, but never the one that has replaced it", async () => {
  const cache = cacheAt({ now: 0 });
  let count = 0;
  const fetch = async (): Promise<Token> => ({ value: `t${++count}`, freshUntil: 100 });
  await cache.get("k", fetch);
  cache.forget("k", "t1");
  expect((await cache.get("k", fetch)).value).toBe("t2");
  cache.forget("k", "t1");
  expect((await cache.get("k", fetch)).value).toBe("t2");
});

test("holds a bounded number of tokens, letting go of those that ended first", async () => {
  const time = { now: 0 };
  const cache = cacheAt(time);
  await cache.get("long-lived", async () => ({ value: "kept", freshUntil: 1e9 }));
  await cache.get("short-lived", async () => ({ value: "gone", freshUntil: 1 }));
  time.now = 2;
  for (let at = 0; at < 999; at++) await cache.get(`k${at}`, async () => ({ value: "t", freshUntil: 1e9 }));
  const fetch = vi.fn<() => Promise<Token>>(async () => ({ value: "new", freshUntil: 1e9 }));
  expect((await cache.get("long-lived", fetch)).value).toBe("kept");
  await cache.get("one too many", fetch);
  expect((await cache.get("long-lived", fetch)).value).toBe("new");
});
