import { expect, test } from "vitest";
import { Deferred } from "./deferred.ts";

test("is settled once, whenever it is asked for", async () => {
  const early = new Deferred<string>();
  const asked = early.promise;
  early.resolve("first");
  early.reject(new Error("second"));
  expect(await asked).toBe("first");
  expect(early.promise).toBe(asked);

  const late = new Deferred<string>();
  late.reject(new Error("first"));
  late.resolve("second");
  await expect(late.promise).rejects.toThrow("first");
});

test("a failure that nobody asks for is no unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const listen = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", listen);
  new Deferred<void>().reject(new Error("nobody waits"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off("unhandledRejection", listen);
  expect(unhandled).toEqual([]);
});
