import type { Random } from "./random.ts";

export interface Material {
  /** Inputs that mean something: what is made starts from one of them. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that parsers look for, or fear. */
  readonly words: readonly string[];
}

/** One input: a seed with a few changes, of its bytes or, where it is JSON, sometimes of what it says. */
export function mutate({ seeds, words }: Material, random: Random): Uint8Array {
  let bytes: Uint8Array = Buffer.from(random.pick(seeds));
  if (random.below(3) === 0) bytes = mutateJson(bytes, random) ?? bytes;
  for (let left = random.below(6); left > 0; left--)
    bytes = change(bytes, random.pick(changes), { random, words, seeds });
  return bytes;
}

interface Context extends Material {
  readonly random: Random;
}

type Change = (bytes: Uint8Array, at: number, context: Context) => readonly Uint8Array[];

const changes: readonly Change[] = [
  // One byte becomes another.
  (bytes, at, { random }) => [bytes.subarray(0, at), Uint8Array.of(random.below(256)), bytes.subarray(at + 1)],
  // One bit turns.
  (bytes, at, { random }) => [
    bytes.subarray(0, at),
    Uint8Array.of((bytes[at] ?? 0) ^ (1 << random.below(8))),
    bytes.subarray(at + 1),
  ],
  // A piece is missing, or stands twice.
  (bytes, at, { random }) => [bytes.subarray(0, at), bytes.subarray(at + random.below(16) + 1)],
  (bytes, at, { random }) => [bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random.below(64)))],
  // The end is missing.
  (bytes, at) => [bytes.subarray(0, at)],
  // A word that parsers know.
  (bytes, at, { random, words }) => [bytes.subarray(0, at), Buffer.from(random.pick(words)), bytes.subarray(at)],
  (bytes, at, { random, words }) => {
    const word = Buffer.from(random.pick(words));
    return [bytes.subarray(0, at), word, bytes.subarray(at + word.length)];
  },
  // Very many of one thing.
  (bytes, at, { random, words }) => {
    const many = Buffer.from(random.pick(words).repeat(random.pick([2, 10, 200, 3000])));
    return [bytes.subarray(0, at), many.subarray(0, 16_384), bytes.subarray(at)];
  },
  // Another input goes on from here.
  (bytes, at, { random, seeds }) => {
    const other = random.pick(seeds);
    return [bytes.subarray(0, at), other.subarray(random.below(other.length + 1))];
  },
];

function change(bytes: Uint8Array, how: Change, context: Context): Uint8Array {
  return Buffer.concat(how(bytes, context.random.below(bytes.length + 1), context)).subarray(0, 64 * 1024);
}

const oddValues: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  "",
  " ",
  "__proto__",
  "../../etc/passwd",
  "\u0000",
  "\ud800",
  "x".repeat(5000),
  [],
  {},
  [[]],
  { toString: 1 },
];

function mutateJson(bytes: Uint8Array, random: Random): Uint8Array | undefined {
  let root: unknown;
  try {
    root = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
  const holders = containersOf(root);
  if (holders.length === 0) return undefined;
  const holder = random.pick(holders);
  const names = Object.keys(holder);
  const name =
    random.below(4) === 0 || names.length === 0
      ? random.pick(["0", "mediaType", "size", "__proto__"])
      : random.pick(names);
  if (random.below(4) === 0) Reflect.deleteProperty(holder, name);
  else {
    const value = random.below(3) === 0 ? random.pick(holders) : random.pick(oddValues);
    // Not by assignment, which would set the prototype. A container in itself becomes a copy as it was.
    Object.defineProperty(holder, name, {
      value: structuredClone(value),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return Buffer.from(JSON.stringify(root));
}

function containersOf(root: unknown): object[] {
  const found: object[] = [];
  const left = [root];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null) continue;
    found.push(next);
    left.push(...Object.values(next).filter((value) => value !== undefined));
  }
  return found;
}
