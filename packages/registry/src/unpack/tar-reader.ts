import type { ByteSource } from "./byte-source.ts";
import type { Complaints } from "./complaints.ts";
import type { UnpackLimits } from "./limits.ts";
import { globalRecords, type PaxAttributes, type PaxRecords, parsePaxRecords, readPaxRecords } from "./pax.ts";
import { hasPaxSparse, readOldGnuSparse, readPaxSparse, type SparseMap, type SparsePiece } from "./sparse.ts";
import { blockSize, isZeroBlock, parseTarHeader, type TarHeader, textAt } from "./tar-header.ts";

export type TarEntryType = "file" | "hardlink" | "symlink" | "character-device" | "block-device" | "directory" | "fifo";

/** Names are bytes, see byte-text.ts. */
export interface TarEntry {
  readonly type: TarEntryType;
  readonly name: string;
  /** Of a hard link or a symbolic link. */
  readonly linkname: string;
  /** The twelve bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the file as it is to be, holes included; 0 for what has no content. */
  readonly size: number;
  /** Seconds since 1970, in whole microseconds. */
  readonly mtime: number;
  readonly xattrs: ReadonlyMap<string, string>;
  /** Where the content belongs, for a file with holes. */
  readonly pieces?: readonly SparsePiece[];
}

export interface TarReaderOptions {
  readonly limits: UnpackLimits;
  readonly complaints: Complaints;
  /** Whether the bytes are known to be those that were meant, so that what stands behind the end mark hides nothing. */
  readonly verified?: boolean;
}

/**
 * Reads a tar as it streams by: ustar, GNU, star, V7 and pax, sparse files in all four of GNU's formats. What it holds is
 * bounded by `entryHeaderBytes`. Whatever else the bytes are, it throws `FI_LAYER_INVALID` or `FI_LAYER_TOO_LARGE`.
 */
export class TarReader {
  readonly #source: ByteSource;
  readonly #limits: UnpackLimits;
  readonly #complaints: Complaints;
  readonly #verified: boolean;
  readonly #globals = new Map<string, string>();
  /** Of the current entry: content not read yet, and what fills up its last block. */
  #left = 0;
  #padding = 0;
  #name: string | undefined;
  #headerBytes = 0;
  #state: "reading" | "ended" | "ended-by-mark" = "reading";

  constructor(source: ByteSource, { limits, complaints, verified = false }: TarReaderOptions) {
    this.#verified = verified;
    this.#source = source;
    this.#limits = limits;
    this.#complaints = complaints;
  }

  /** Whether the archive had the two blocks of zeros that end one; some writers forget them. Known once it has ended. */
  get hasEndMark(): boolean {
    return this.#state === "ended-by-mark";
  }

  /** The next entry, whether or not the content of the last was read; undefined at the end of the stream. */
  async next(): Promise<TarEntry | undefined> {
    if (this.#state !== "reading" || !(await this.#finishContent())) return undefined;
    this.#headerBytes = 0;
    const extended: Extended = {};
    for (;;) {
      const block = await this.#header();
      if (!block && Object.keys(extended).length > 0) {
        throw this.#complaints.invalid("the archive ends after an extended header, without its entry");
      }
      if (!block) return undefined;
      const header = parseTarHeader(block, this.#complaints);
      if (!"xgLK".includes(header.typeflag)) return await this.#entry(block, header, extended);
      const data = await this.#extension(header);
      if (header.typeflag === "x") extended.records = parsePaxRecords(data, this.#complaints);
      else if (header.typeflag === "L") extended.name = textAt(data, 0, data.length);
      else if (header.typeflag === "K") extended.linkname = textAt(data, 0, data.length);
      else this.#addGlobals(parsePaxRecords(data, this.#complaints));
    }
  }

  /** More of the current entry's content, valid until the next call; undefined when there is no more. */
  async content(limit: number): Promise<Buffer | undefined> {
    if (this.#left === 0) return undefined;
    const part = await this.#source.some(Math.min(limit, this.#left));
    if (!part) throw this.#complaints.invalid("the archive ends within it", this.#name);
    this.#left -= part.length;
    return part;
  }

  /**
   * False where the archive ends with the content. `umoci insert` writes such, with nothing to fill up the last block,
   * and Go's archive/tar reads them.
   */
  async #finishContent(): Promise<boolean> {
    const isWhole = await this.#source.skip(this.#left);
    const goesOn = isWhole && (await this.#source.skip(this.#padding));
    if (!goesOn && !(isWhole && this.#verified)) {
      throw this.#complaints.invalid("the archive ends within it", this.#name);
    }
    this.#left = this.#padding = 0;
    if (!goesOn) this.#state = "ended";
    return goesOn;
  }

  /** Undefined at the end. */
  async #header(): Promise<Buffer | undefined> {
    const block = await this.#source.take(blockSize);
    if (block.length === 0) this.#state = "ended";
    else if (block.length < blockSize) throw this.#complaints.invalid("the archive ends within a header");
    else if (isZeroBlock(block)) await this.#end();
    return this.#state === "reading" ? block : undefined;
  }

  // Writers fill up with zeros as they like; anything else would be hidden from whoever stops at the mark, as Go's
  // archive/tar does.
  async #end(): Promise<void> {
    this.#state = "ended";
    for (let rest; (rest = await this.#source.take(blockSize)).length > 0; this.#state = "ended-by-mark") {
      if (isZeroBlock(rest) || (this.#verified && this.#state === "ended-by-mark")) continue;
      const where = this.#state === "ended" ? "after a lone block of zeros" : "after the archive's end mark";
      throw this.#complaints.invalid(`there are bytes ${where}`);
    }
  }

  async #extension({ name, size }: TarHeader): Promise<Buffer> {
    this.#count(blockSize);
    if (size < 0) throw this.#complaints.invalid("its size is negative", name);
    this.#count(size);
    const data = await this.#source.take(size);
    if (data.length < size || !(await this.#source.skip(paddingOf(size)))) {
      throw this.#complaints.invalid("the archive ends within an extended header");
    }
    return data;
  }

  #count(bytes: number): void {
    this.#headerBytes += bytes;
    const { entryHeaderBytes } = this.#limits;
    if (this.#headerBytes <= entryHeaderBytes) return;
    throw this.#complaints.tooLarge("an entry's headers are too long", "entryHeaderBytes", entryHeaderBytes);
  }

  #addGlobals(records: PaxRecords): void {
    for (const [keyword, value] of globalRecords(records, this.#complaints)) this.#globals.set(keyword, value);
    // Each entry is read with all of them.
    if (this.#globals.size > globalsAtMost) throw this.#complaints.invalid("it has too many global pax records");
    const { entryHeaderBytes } = this.#limits;
    const bytes = [...this.#globals].reduce((sum, [keyword, value]) => sum + keyword.length + value.length, 0);
    if (bytes <= entryHeaderBytes) return;
    throw this.#complaints.tooLarge("the global headers are too long", "entryHeaderBytes", entryHeaderBytes);
  }

  async #entry(block: Buffer, header: TarHeader, extended: Extended): Promise<TarEntry> {
    const pax = readPaxRecords([...this.#globals, ...(extended.records ?? [])], this.#complaints);
    const name = extended.name ?? pax.path ?? header.name;
    const type = typeOf(header.typeflag, name);
    if (type === undefined) {
      throw this.#complaints.invalid(`it is of type ${JSON.stringify(header.typeflag)}, which is not for layers`, name);
    }
    const stored = type === "file" ? (pax.size ?? header.size) : 0;
    if (stored < 0) throw this.#complaints.invalid("its size is negative", name);
    this.#name = name;
    this.#left = stored;
    this.#padding = paddingOf(stored);
    const sparse = await this.#sparse(type, block, header, pax);
    const entry: TarEntry = {
      type,
      name: sparse?.name ?? name,
      linkname: extended.linkname ?? pax.linkpath ?? header.linkname,
      mode: header.mode & 0o7777,
      uid: pax.uid ?? header.uid,
      gid: pax.gid ?? header.gid,
      size: sparse?.map.size ?? stored,
      mtime: pax.mtime ?? header.mtime,
      xattrs: pax.xattrs,
      ...(sparse && { pieces: sparse.map.pieces }),
    };
    this.#check(entry);
    return entry;
  }

  async #sparse(
    type: TarEntryType,
    block: Buffer,
    { typeflag, name: entry }: TarHeader,
    pax: PaxAttributes,
  ): Promise<{ readonly map: SparseMap; readonly name?: string | undefined } | undefined> {
    const more = { source: this.#source, count: (bytes: number) => this.#count(bytes), complaints: this.#complaints };
    if (typeflag !== "S" && !(type === "file" && hasPaxSparse(pax.sparse))) return undefined;
    const sparse =
      typeflag === "S"
        ? { map: await readOldGnuSparse(block, more), name: undefined, mapBytes: 0 }
        : await readPaxSparse(pax.sparse, more);
    this.#left -= sparse.mapBytes;
    if (sparse.map.pieces.reduce((sum, { length }) => sum + length, 0) === this.#left) return sparse;
    throw this.#complaints.invalid("the pieces of a sparse file are not what is stored of it", entry);
  }

  #check({ name, linkname, uid, gid, size }: TarEntry): void {
    const { pathBytes } = this.#limits;
    if (name.length > pathBytes) throw this.#complaints.tooLarge("its path is too long", "pathBytes", pathBytes, name);
    if (linkname.length > pathBytes) {
      throw this.#complaints.tooLarge("its link's target is too long", "pathBytes", pathBytes, name);
    }
    // The largest id means "leave it" to chown(2).
    const bad = [uid, gid].find((id) => id < 0 || id >= 0xffff_ffff);
    if (bad !== undefined) throw this.#complaints.invalid(`its owner ${bad} is no id`, name);
    if (!Number.isSafeInteger(size)) throw this.#complaints.invalid("its size is no number", name);
  }
}

const globalsAtMost = 256;

/** What comes before an entry's own header. */
interface Extended {
  records?: PaxRecords;
  name?: string;
  linkname?: string;
}

const types: { readonly [typeflag: string]: TarEntryType } = {
  "0": "file",
  "\0": "file",
  // POSIX: contiguous, to be treated as a regular file by whoever knows nothing better.
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
};

// V7 had no type for directories.
function typeOf(typeflag: string, name: string): TarEntryType | undefined {
  return typeflag === "\0" && name.endsWith("/") ? "directory" : types[typeflag];
}

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}
