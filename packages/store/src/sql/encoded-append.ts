import type { ExpectedRevision, NewFact } from "@fetch-image/core/fetching";
import { assertNames, assertSize, checkedJson } from "../facts/append-request.ts";
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
  readonly #part: "data" | "metadata";
  #bytes: Buffer = Buffer.allocUnsafeSlow(slabBytes);
  #free = 0;

  constructor(part: "data" | "metadata") {
    this.#part = part;
  }

  write(stream: string, facts: readonly NewFact[]): Elements {
    if (this.#free + room > slabBytes) {
      // Whoever still waits keeps the old ones.
      this.#bytes = Buffer.allocUnsafeSlow(slabBytes);
      this.#free = 0;
    }
    const shared = this.#bytes;
    const begun = this.#free;
    // Taken, for what a getter among the values may do meanwhile; for good where one throws, or is refused.
    this.#free = slabBytes;
    let bytes = shared;
    let from = begun;
    let to = from;
    for (let index = 0; index < facts.length; index++) {
      let end = writePlainJson(facts[index]?.[this.#part], bytes, to + 4);
      if (end < 0) {
        const text = checkedJson(stream, facts, index, this.#part);
        const length = Buffer.byteLength(text);
        if (to + 4 + length > bytes.length) {
          // Too much for what is shared: it goes on in bytes of its own.
          const own = Buffer.allocUnsafeSlow(to - from + 4 + length + room);
          to = bytes.copy(own, 0, from, to);
          from = 0;
          bytes = own;
        }
        end = to + 4 + bytes.write(text, to + 4);
      }
      bytes.writeInt32BE(end - to - 4, to);
      to = end;
    }
    if (shared === this.#bytes) this.#free = bytes === shared ? to : begun;
    return { bytes, from, to };
  }
}

const slabBytes = 64 * 1024;
/** Room for what one append has as a rule. */
const room = 16 * 1024;

const slabs = { data: new Slab("data"), metadata: new Slab("metadata") };

/** Checks an append and writes its JSON; rejects nothing but what could not be given back as it is, with `FI_APPEND_INVALID`. */
export function encodedAppend(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): EncodedAppend {
  assertNames(stream, expected, facts);
  const names = facts.map(({ id, type }) => ({ id, type }));
  const data = slabs.data.write(stream, facts);
  const metadata = slabs.metadata.write(stream, facts);
  const bytes = data.to - data.from + metadata.to - metadata.from;
  assertSize(stream, bytes);
  return { stream, expected, facts: names, data, metadata, size: bytes + 256 * facts.length };
}
