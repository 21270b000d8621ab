import { describe, expect, test } from "vitest";
import { plainJson } from "./plain-json.ts";

const aFact = {
  fetchId: "1/image-get",
  source: { repository: "ghcr.io/acme/app", tag: "v1.2", insecure: false, token: null },
  version: { digest: "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d" },
  list: [1, "a", [], {}, [{ b: true }]],
  numbers: [0, -1, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 2 ** 53, 0.5581757753524407],
  "": "",
  "10": 3,
  "9": 4,
};

describe("JSON of plain values", () => {
  test("is what JSON.stringify gives", () => {
    expect(plainJson(aFact)).toBe(JSON.stringify(aFact));
    expect(plainJson({})).toBe("{}");
  });

  test("is given wherever the text is printable ASCII without anything to escape, short or long", () => {
    for (let code = 0; code < 300; code++) {
      const character = String.fromCharCode(code);
      const isPlain = code >= 32 && code < 127 && character !== '"' && character !== "\\";
      for (const text of [character, `ab${character}`, character.padEnd(100, "x"), character.padStart(100, "x")]) {
        for (const value of [{ text }, { [text]: 1 }]) {
          expect(plainJson(value)).toBe(isPlain ? JSON.stringify(value) : undefined);
        }
      }
    }
  });

  class Named {
    readonly name = "a";
  }
  const left: { readonly [name: string]: unknown } = {
    null: null,
    text: "a",
    "a list": [1],
    "a hole": { a: Array.from({ length: 1 }).concat([1]) },
    undefined: { a: undefined },
    "a function": { a: () => 1 },
    "a symbol": { a: Symbol("a") },
    "a symbol as a key": { a: { [Symbol("a")]: 1 } },
    "a big integer": { a: 1n },
    NaN: { a: NaN },
    Infinity: { a: [Infinity] },
    "-0": { a: -0 },
    "a date": { a: new Date(0) },
    "a map": { a: new Map() },
    "a class's object": { a: new Named() },
    "what inherits": { a: Object.create({ b: 1 }) as unknown },
    "what has no prototype": { a: Object.create(null) as unknown },
    "a boxed text": { a: Object("a") as unknown },
    "a long text": { a: "x".repeat(16 * 1024) },
    "much of it": { a: Array.from({ length: 10_000 }, () => 1) },
    "many fields": Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`a${index}`, true])),
    "deep nesting": JSON.parse(`${'{"a":'.repeat(50)}1${"}".repeat(50)}`) as unknown,
  };
  for (const [name, value] of Object.entries(left)) {
    test(`${name} is left to others`, () => {
      expect(plainJson(value)).toBeUndefined();
      expect(plainJson(aFact)).toBe(JSON.stringify(aFact));
    });
  }

  test("what Object.prototype was given is not taken for the value's own", () => {
    const prototype = Object.prototype as { added?: string };
    prototype.added = "x";
    try {
      expect(plainJson({ a: 1 }) ?? '{"a":1}').toBe('{"a":1}');
    } finally {
      delete prototype.added;
    }
  });

  test("is right up to the last byte that there is room for", () => {
    for (let length = 16_350; length < 16_400; length++) {
      const values = [{ a: "x".repeat(length) }, { a: "x".repeat(length - 20), b: [{}, true, 12_345] }];
      for (const value of values) expect([undefined, JSON.stringify(value)]).toContain(plainJson(value));
      expect(plainJson({ a: "x".repeat(length - 1000) })).toBeDefined();
    }
  });
});
