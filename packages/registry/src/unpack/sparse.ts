import type { ByteSource } from "./byte-source.ts";
import type { Complaints } from "./complaints.ts";
import type { PaxRecords } from "./pax.ts";
import { blockSize, parseTarNumber } from "./tar-header.ts";

/** Where the stored bytes of a sparse file belong; the rest of its `size` is holes. In order, none over another. */
export interface SparseMap {
  readonly size: number;
  readonly pieces: readonly SparsePiece[];
}

export interface SparsePiece {
  readonly offset: number;
  readonly length: number;
}

/** Reads what belongs to a header and stands after it; refuses more than a bound. */
export interface MoreHeader {
  readonly source: ByteSource;
  /** Throws when the entry's headers, with these bytes, are past their bound. */
  readonly count: (bytes: number) => void;
  readonly complaints: Complaints;
}

/** GNU tar's old format (its manual, "Storing Sparse Files"): the map stands in the header and in blocks after it. */
export async function readOldGnuSparse(header: Buffer, more: MoreHeader): Promise<SparseMap> {
  const size = parseTarNumber(header.subarray(483, 495));
  const pieces: SparsePiece[] = [];
  readPieces(header.subarray(386, 386 + 4 * 24), pieces, more.complaints);
  for (let extended = header[482] !== 0; extended;) {
    more.count(blockSize);
    const block = await more.source.take(blockSize);
    if (block.length < blockSize) throw more.complaints.invalid("the archive ends within a sparse file's map");
    readPieces(block.subarray(0, 21 * 24), pieces, more.complaints);
    extended = block[504] !== 0;
  }
  return checked(size, pieces, more.complaints);
}

/** The three formats in pax records: 0.0 repeats two keywords, 0.1 has one list, 1.0 begins the content with it. */
export async function readPaxSparse(
  records: PaxRecords,
  more: MoreHeader,
): Promise<{ readonly map: SparseMap; readonly name: string | undefined; readonly mapBytes: number }> {
  const values = new Map(records);
  const name = values.get("name");
  const size = decimal(values.get("realsize") ?? values.get("size"));
  if (values.get("major") === "1" && values.get("minor") === "0") {
    const { numbers, mapBytes } = await readMapBeforeContent(more);
    return { map: checked(size, inPairs(numbers, more.complaints), more.complaints), name, mapBytes };
  }
  const list =
    values.get("map")?.split(",") ?? records.filter(([key]) => key === "offset" || key === "numbytes").map(second);
  return { map: checked(size, inPairs(list.map(decimal), more.complaints), more.complaints), name, mapBytes: 0 };
}

/** Whether the records make their entry a sparse file; `size` alone or `name` alone does not. */
export function hasPaxSparse(records: PaxRecords): boolean {
  return records.some(([keyword]) => keyword === "major" || keyword === "map" || keyword === "numblocks");
}

// A count, then offset and length of each piece, a decimal a line, filled up to whole blocks.
async function readMapBeforeContent({ source, count, complaints }: MoreHeader): Promise<{
  readonly numbers: readonly (number | undefined)[];
  readonly mapBytes: number;
}> {
  let text = "";
  let [lines, wanted, mapBytes] = [0, Number.POSITIVE_INFINITY, 0];
  while (lines < wanted) {
    count(blockSize);
    const block = await source.take(blockSize);
    if (block.length < blockSize) throw complaints.invalid("the archive ends within a sparse file's map");
    mapBytes += blockSize;
    text += block.toString("latin1");
    lines += block.reduce((sum, byte) => (byte === newline ? sum + 1 : sum), 0);
    if (lines === 0) throw complaints.invalid("a sparse file's map is malformed");
    if (wanted === Number.POSITIVE_INFINITY)
      wanted = 1 + 2 * (decimal(text.slice(0, text.indexOf("\n"))) ?? Number.NaN);
    if (Number.isNaN(wanted)) throw complaints.invalid("a sparse file's map is malformed");
  }
  return { numbers: text.split("\n").slice(1, wanted).map(decimal), mapBytes };
}

const newline = 0x0a;

function readPieces(fields: Buffer, pieces: SparsePiece[], complaints: Complaints): void {
  for (let at = 0; at < fields.length; at += 24) {
    // An unused place ends the map.
    if (fields[at] === 0) return;
    const [offset, length] = [
      parseTarNumber(fields.subarray(at, at + 12)),
      parseTarNumber(fields.subarray(at + 12, at + 24)),
    ];
    pieces.push(...inPairs([offset, length], complaints));
  }
}

function inPairs(numbers: readonly (number | undefined)[], complaints: Complaints): readonly SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    const [offset, length] = [numbers[at], numbers[at + 1]];
    if (offset === undefined || length === undefined) throw complaints.invalid("a sparse file's map is malformed");
    pieces.push({ offset, length });
  }
  return pieces;
}

function checked(size: number | undefined, pieces: readonly SparsePiece[], complaints: Complaints): SparseMap {
  let end = 0;
  for (const { offset, length } of pieces) {
    if (offset < end || length < 0) throw complaints.invalid("the pieces of a sparse file overlap");
    end = offset + length;
  }
  if (size === undefined || size < end) throw complaints.invalid("the pieces of a sparse file go beyond its size");
  return { size, pieces };
}

function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function second(record: readonly [string, string]): string {
  return record[1];
}
