import type { Json, JsonObject, NewFact } from "@fetch-image/core/fetching";
import { describe, expect, test } from "vitest";
import type { Elements } from "./arrays.ts";
import { encodedAppend, type EncodedAppend } from "./encoded-append.ts";

let facts = 0;

function fact(data: JsonObject, metadata: JsonObject = { node: "a" }): NewFact {
  return { id: `00000000-0000-5000-8000-${String(++facts).padStart(12, "0")}`, type: "Happened", data, metadata };
}

/** The JSON texts among them. */
function textsIn({ bytes, from, to }: Elements): readonly string[] {
  const texts: string[] = [];
  for (let at = from; at < to;) {
    const end = at + 4 + bytes.readInt32BE(at);
    texts.push(bytes.toString("utf8", at + 4, end));
    at = end;
  }
  return texts;
}

function contentOf({ data, metadata, facts }: EncodedAppend) {
  return { facts, datas: textsIn(data), metadatas: textsIn(metadata) };
}

function asGiven(given: readonly NewFact[]) {
  return {
    facts: given.map(({ id, type }) => ({ id, type })),
    datas: given.map(({ data }) => JSON.stringify(data)),
    metadatas: given.map(({ metadata }) => JSON.stringify(metadata)),
  };
}

describe("an append's JSON, as PostgreSQL takes it", () => {
  test.each<[string, Json]>([
    ["plain", "a"],
    ["with what is escaped", 'a "quoted"\nline'],
    ["beyond ASCII", "Zürich 🚢"],
    ["long", "x".repeat(100_000)],
    ["long and beyond ASCII", "ü".repeat(100_000)],
  ])("is each fact's data behind its length, and then its metadata: %s", (_name, value) => {
    const given = [fact({ a: 1 }), fact({ value }), fact({ b: [value] }, { node: value })];
    expect(contentOf(encodedAppend("build-1", "no-stream", given))).toEqual(asGiven(given));
  });

  test("stays as it was when others follow, however many, and when the facts are changed afterwards", () => {
    const given = Array.from({ length: 2000 }, (_, at) => [
      fact({ at, text: "x".repeat((at * 37) % 2000) }),
      fact(at % 7 === 0 ? { text: "é" } : { at }),
    ]);
    const appends = given.map((some, at) => encodedAppend(`build-${at}`, 3n, some));
    const before = given.map(asGiven);
    for (const some of given) for (const { data } of some) Object.assign(data, { at: -1, more: true });
    expect(appends.map(contentOf)).toEqual(before);
  });

  test("is not mixed with that of an append which a getter among its values makes", () => {
    const inner: { append: EncodedAppend; given: readonly NewFact[] }[] = [];
    const data = {
      before: "b".repeat(30),
      get now() {
        const given = [fact({ inner: "i".repeat(200) })];
        inner.push({ append: encodedAppend("build-2", "no-stream", given), given });
        return 1;
      },
      after: "a".repeat(30),
    };
    const append = encodedAppend("build-1", "no-stream", [fact(data)]);
    const next = [fact({ next: "n".repeat(300) })];
    const following = encodedAppend("build-3", "no-stream", next);
    expect(contentOf(append).datas).toEqual([JSON.stringify({ before: data.before, now: 1, after: data.after })]);
    expect(contentOf(following)).toEqual(asGiven(next));
    expect(inner.map(({ append: made }) => contentOf(made))).toEqual(inner.map(({ given }) => asGiven(given)));
    expect(inner).toHaveLength(1);
  });

  test("is of the next append alone, where a value throws", () => {
    const throwing = {
      text: "t",
      get now(): number {
        throw new Error("not now");
      },
    };
    expect(() => encodedAppend("build-1", "no-stream", [fact(throwing)])).toThrow("not now");
    const given = [fact({ a: 1 })];
    expect(contentOf(encodedAppend("build-1", "no-stream", given))).toEqual(asGiven(given));
  });

  test("is refused where it could not be given back as it is, by the fact and the place", () => {
    const unfit = [fact({ a: 1 }), fact({ a: { b: [undefined as unknown as Json] } })];
    expect(() => encodedAppend("build-1", "no-stream", unfit)).toThrow(
      'stream "build-1": fact 2 of 2 (Happened): data.a.b[0] is undefined',
    );
    const repeated = fact({ a: 1 });
    expect(() => encodedAppend("build-1", "no-stream", [repeated, repeated])).toThrow("comes twice in the append");
  });
});
