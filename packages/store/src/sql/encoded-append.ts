import type { ExpectedRevision, NewFact } from "@fetch-image/core/fetching";
import { assertNames, type WrittenFact, writtenFacts } from "../facts/append-request.ts";
import { writePlainJson } from "../facts/plain-json.ts";
import type { Elements } from "./arrays.ts";

/** An append that can be stored as given, its JSON as the server takes it. */
export interface EncodedAppend {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly facts: readonly FactName[];
  /** Of its facts, in order, as elements of a json[]. */
  readonly data: Elements;
  readonly metadata: Elements;
  /** About the bytes on the wire. */
  readonly size: number;
}

interface FactName {
  readonly id: string;
  readonly type: string;
}

/**
 * Bytes that one append after another is written into, so that those which are sent together stand side by side. A text for
 * each JSON would be made to be copied once more when its batch is sent.
 */
class Slab {
  #bytes: Buffer = Buffer.allocUnsafeSlow(slabBytes);
  #free = 0;

  /** Undefined where not all of them are plain and small. */
  write(facts: readonly NewFact[], part: "data" | "metadata"): Elements | undefined {
    // Whoever still waits keeps the old ones.
    if (this.#free + room > slabBytes) this.#renew();
    const bytes = this.#bytes;
    const from = this.#free;
    // Taken, for what a getter among the values may do meanwhile; for good where one throws.
    this.#free = slabBytes;
    let to = from;
    for (let index = 0; index < facts.length && to >= 0; index++) to = writeElement(bytes, facts[index]?.[part], to);
    if (bytes === this.#bytes) this.#free = to < 0 ? from : to;
    return to < 0 ? undefined : { bytes, from, to };
  }

  #renew(): void {
    this.#bytes = Buffer.allocUnsafeSlow(slabBytes);
    this.#free = 0;
  }
}

const slabBytes = 64 * 1024;
/** Room for one append; what needs more goes a longer way. */
const room = 16 * 1024;

const slabs = { data: new Slab(), metadata: new Slab() };

/** Checks an append and writes its JSON; rejects nothing but what could not be given back as it is, with `FI_APPEND_INVALID`. */
export function encodedAppend(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): EncodedAppend {
  assertNames(stream, expected, facts);
  const names = facts.map(({ id, type }) => ({ id, type }));
  const { data, metadata } = plainJsonOf(facts) ?? jsonOf(writtenFacts(stream, facts));
  const size = data.to - data.from + metadata.to - metadata.from + 256 * facts.length;
  return { stream, expected, facts: names, data, metadata, size };
}

type FactsJson = Pick<EncodedAppend, "data" | "metadata">;

function plainJsonOf(facts: readonly NewFact[]): FactsJson | undefined {
  const data = slabs.data.write(facts, "data");
  const metadata = data === undefined ? undefined : slabs.metadata.write(facts, "metadata");
  return data === undefined || metadata === undefined ? undefined : { data, metadata };
}

function writeElement(bytes: Buffer, value: unknown, at: number): number {
  const end = writePlainJson(value, bytes, at + 4);
  if (end >= 0) bytes.writeInt32BE(end - at - 4, at);
  return end;
}

function jsonOf(facts: readonly WrittenFact[]): FactsJson {
  return {
    data: elementsOf(facts.map(({ data }) => data)),
    metadata: elementsOf(facts.map(({ metadata }) => metadata)),
  };
}

function elementsOf(texts: readonly string[]): Elements {
  const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), 0));
  let to = 0;
  for (const text of texts) {
    const length = bytes.write(text, to + 4);
    to = bytes.writeInt32BE(length, to) + length;
  }
  return { bytes, from: 0, to };
}
