import type { EventLog, JsonObject, NewFact } from "@fetch-image/core";
import { expect } from "vitest";
import { aFact, codeOf, errorOf } from "../facts.ts";
import type { Check, Differences } from "../under-test.ts";

const stream = "build-1";

const odd: { readonly [name: string]: JsonObject } = {
  nothing: {},
  "every kind of value": { text: "a", number: 1.5, yes: true, no: false, none: null, list: [1, "b", [], {}], map: {} },
  "fields out of order": { z: 1, a: 2, m: { y: 1, b: 2 }, "10": 3, "9": 4 },
  "text of every script": { text: "héllo 日本語 🚀 \u202E עברית \u0301", "ключ 🔑": 1 },
  "control characters": { text: "\0 \u0001 \b\t\n\r \u001f \u007f \u2028 \u2029 \ufeff \uffff", "a\0b": "\0" },
  "quotes and backslashes": { text: '" \\ \' {"a":"\\u0000"} \\u0000 $1 :schema %s', "{,}": "{NULL,null}" },
  "numbers at the edges": {
    list: [0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740992, 0.1, -1, 123456789012345680000],
  },
  "names that objects have": parsed('{"__proto__":{"a":1},"constructor":1,"toString":"x","length":0}'),
  "empty text everywhere": { "": "", a: { "": [""] } },
  "deep nesting": nested(499),
  "a thousand fields": Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`field${999 - index}`, index])),
};

/** What is stored is what was given, byte for byte, or it is refused. */
export function payloadContract(check: Check<EventLog>, { maxAppendBytes }: Differences): void {
  for (const [name, data] of Object.entries(odd)) {
    check(
      `${name}: data and metadata come back with the same values and the same order of fields`,
      async (eventLog) => {
        await eventLog.append(stream, "no-stream", [{ ...aFact(data), metadata: data }, aFact()]);
        const [stored] = await eventLog.read(stream);
        const [paged] = (await eventLog.readAll({ limit: 1 })).facts;
        const text = JSON.stringify(data);
        expect(JSON.stringify(stored?.data)).toBe(text);
        expect(JSON.stringify(stored?.metadata)).toBe(text);
        expect(JSON.stringify(paged?.data)).toBe(text);
      },
    );
  }

  const units = maxAppendBytes === undefined ? 1024 * 1024 : Math.floor(maxAppendBytes / 4);
  check(`a fact of ${units} characters comes back whole, beside others`, async (eventLog) => {
    const text = "0123456789abcdef é🚀\0".repeat(45_000).slice(0, units);
    const facts = [aFact({ text }), aFact({ small: true }), aFact({ text })];
    await eventLog.append(stream, "no-stream", facts);
    const stored = await eventLog.read(stream);
    expect(stored.map(({ data }) => JSON.stringify(data))).toEqual(facts.map(({ data }) => JSON.stringify(data)));
  });

  if (maxAppendBytes !== undefined) {
    check(`an append of more than ${maxAppendBytes} bytes is refused, and the next one is taken`, async (eventLog) => {
      const large = aFact({ text: "x".repeat(maxAppendBytes) });
      const error = await errorOf(eventLog.append(stream, "no-stream", [aFact(), large]));
      expect(error?.code).toBe("FI_APPEND_INVALID");
      expect(error?.message).toContain(String(maxAppendBytes));
      expect(await eventLog.read(stream)).toEqual([]);
      expect(await codeOf(eventLog.append(stream, "no-stream", [aFact()]))).toBe("fulfilled");
    });
  }

  check("an append of a thousand facts is taken whole", async (eventLog) => {
    const facts = Array.from({ length: 1000 }, (_, index) => aFact({ index }));
    expect(await eventLog.append(stream, "no-stream", facts)).toMatchObject({ revision: 999n });
    expect((await eventLog.read(stream)).map(({ data }) => data["index"])).toEqual(facts.map((_, index) => index));
  });

  const unfit: { readonly [name: string]: { readonly value: unknown; readonly says: string } } = {
    undefined: { value: { a: [{ b: undefined }] }, says: "data.a[0].b is undefined" },
    "a list with a hole": { value: { a: Array.from({ length: 1 }).concat([1]) }, says: "data.a[0] is undefined" },
    NaN: { value: { a: NaN }, says: "data.a is NaN" },
    Infinity: { value: { a: -Infinity }, says: "data.a is -Infinity" },
    "-0": { value: { a: -0 }, says: "data.a is -0" },
    "a date": { value: { a: new Date(0) }, says: "data.a is a Date" },
    "a map": { value: { a: new Map([["a", 1]]) }, says: "data.a is a Map" },
    "a big integer": { value: { a: 1n }, says: "data.a is a bigint" },
    "a function": { value: { a: () => 1 }, says: "data.a is a function" },
    "a symbol": { value: { a: Symbol("a") }, says: "data.a is a symbol" },
    "a symbol as key": { value: { a: { [Symbol("b")]: 1 } }, says: "data.a has a symbol as a key" },
    "half a surrogate pair": { value: { a: "x\ud83dy" }, says: "data.a has half of a surrogate pair" },
    "half a surrogate pair in a key": { value: { "\udc00": 1 }, says: "data has half of a surrogate pair in a key" },
    "a list instead of an object": { value: [], says: "data is not an object" },
    null: { value: null, says: "data is not an object" },
    "bottomless nesting": { value: nested(501), says: "nests deeper than 500 levels" },
    "a ring": { value: ring(), says: "nests deeper than 500 levels" },
  };
  for (const [name, { value, says }] of Object.entries(unfit)) {
    check(`${name} is refused with the place, since JSON would change it`, async (eventLog) => {
      const work = eventLog.append(stream, "no-stream", [aFact(), aFactOf({ data: value })]);
      const error = await errorOf(work);
      expect(error?.code).toBe("FI_APPEND_INVALID");
      expect(error?.message).toContain(says);
      const sameInMetadata = eventLog.append(stream, "no-stream", [aFactOf({ metadata: value })]);
      expect(await codeOf(sameInMetadata)).toBe("FI_APPEND_INVALID");
      expect(await eventLog.read(stream)).toEqual([]);
    });
  }

  check(
    "what the caller does to a fact after the append, or to one that was read, changes nothing stored",
    async (log) => {
      const data = { list: [1], map: { a: 1 } };
      const work = log.append(stream, "no-stream", [aFact(data)]);
      data.list.push(2);
      data.map.a = 2;
      await work;
      const [first] = await log.read(stream);
      // Frozen is as good.
      expect(Object.isFrozen(first?.data) || Reflect.deleteProperty(first?.data ?? {}, "list")).toBe(true);
      expect((await log.read(stream))[0]?.data).toEqual({ list: [1], map: { a: 1 } });
    },
  );
}

function nested(levels: number): JsonObject {
  let value: JsonObject = { end: true };
  for (let level = 1; level < levels; level++) value = { a: value };
  return value;
}

function parsed(json: string): JsonObject {
  return JSON.parse(json);
}

/** What the types forbid, as a caller from JavaScript may give it. */
function aFactOf(fields: { readonly data?: unknown; readonly metadata?: unknown }): NewFact {
  const untyped: unknown[][] = Object.entries({ ...aFact(), ...fields });
  return Object.fromEntries(untyped);
}

function ring(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}
