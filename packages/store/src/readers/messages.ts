import type {
  FetchImageErrorCode,
  JsonObject,
  Page,
  RecordedFact,
  SubscriptionMessage,
  VersionRow,
} from "@fetch-image/core";

/** What came over the wire, of JSON.parse's own type: both ends are of one version, so what was sent is what arrives. */
type Parsed = ReturnType<typeof JSON.parse>;

/** What a reader asks of the process that holds the store: one JSON document a line. */
export type Request =
  | { readonly id: number; readonly method: Method; readonly parameters: readonly Parsed[] }
  | { readonly cancel: number };

export type Method =
  | "read"
  | "readAll"
  | "subscribe"
  | "checkpoint"
  | "build"
  | "builds"
  | "imagesOfBuild"
  | "imagesByDigest"
  | "scopes"
  | "versions";

/** The answer to the request with the same id: a result, or, of a subscription, any number of `next` and an `end`. */
export type Reply =
  | { readonly id: number; readonly result: Parsed }
  | { readonly id: number; readonly next: Parsed }
  | { readonly id: number; readonly end: true }
  | { readonly id: number; readonly error: ErrorOnWire };

export interface ErrorOnWire {
  readonly code: FetchImageErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly details: JsonObject;
}

/** JSON has no bigint. Only fields known to be one are turned, so that no fact's data is mistaken for one. */
export function factToWire(fact: RecordedFact): unknown {
  return { ...fact, revision: String(fact.revision) };
}

export function factFromWire(wire: Omit<RecordedFact, "revision"> & { readonly revision: string }): RecordedFact {
  return { ...wire, revision: BigInt(wire.revision) };
}

export function pageToWire(page: Page): unknown {
  return { ...page, facts: page.facts.map(factToWire) };
}

export function pageFromWire(wire: Parsed): Page {
  return { facts: wire.facts.map(factFromWire), next: wire.next, end: wire.end };
}

export function messageToWire(message: SubscriptionMessage): unknown {
  return message.kind === "fact" ? { kind: "fact", fact: factToWire(message.fact) } : message;
}

export function messageFromWire(wire: Parsed): SubscriptionMessage {
  return wire.kind === "fact"
    ? { kind: "fact", fact: factFromWire(wire.fact) }
    : { kind: wire.kind, position: wire.position };
}

export function versionToWire(row: VersionRow): unknown {
  return { ...row, ...(row.checkOrder === undefined ? {} : { checkOrder: String(row.checkOrder) }) };
}

export function versionFromWire(wire: Omit<VersionRow, "checkOrder"> & { readonly checkOrder?: string }): VersionRow {
  const { checkOrder, ...row } = wire;
  return { ...row, ...(checkOrder === undefined ? {} : { checkOrder: BigInt(checkOrder) }) };
}
