import {
  type BuildFact,
  decodeBuildFact,
  decodeScopeFact,
  FetchImageError,
  type RecordedBuildFact,
  type RecordedFact,
  type RecordedScopeFact,
  type UnknownFact,
} from "@fetch-image/core";

/** A fact as the server sends it and as an export file has it: one JSON object, its revision a number. */
interface WireFact {
  readonly id?: string;
  readonly stream: string;
  readonly revision: number;
  readonly position?: string;
  readonly type: string;
  readonly data: RecordedFact["data"];
  readonly metadata: RecordedFact["metadata"];
}

const hint = "Facts are JSON objects, one a line, as `fetch-image export BUILD --format ndjson` writes them.";

/** Throws `FI_FACT_UNREADABLE` where the text is no fact, naming the place: `line 3`, `an event of build 7`. */
export function parseWireFact(text: string, where: string): RecordedFact {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FetchImageError("FI_FACT_UNREADABLE", { message: `${where} is no JSON`, hint, cause });
  }
  if (!isWireFact(value)) {
    throw new FetchImageError("FI_FACT_UNREADABLE", {
      message: `${where} is no fact: it needs stream, revision, type, data and metadata with a time`,
      hint,
    });
  }
  const { id = "", stream, revision, position = "", type, data, metadata } = value;
  return { id, stream, revision: BigInt(revision), position, type, data, metadata };
}

/** A known fact, checked against its schema, or one of a newer version as it stands. Throws `FI_FACT_UNREADABLE`. */
export function readBuildFact(recorded: RecordedFact): RecordedBuildFact | UnknownFact {
  return decodeBuildFact(recorded).fact;
}

/** As {@link readBuildFact}, for a scope. */
export function readScopeFact(recorded: RecordedFact): RecordedScopeFact | UnknownFact {
  return decodeScopeFact(recorded).fact;
}

/** The fetch that a build's fact is about. */
export function fetchOf(fact: RecordedBuildFact | UnknownFact): string | undefined {
  const { data } = fact as { readonly data: BuildFact["data"] | null };
  return typeof data === "object" && data !== null && "fetchId" in data && typeof data.fetchId === "string"
    ? data.fetchId
    : undefined;
}

function isWireFact(value: unknown): value is WireFact {
  if (!isObject(value)) return false;
  const { stream, revision, type, data, metadata } = value;
  return (
    typeof stream === "string" &&
    Number.isSafeInteger(revision) &&
    typeof type === "string" &&
    isObject(data) &&
    isObject(metadata) &&
    typeof metadata["time"] === "string"
  );
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
