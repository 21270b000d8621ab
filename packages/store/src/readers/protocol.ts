import type { Duplex } from "node:stream";
import {
  type BuildImageRow,
  type BuildRow,
  type BuildsQuery,
  FetchImageError,
  type FetchImageErrorCode,
  type ImageFilter,
  type ImagePage,
  type JsonObject,
  type ObservationFilter,
  type ObservationPage,
  type ObservationRow,
  type Page,
  type Position,
  type ReadAllOptions,
  type ReadModel,
  type ReadModelChanges,
  type ReadOptions,
  type RecordedFact,
  type ScopeRow,
  type StayRow,
  type SubscribeOptions,
  type SubscriptionMessage,
  type VersionRow,
} from "@fetch-image/core/fetching";

/**
 * What a reader and the holder of a store say to each other: JSON documents, one a line. The holder greets; a reader
 * calls, any number of calls at a time, and each is answered by its id. A connection that has subscribed is that
 * subscription's alone, so that a slow reader holds back nothing but itself.
 */
export interface Greeting {
  readonly "fetch-image": "readers";
  readonly version: number;
  readonly pid: number;
}

export const protocolVersion = 3;

/** Every question a reader can ask: its fields, and its answer. */
export interface Questions {
  readonly read: { readonly asked: { stream: string; options: WireReadOptions }; readonly answer: readonly WireFact[] };
  readonly readAll: { readonly asked: { options: ReadAllOptions }; readonly answer: WirePage };
  readonly subscribe: { readonly asked: { options: Omit<SubscribeOptions, "signal"> }; readonly answer: null };
  /** Asks a holder that only reads to give way to a writer; true where it will. */
  readonly yield: { readonly asked: object; readonly answer: boolean };
  readonly checkpoint: { readonly asked: object; readonly answer: Position | null };
  readonly apply: {
    readonly asked: { changes: WireChanges; from: Position | null; to: Position };
    readonly answer: "applied" | "moved-by-another";
  };
  readonly reset: { readonly asked: object; readonly answer: null };
  readonly build: { readonly asked: { buildId: string }; readonly answer: BuildRow | null };
  readonly builds: { readonly asked: { query: BuildsQuery }; readonly answer: readonly BuildRow[] };
  readonly imagesOfBuild: { readonly asked: { buildId: string }; readonly answer: readonly BuildImageRow[] };
  readonly images: {
    readonly asked: { filter: ImageFilter; page: ImagePage };
    readonly answer: readonly BuildImageRow[];
  };
  readonly scope: { readonly asked: { scope: string }; readonly answer: ScopeRow | null };
  readonly scopes: {
    readonly asked: { filter: { repository: string; tag?: string } };
    readonly answer: readonly ScopeRow[];
  };
  readonly everyScope: {
    readonly asked: { page: Parameters<ReadModel["everyScope"]>[0] };
    readonly answer: readonly ScopeRow[];
  };
  readonly versions: { readonly asked: { scope: string }; readonly answer: readonly WireVersionRow[] };
  readonly observations: {
    readonly asked: { filter: WireObservationFilter; page: WireObservationPage };
    readonly answer: readonly WireObservationRow[];
  };
  readonly stays: {
    readonly asked: { scope: string; limit: number; before?: string };
    readonly answer: readonly WireStayRow[];
  };
  readonly droppedBefore: { readonly asked: object; readonly answer: string | null };
}

export type Question = keyof Questions;

export type Call<Of extends Question = Question> = {
  readonly [Name in Of]: { readonly id: number; readonly call: Name } & Readonly<Questions[Name]["asked"]>;
}[Of];

export type Answer =
  | { readonly id: number; readonly result: Questions[Question]["answer"] }
  | { readonly id: number; readonly error: WireError }
  | { readonly id: number; readonly message: WireMessage };

/** An answer as it comes in: whoever asked knows its type. */
export type Received = Greeting | Call | Exclude<Answer, { readonly result: unknown }> | Result;
interface Result {
  readonly id: number;
  readonly result: never;
}

export interface WireError {
  readonly code: FetchImageErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly details: JsonObject;
}

/** JSON has no integers of 64 bits: revisions and check orders go as text. */
export type WireFact = Omit<RecordedFact, "revision"> & { readonly revision: string };
type WirePage = Omit<Page, "facts" | "next"> & {
  readonly facts: readonly WireFact[];
  readonly next: Position | null;
};
type WireReadOptions = Omit<ReadOptions, "from"> & { readonly from?: string };
export type WireVersionRow = Omit<VersionRow, "checkOrder"> & { readonly checkOrder?: string };
type WireObservationRow = WithRevisionText<ObservationRow>;
type WireStayRow = WithRevisionText<StayRow>;
type WireObservationFilter = Omit<ObservationFilter, "before"> & { readonly before?: string };
type WireObservationPage = Omit<ObservationPage, "after"> & {
  readonly after?: WithRevisionText<NonNullable<ObservationPage["after"]>>;
};
type WithRevisionText<Row extends { readonly revision: bigint }> = Omit<Row, "revision"> & {
  readonly revision: string;
};
export type WireChanges = Omit<ReadModelChanges, "versions" | "observations"> & {
  readonly versions: readonly WireVersionRow[];
  readonly observations: readonly WireObservationRow[];
};
export type WireMessage =
  | { readonly kind: "fact"; readonly fact: WireFact }
  | { readonly kind: "caught-up"; readonly position: Position | null };

/** A page of changes may be large; anything larger than this comes from no reader of ours. */
const longestLine = 256 * 1024 * 1024;

export function factToWire(fact: RecordedFact): WireFact {
  return { ...fact, revision: String(fact.revision) };
}

export function factFromWire(fact: WireFact): RecordedFact {
  return { ...fact, revision: BigInt(fact.revision) };
}

export function versionToWire({ checkOrder, ...row }: VersionRow): WireVersionRow {
  return checkOrder === undefined ? row : { ...row, checkOrder: String(checkOrder) };
}

export function versionFromWire({ checkOrder, ...row }: WireVersionRow): VersionRow {
  return checkOrder === undefined ? row : { ...row, checkOrder: BigInt(checkOrder) };
}

export function changesToWire({ versions, observations, ...changes }: ReadModelChanges): WireChanges {
  return { ...changes, versions: versions.map(versionToWire), observations: observations.map(revisionToWire) };
}

export function changesFromWire({ versions, observations, ...changes }: WireChanges): ReadModelChanges {
  return { ...changes, versions: versions.map(versionFromWire), observations: observations.map(revisionFromWire) };
}

export function revisionToWire<Row extends { readonly revision: bigint }>(row: Row): WithRevisionText<Row> {
  return { ...row, revision: String(row.revision) };
}

export function revisionFromWire<Row extends { readonly revision: string }>(
  row: Row,
): Omit<Row, "revision"> & { readonly revision: bigint } {
  return { ...row, revision: BigInt(row.revision) };
}

export function messageToWire(message: SubscriptionMessage): WireMessage {
  return message.kind === "fact"
    ? { kind: "fact", fact: factToWire(message.fact) }
    : { kind: "caught-up", position: message.position ?? null };
}

export function messageFromWire(message: WireMessage): SubscriptionMessage {
  return message.kind === "fact"
    ? { kind: "fact", fact: factFromWire(message.fact) }
    : { kind: "caught-up", position: message.position ?? undefined };
}

export function errorToWire(error: unknown): WireError {
  const known = FetchImageError.is(error)
    ? error
    : new FetchImageError("FI_INTERNAL", { message: error instanceof Error ? error.message : String(error) });
  const { code, message, hint, retryable, details } = known;
  return { code, message, hint, retryable, details };
}

export function errorFromWire(error: WireError): FetchImageError {
  return new FetchImageError(error.code, error);
}

/** Reads documents, one a line, until the stream ends; rejects as it breaks, or where a line is none. */
export async function* documents(stream: Duplex): AsyncGenerator<Received, void> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    let rest: Buffer = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield JSON.parse(Buffer.concat([...parts, rest.subarray(0, end)]).toString());
      parts = [];
      length = 0;
      rest = rest.subarray(end + 1);
    }
    length += rest.length;
    if (length > longestLine) throw new Error("a line of the readers' protocol is too long");
    if (rest.length > 0) parts.push(rest);
  }
}

/** Writes one document; resolves when the other side has room for more. */
export async function send(
  stream: Duplex,
  document: Greeting | Answer | { readonly id: number; readonly call: Question },
): Promise<void> {
  if (stream.destroyed || stream.write(`${JSON.stringify(document)}\n`)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      stream.off("drain", go).off("close", go);
      resolve();
    };
    stream.on("drain", go).on("close", go);
  });
}
