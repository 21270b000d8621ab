import { expect, test } from "vitest";
import { SqlError } from "../sql/sql.ts";
import type { HostClient } from "./options.ts";
import { PgLine } from "./pg-line.ts";

/** A pool that notes when it lends a connection, and when it has it back, and a line on it. */
function aLine({ isDirect = true } = {}) {
  const happened: string[] = [];
  let lent = 0;
  const line = new PgLine({
    withClient: async (work) => {
      const name = `connection ${++lent}`;
      happened.push(`${name} lent`);
      try {
        return await work({ name } as unknown as HostClient);
      } finally {
        happened.push(`${name} back`);
      }
    },
    isDirect: () => Promise.resolve(isDirect),
  });
  return { happened, line };
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("what is sent while something is under way goes to the same connection, which is given back with the last answer", async () => {
  const { happened, line } = aLine();
  const places: number[] = [];
  const send = (count: number) =>
    line.run(async (_, place) => {
      places.push(place);
      await turns(count);
    });
  await Promise.all([send(3), send(5)]);
  await turns(1);
  expect(places).toEqual([1, 2]);
  expect(happened).toEqual(["connection 1 lent", "connection 1 back"]);
});

test("the pool has it back now and then, however much is under way, and lends the next one afterwards", async () => {
  const { happened, line } = aLine();
  const two = Array.from({ length: 2 }, async () => {
    for (let count = 0; count < 30; count++) await line.run(() => turns(2));
  });
  await Promise.all(two);
  await turns(1);
  expect(happened).toEqual(["connection 1 lent", "connection 1 back", "connection 2 lent", "connection 2 back"]);
});

test("a connection that breaks is given up at once, and the next statement gets another", async () => {
  const { happened, line } = aLine();
  const broken = line.run(() => Promise.reject(new SqlError("lost", "gone")));
  const behind = line.run(() => turns(3));
  await expect(broken).rejects.toThrow("gone");
  await turns(1);
  expect(happened).toEqual(["connection 1 lent", "connection 1 back"]);
  await line.run(() => turns(1));
  await behind;
  await turns(1);
  expect(happened.slice(2)).toEqual(["connection 2 lent", "connection 2 back"]);
});

test("where a pooler is in between, each statement has a connection for itself", async () => {
  const { happened, line } = aLine({ isDirect: false });
  const used: unknown[] = [];
  await Promise.all(
    [1, 2].map(() =>
      line.run(async (client, place) => {
        used.push(client, place);
        await turns(1);
      }),
    ),
  );
  expect(used).toEqual([{ name: "connection 2" }, 1, { name: "connection 3" }, 1]);
  expect(happened.filter((each) => each.endsWith("lent"))).toHaveLength(3);
});
