import { type ExpectedRevision, FetchImageError, type NewFact } from "@fetch-image/core/fetching";
import { isWellFormed, unfitForJson } from "./json-gate.ts";
import { plainJson } from "./plain-json.ts";

/** An append that can be stored as given, its JSON written out. */
export interface AppendRequest {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly facts: readonly WrittenFact[];
}

interface WrittenFact {
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
}

/** Of JSON, for one append. */
const largestAppend: number = 32 * 1024 * 1024;
/** In UTF-8 bytes; the stream is part of an index, whose rows must fit a third of a page. */
const longestName = 1024;

const fewFacts = 16;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Checks an append and writes its JSON; rejects nothing but what could not be given back as it is, with `FI_APPEND_INVALID`. */
export function appendRequest(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): AppendRequest {
  assertNames(stream, expected, facts);
  return { stream, expected, facts: writtenFacts(stream, facts) };
}

/** Checks all of an append but its facts' JSON; throws `FI_APPEND_INVALID`. */
export function assertNames(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): void {
  if (!isName(stream)) refuse(stream, "its name must be 1 to 1024 bytes of text without U+0000");
  if (expected !== "no-stream" && (typeof expected !== "bigint" || expected < 0n)) {
    refuse(stream, `the expected revision must be "no-stream" or a bigint from 0, not ${String(expected)}`);
  }
  if (facts.length === 0) refuse(stream, "an append needs at least one fact");
  // For a handful of facts a set costs more than what it saves.
  const ids = facts.length > fewFacts ? new Set<string>() : undefined;
  for (let index = 0; index < facts.length; index++) {
    const fact = facts[index];
    if (fact === undefined) continue;
    const isRepeated = ids === undefined ? isBefore(facts, index) : ids.has(fact.id);
    ids?.add(fact.id);
    const unfit = unfitIdOrType(fact, isRepeated);
    if (unfit !== undefined) refuseFact(stream, facts, index, unfit);
  }
}

/** The facts of an append whose names are in order, their JSON checked and written; throws `FI_APPEND_INVALID`. */
function writtenFacts(stream: string, facts: readonly NewFact[]): readonly WrittenFact[] {
  const written = facts.map(({ id, type, data, metadata }, index) => ({
    id,
    type,
    data: plainJson(data) ?? checkedJson(stream, facts, index, "data"),
    metadata: plainJson(metadata) ?? checkedJson(stream, facts, index, "metadata"),
  }));
  assertSize(
    stream,
    written.reduce((size, { data, metadata }) => size + data.length + metadata.length, 0),
  );
  return written;
}

/** The JSON of what is not plain, and may be in order all the same; throws `FI_APPEND_INVALID` where it is not. */
export function checkedJson(
  stream: string,
  facts: readonly NewFact[],
  index: number,
  part: "data" | "metadata",
): string {
  const value: unknown = facts[index]?.[part];
  const unfit = unfitObject(value, part);
  if (unfit !== undefined) refuseFact(stream, facts, index, unfit);
  return JSON.stringify(value);
}

/** In bytes of JSON or UTF-16 units of it. */
export function assertSize(stream: string, size: number): void {
  if (size > largestAppend) refuse(stream, `${size} bytes are more than one append may hold (${largestAppend})`);
}

function refuseFact(stream: string, facts: readonly NewFact[], index: number, unfit: string): never {
  refuse(stream, `fact ${index + 1} of ${facts.length} (${facts[index]?.type}): ${unfit}`);
}

function refuse(stream: string, what: string): never {
  throw new FetchImageError("FI_APPEND_INVALID", {
    message: `stream ${quoted(stream)}: ${what}`,
    details: { stream },
  });
}

function unfitIdOrType({ id, type }: NewFact, isRepeated: boolean): string | undefined {
  if (!uuidPattern.test(id)) return `its id must be a lower-case UUID, not ${quoted(id)}`;
  if (isRepeated) return `its id ${id} comes twice in the append`;
  return isName(type) ? undefined : "its type must be 1 to 1024 bytes of text without U+0000";
}

function isBefore(facts: readonly NewFact[], index: number): boolean {
  const id = facts[index]?.id;
  for (let before = 0; before < index; before++) if (facts[before]?.id === id) return true;
  return false;
}

function unfitObject(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${name} is not an object`;
  return unfitForJson(value, name);
}

/** Whether a stream or a type can be called so. */
export function isName(text: string): boolean {
  return (
    typeof text === "string" &&
    text.length > 0 &&
    !text.includes("\0") &&
    isWellFormed(text) &&
    (text.length * 3 <= longestName || Buffer.byteLength(text) <= longestName)
  );
}

function quoted(text: string): string {
  return JSON.stringify(text.length <= 100 ? text : `${text.slice(0, 100)}…`);
}
