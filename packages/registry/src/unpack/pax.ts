import type { Complaints } from "./complaints.ts";

/** Keyword and value, as bytes (byte-text.ts), in their order; GNU's oldest sparse format repeats keywords. */
export type PaxRecords = readonly (readonly [keyword: string, value: string])[];

/**
 * The records of one pax extended header (POSIX.1-2017 pax, "pax Extended Header"): `LENGTH KEYWORD=VALUE\n`, the length
 * counting itself. Throws `FI_LAYER_INVALID`.
 */
export function parsePaxRecords(data: Buffer, complaints: Complaints): PaxRecords {
  const records: [string, string][] = [];
  const text = data.toString("latin1");
  for (let at = 0; at < text.length;) {
    // Some writers fill up with NULs.
    if (text[at] === "\0") break;
    const blank = text.indexOf(" ", at);
    const digits = blank === -1 || blank - at > 8 ? "" : text.slice(at, blank);
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const [equals, end] = [text.indexOf("=", blank), at + length];
    if (length === 0 || end > text.length || text[end - 1] !== "\n" || equals <= blank + 1 || equals >= end - 1) {
      throw complaints.invalid("a record of a pax header is malformed");
    }
    const [keyword, value] = [text.slice(blank + 1, equals), text.slice(equals + 1, end - 1)];
    // Only an attribute's value is free to have them; a path with a NUL would be another one to the system.
    if (value.includes("\0") && !keyword.startsWith(attributePrefix)) {
      throw complaints.invalid(`the pax record \`${keyword}\` has a NUL in its value`);
    }
    records.push([keyword, value]);
    at = end;
  }
  return records;
}

/** How GNU tar, Go and libarchive spell extended attributes. */
const attributePrefix = "SCHILY.xattr.";

/** What pax records say of an entry, over what its header says. An empty value takes a record back. */
export interface PaxAttributes {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly xattrs: ReadonlyMap<string, string>;
  /** The keywords below `GNU.sparse.`, without it. */
  readonly sparse: PaxRecords;
}

export function readPaxRecords(records: PaxRecords, complaints: Complaints): PaxAttributes {
  const values = new Map<string, string>();
  const xattrs = new Map<string, string>();
  const sparse: [string, string][] = [];
  for (const [keyword, value] of records) {
    if (keyword.startsWith(sparsePrefix)) {
      sparse.push([keyword.slice(sparsePrefix.length), value]);
      continue;
    }
    const attribute = keyword.startsWith(attributePrefix);
    const [map, key] = attribute ? [xattrs, keyword.slice(attributePrefix.length)] : [values, keyword];
    if (value === "") map.delete(key);
    else map.set(key, value);
  }
  const [path, linkpath] = [values.get("path"), values.get("linkpath")];
  const number = (keyword: "size" | "uid" | "gid" | "mtime"): { readonly [key: string]: number } => {
    const text = values.get(keyword);
    if (text === undefined) return {};
    const value = keyword === "mtime" ? parsePaxTime(text) : /^[0-9]{1,16}$/.test(text) ? Number(text) : undefined;
    if (value !== undefined && Math.abs(value) <= Number.MAX_SAFE_INTEGER) return { [keyword]: value };
    throw complaints.invalid(`the pax record \`${keyword}\` is no number`);
  };
  return {
    ...(path === undefined ? {} : { path }),
    ...(linkpath === undefined ? {} : { linkpath }),
    ...number("size"),
    ...number("uid"),
    ...number("gid"),
    ...number("mtime"),
    xattrs,
    sparse,
  };
}

const sparsePrefix = "GNU.sparse.";

/** Seconds with any number of decimals, of which six count; what is cut off makes it earlier. */
export function parsePaxTime(text: string): number | undefined {
  const [, sign, seconds, fraction = "", rest = ""] = /^(-?)([0-9]{1,11})(?:\.([0-9]{0,6})([0-9]*))?$/.exec(text) ?? [];
  if (seconds === undefined) return undefined;
  const microseconds = Number(seconds) * 1e6 + Number(fraction.padEnd(6, "0"));
  return (sign === "" ? microseconds : -microseconds - (/[1-9]/.test(rest) ? 1 : 0)) / 1e6;
}

/**
 * What a global header says of all entries after it, as far as it matters here. A name or a size that many share is
 * nonsense, or a trick, and throws `FI_LAYER_INVALID`.
 */
export function globalRecords(records: PaxRecords, complaints: Complaints): PaxRecords {
  const odd = records.find(([keyword]) => /^(?:path|linkpath|size|GNU\.sparse\..*)$/.test(keyword));
  if (odd) throw complaints.invalid(`a global pax header sets \`${odd[0]}\``);
  return records.filter(([keyword]) => /^(?:mtime|uid|gid|SCHILY\.xattr\..*)$/s.test(keyword));
}
