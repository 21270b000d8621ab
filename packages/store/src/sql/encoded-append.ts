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
    const written: Written = { bytes: shared, from: begun, to: begun };
    for (let index = 0; index < facts.length; index++) {
      if (addPlain(written, facts[index]?.[this.#part])) continue;
      addText(written, checkedJson(stream, facts, index, this.#part));
    }
    if (shared === this.#bytes) this.#free = written.bytes === shared ? written.to : begun;
    return written;
  }
}

/** Elements that are being written. */
interface Written {
  bytes: Buffer;
  from: number;
  to: number;
}

/** False, with nothing added, where the value is not plain, or too much for what room there is. */
function addPlain(written: Written, value: unknown): boolean {
  const end = writePlainJson(value, written.bytes, written.to + 4);
  if (end >= 0) endElement(written, end);
  return end >= 0;
}

/** Where it is too much for what is shared, all goes on in bytes of its own. */
function addText(written: Written, text: string): void {
  const length = Buffer.byteLength(text);
  const { bytes, from, to } = written;
  if (to + 4 + length > bytes.length) {
    written.bytes = Buffer.allocUnsafeSlow(to - from + 4 + length + room);
    written.to = bytes.copy(written.bytes, 0, from, to);
    written.from = 0;
  }
  endElement(written, written.to + 4 + written.bytes.write(text, written.to + 4));
}

/** Puts its length in front. */
function endElement(written: Written, end: number): void {
  written.bytes.writeInt32BE(end - written.to - 4, written.to);
  written.to = end;
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
