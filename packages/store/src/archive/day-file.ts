import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Transform } from "node:stream";
import { once } from "node:events";
import { createGunzip, createGzip, type Gzip } from "node:zlib";
import { buildStreamPrefix, type Position, type RecordedFact } from "@fetch-image/core/fetching";
import { draftName } from "./drafts.ts";
import { damaged } from "./errors.ts";
import { type ArchivedFile, putInPlace } from "./manifest.ts";

/** Writes one file of an archive, compressed: facts of one kind repeat their fields, and take a tenth of their room. */
export class DayFileWriter {
  readonly #directory: string;
  readonly #draft: string;
  readonly #handle: FileHandle;
  readonly #gzip: Gzip;
  readonly #hash: Hash = createHash("sha256");
  readonly #written: Promise<void>;
  #bytes = 0;
  #builds = 0;
  #facts = 0;
  #positions: ArchivedFile["positions"] | undefined;

  private constructor(directory: string, draft: string, handle: FileHandle) {
    this.#directory = directory;
    this.#draft = draft;
    this.#handle = handle;
    this.#gzip = createGzip();
    this.#written = this.#write();
    // Heard of at the next turn.
    this.#written.catch(() => undefined);
  }

  static async create(directory: string, day: string): Promise<DayFileWriter> {
    const draft = join(directory, draftName(day));
    return new DayFileWriter(directory, draft, await open(draft, "wx", 0o600));
  }

  get builds(): number {
    return this.#builds;
  }

  async add(facts: readonly RecordedFact[]): Promise<void> {
    const lines = facts.map(factLine).join("");
    this.#builds++;
    this.#facts += facts.length;
    for (const { position } of facts) this.#positions = wider(this.#positions, position);
    // A failure of the disk would leave nobody to drain it.
    if (!this.#gzip.write(lines)) await Promise.race([once(this.#gzip, "drain"), this.#written]);
  }

  /** Makes it last under its name. */
  async finish(file: string, day: string): Promise<ArchivedFile> {
    this.#gzip.end();
    await this.#written;
    await this.#handle.sync();
    await this.#handle.close();
    await putInPlace(this.#draft, this.#directory, file);
    const positions = this.#positions ?? { first: "", last: "" };
    const [builds, facts, bytes] = [this.#builds, this.#facts, this.#bytes];
    return { file, day, builds, facts, positions, bytes, sha256: this.#hash.digest("hex") };
  }

  async discard(): Promise<void> {
    this.#gzip.destroy();
    await this.#written.catch(() => undefined);
    await this.#handle.close().catch(() => undefined);
    await rm(this.#draft, { force: true });
  }

  async #write(): Promise<void> {
    for await (const chunk of this.#gzip) {
      const bytes: Buffer = chunk;
      this.#hash.update(bytes);
      this.#bytes += bytes.length;
      await this.#handle.writeFile(bytes);
    }
  }
}

/**
 * The builds of one file, each with its facts in order. Whether the file is what the manifest says is known at its end:
 * rejects with `FI_ARCHIVE_DAMAGED` naming it, then at the latest.
 */
export async function* buildsOfFile(
  directory: string,
  expected: ArchivedFile,
): AsyncGenerator<readonly [RecordedFact, ...RecordedFact[]], void> {
  const { file } = expected;
  const fail = (how: string) => damaged(directory, file, how);
  const hash = createHash("sha256");
  const count = { bytes: 0, builds: 0, facts: 0 };
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      count.bytes += chunk.length;
      done(undefined, chunk);
    },
  });
  const source = createReadStream(join(directory, file));
  const gunzip = createGunzip();
  source.on("error", (error) => gunzip.destroy(error));
  const lines = createInterface({ input: source.pipe(hashing).pipe(gunzip), crlfDelay: Infinity });
  // The interface itself does not hear of its input's failure.
  const failure = once(gunzip, "error").then(([error]: Error[]) => error);
  failure.catch(() => undefined);
  gunzip.on("error", () => lines.close());
  try {
    let build: [RecordedFact, ...RecordedFact[]] | undefined;
    for await (const line of lines) {
      const fact = readFact(line);
      if (fact === undefined) throw fail(`holds a line ${count.facts + 1} that is no fact of a build`);
      count.facts++;
      if (build?.[0].stream === fact.stream) {
        if (fact.revision !== BigInt(build.length))
          throw fail(`lacks a fact of ${fact.stream} before revision ${fact.revision}`);
        build.push(fact);
        continue;
      }
      if (fact.revision !== 0n) throw fail(`lacks the first facts of ${fact.stream}`);
      if (build !== undefined) yield build;
      count.builds++;
      build = [fact];
    }
    if (gunzip.errored !== null) throw await failure;
    if (hash.digest("hex") !== expected.sha256) throw fail("does not have the sha256 that the manifest names");
    const same = (["bytes", "builds", "facts"] as const).every((what) => count[what] === expected[what]);
    if (!same) throw fail("does not hold as much as the manifest says");
    if (build !== undefined) yield build;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "ENOENT") throw fail("is in the manifest, and not there");
    throw code.startsWith("Z_") ? fail("cannot be decompressed") : error;
  } finally {
    lines.close();
    source.destroy();
    gunzip.destroy();
  }
}

function factLine({ stream, revision, id, type, data, metadata, position }: RecordedFact): string {
  return `${JSON.stringify({ stream, revision: String(revision), id, type, data, metadata, position })}\n`;
}

function readFact(line: string): RecordedFact | undefined {
  try {
    const { revision, ...fact }: Omit<RecordedFact, "revision"> & { revision: string } = JSON.parse(line);
    const isBuilds = fact.stream.startsWith(buildStreamPrefix) && /^\d{1,18}$/.test(revision);
    return isBuilds ? { ...fact, revision: BigInt(revision) } : undefined;
  } catch {
    return undefined;
  }
}

function wider(range: ArchivedFile["positions"] | undefined, position: Position): ArchivedFile["positions"] {
  if (range === undefined) return { first: position, last: position };
  return {
    first: isBefore(position, range.first) ? position : range.first,
    last: isBefore(range.last, position) ? position : range.last,
  };
}

// Of every store that there is: numbers, perhaps with a name before them.
function isBefore(a: Position, b: Position): boolean {
  const [left, right] = [a, b].map((position) => position.match(/\d+/g)?.map(BigInt) ?? []);
  const at = left?.findIndex((number, index) => number !== right?.[index]) ?? -1;
  return at >= 0 && (left?.[at] ?? 0n) < (right?.[at] ?? 0n);
}
