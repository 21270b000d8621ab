import type { ExpectedRevision, NewFact } from "@fetch-image/core/fetching";
import { assertNames, writtenFacts } from "../facts/append-request.ts";
import { writePlainJson } from "../facts/plain-json.ts";

/** An append that can be stored as given, its JSON as the server takes it. */
export interface EncodedAppend {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly facts: readonly FactName[];
  /** Shared with other appends: its own are `from` up to `middle`, of the facts' data, and up to `to`, of their metadata.
   *  Before each JSON text stands its length in bytes, an int32, as in PostgreSQL's binary form of an array. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly middle: number;
  readonly to: number;
  /** About the bytes on the wire. */
  readonly size: number;
}

interface FactName {
  readonly id: string;
  readonly type: string;
}

const slabBytes = 128 * 1024;
/** Room for one append; what needs more goes a longer way. */
const room = 16 * 1024;

// Written into by one append after another. A text for each JSON would be made to be copied once more when its batch is sent.
let slab: Buffer = Buffer.allocUnsafeSlow(slabBytes);
let free = 0;

/** Checks an append and writes its JSON; rejects nothing but what could not be given back as it is, with `FI_APPEND_INVALID`. */
export function encodedAppend(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): EncodedAppend {
  assertNames(stream, expected, facts);
  return plainAppend(stream, expected, facts) ?? textAppend(stream, expected, facts);
}

/** Undefined where not all is plain and small. */
function plainAppend(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): EncodedAppend | undefined {
  if (free + room > slab.length) {
    // Whoever still waits keeps the old one.
    slab = Buffer.allocUnsafeSlow(slabBytes);
    free = 0;
  }
  const bytes = slab;
  const from = free;
  // Taken, for what a getter among the values may do meanwhile; for good where one throws.
  free = bytes.length;
  const names: FactName[] = [];
  let at = from;
  for (const { id, type, data } of facts) {
    at = writeElement(bytes, data, at);
    if (at < 0) break;
    names.push({ id, type });
  }
  const middle = at;
  for (let index = 0; index < facts.length && at >= 0; index++) at = writeElement(bytes, facts[index]?.metadata, at);
  if (bytes === slab) free = at < 0 ? from : at;
  if (at < 0) return undefined;
  return { stream, expected, facts: names, bytes, from, middle, to: at, size: sizeOf(names, at - from) };
}

function writeElement(bytes: Buffer, value: unknown, at: number): number {
  const end = writePlainJson(value, bytes, at + 4);
  if (end >= 0) bytes.writeInt32BE(end - at - 4, at);
  return end;
}

function textAppend(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): EncodedAppend {
  const written = writtenFacts(stream, facts);
  const texts = [...written.map(({ data }) => data), ...written.map(({ metadata }) => metadata)];
  const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), 0));
  let at = 0;
  let middle = 0;
  for (const [index, text] of texts.entries()) {
    if (index === written.length) middle = at;
    const length = bytes.write(text, at + 4);
    at = bytes.writeInt32BE(length, at) + length;
  }
  const names = written.map(({ id, type }) => ({ id, type }));
  return { stream, expected, facts: names, bytes, from: 0, middle, to: at, size: sizeOf(names, at) };
}

function sizeOf(facts: readonly unknown[], bytes: number): number {
  return bytes + 256 * facts.length;
}
