import {
  FetchImageError,
  formatReference,
  isDigest,
  parseReference,
  parseTime,
  showText,
  type TimeRange,
} from "@fetch-image/core/fetching";

/** A repository, and what was named of it. */
export interface AskedReference {
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Throws `FI_REFERENCE_INVALID`. */
export function askedReference(text: string): AskedReference {
  const parsed = parseReference(text);
  if (!parsed.ok) throw parsed.error;
  const { domain, path, tag, digest } = parsed.reference;
  const repository = formatReference({ domain, path });
  return { repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** A reference whose history is asked for: a digest has none. Throws `FI_QUERY_INVALID`. */
export function askedTag(text: string): Omit<AskedReference, "digest"> {
  const { digest, ...asked } = askedReference(text);
  if (digest === undefined) return asked;
  throw new FetchImageError("FI_QUERY_INVALID", {
    message: `${text} names a digest, which has no history`,
    hint: "Give the reference without @sha256:….",
  });
}

export function askedDigest(text: string): string {
  if (isDigest(text)) return text;
  throw invalid(`${showText(text)} is no digest`, "Write sha256: and 64 lower-case hex digits.");
}

/** ISO 8601 with a zone, in milliseconds of UTC. */
export function askedTime(text: string): string {
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/i.exec(text);
  const [, day = "", minutes = "00:00", seconds = ":00", zone = "Z"] = found ?? [];
  const time = found === null ? Number.NaN : Date.parse(`${day}T${minutes}${seconds}${zone}`);
  // Date.parse takes the 31st of February for the 3rd of March.
  const midnight = Date.parse(`${day}T00:00:00Z`);
  const isDay = Number.isFinite(midnight) && new Date(midnight).toISOString().startsWith(day);
  if (Number.isFinite(time) && isDay) return new Date(time).toISOString();
  throw invalid(`${showText(text)} is no time`, "Write a time with its zone, 2026-11-22T04:40:00Z, or a day of UTC.");
}

/** The millisecond after. */
export function justAfter(time: string): string {
  return new Date(parseTime(time) + 1).toISOString();
}

export function askedRange({ since, until }: TimeRange): TimeRange {
  return {
    ...(since === undefined ? {} : { since: askedTime(since) }),
    ...(until === undefined ? {} : { until: askedTime(until) }),
  };
}

const mostRows = 1000;

/** How many rows a page has. */
export function askedLimit(limit: number | undefined): number {
  if (limit === undefined) return 100;
  if (Number.isInteger(limit) && limit >= 1 && limit <= mostRows) return limit;
  throw invalid(`a page of ${String(limit)} rows is none`, `Ask for 1 to ${mostRows}.`);
}

/** Where a page begins, as text that says nothing to anybody else. */
export function pageMark(fields: readonly string[]): string {
  return Buffer.from(JSON.stringify(fields)).toString("base64url");
}

/** What {@link pageMark} made; throws `FI_QUERY_INVALID` for anything else. */
export function readPageMark(mark: string, fields: number): readonly string[] {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(mark, "base64url").toString());
  } catch {
    // Told below.
  }
  if (Array.isArray(read) && read.length === fields && read.every((field) => typeof field === "string")) return read;
  throw invalid(`${showText(mark)} is no page of this answer`, "Give `next` of the page before as it is.");
}

export function readRevision(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw invalid(`${showText(text)} is no place in a history`, "Give `before` of the page before as it is.");
}

function invalid(message: string, hint: string): FetchImageError {
  return new FetchImageError("FI_QUERY_INVALID", { message, hint });
}
