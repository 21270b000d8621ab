import { mkdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  buildStream,
  type CancelSignal,
  type EventLog,
  FetchImageError,
  formatTime,
  type ReadModel,
} from "@fetch-image/core/fetching";
import { type BuildDigest, digestOf, isOver } from "./build-facts.ts";
import { buildsOfFile, DayFileWriter } from "./day-file.ts";
import { removeDrafts } from "./drafts.ts";
import { archiveError, damaged } from "./errors.ts";
import { lockArchive } from "./lock.ts";
import { type ArchivedFile, fileName, readManifest, syncDirectory, writeManifest } from "./manifest.ts";

export interface ArchivedBuild {
  readonly buildId: string;
  /** Of the last fact that the archive holds. */
  readonly lastRevision: bigint;
}

export interface ArchiveBuildsOptions {
  readonly eventLog: EventLog;
  /** Projected to the log's head: which builds there are is asked of it. */
  readonly readModel: ReadModel;
  /** Made where it is missing. */
  readonly directory: string;
  /** In milliseconds since 1970: builds are archived that were opened, and got their last fact, before. */
  readonly before: number;
  /** Removes the facts of builds that are in the archive up to the revision named, and of no other. Without it, nothing
   *  is removed. `expireArchived` of `store/postgres` and `store/pglite` does so. */
  readonly expire?: (builds: readonly ArchivedBuild[]) => Promise<{ readonly builds: number; readonly facts: number }>;
  /** Ends it with `FI_ABORTED` between two batches; the next call goes on. */
  readonly signal?: CancelSignal;
  readonly onProgress?: (progress: ArchiveProgress) => void;
}

export interface ArchiveProgress {
  readonly day: string;
  /** Of this call, so far. */
  readonly builds: number;
  readonly facts: number;
}

export interface ArchiveSummary {
  /** Written by this call. */
  readonly builds: number;
  readonly facts: number;
  readonly files: readonly string[];
  /** Builds opened before that are in the archive already. */
  readonly already: number;
  /** Builds opened before that are not over, or of which nobody can say so: they stay as they are. */
  readonly left: number;
  /** Undefined where nothing was to expire. */
  readonly expired: { readonly builds: number; readonly facts: number } | undefined;
}

/** Builds whose facts are in memory at a time. */
const atOnce = 32;
const pageSize = 500;
const mostExpired = 200;

/**
 * Writes the facts of builds that are long over into files, one for each day on which they were opened, and then removes
 * them from the store where it is told to. A file gets its name when it is whole and on the disk, and into the manifest
 * next; what is removed is what was read back from it. So it may be interrupted at any point and run again. Builds of a
 * day that are over later go into a further file of that day.
 *
 * Rejects with `FI_ARCHIVE_DAMAGED` where a file of one of the days is not as it was written, `FI_STORE_LOCKED` where
 * another process writes the archive, `FI_ARCHIVE_UNUSABLE`, `FI_STORE_FULL`, and with what the store rejects with.
 */
export async function archiveBuilds(options: ArchiveBuildsOptions): Promise<ArchiveSummary> {
  const { directory } = options;
  try {
    await makeDirectory(resolve(directory));
    const release = await lockArchive(directory);
    try {
      await removeDrafts(directory);
      const manifest = await readManifest(directory);
      // An archive of nothing is one: it can be restored, and added to.
      if (manifest === undefined) await writeManifest(directory, { files: [] });
      const run = new ArchiveRun(options, manifest?.files ?? []);
      for await (const { day, ids } of days(options)) await run.archive(day, ids);
      return run.summary;
    } finally {
      await release();
    }
  } catch (error) {
    throw archiveError(error, directory);
  }
}

/** A directory that a power loss takes away takes its files along. */
async function makeDirectory(directory: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  for (let above = dirname(directory); ; above = dirname(above)) {
    await syncDirectory(above);
    if (above.length <= dirname(made).length) return;
  }
}

class ArchiveRun {
  readonly #options: ArchiveBuildsOptions;
  #known: readonly ArchivedFile[];
  readonly #files: string[] = [];
  readonly #count = { builds: 0, facts: 0, already: 0, left: 0 };
  readonly #expired = { builds: 0, facts: 0 };

  constructor(options: ArchiveBuildsOptions, known: readonly ArchivedFile[]) {
    this.#options = options;
    this.#known = known;
  }

  get summary(): ArchiveSummary {
    const expired = this.#options.expire === undefined ? undefined : { ...this.#expired };
    return { ...this.#count, files: [...this.#files], expired };
  }

  async archive(day: string, ids: readonly string[]): Promise<void> {
    const { directory, eventLog, before, onProgress } = this.#options;
    const ofDay = this.#known.filter((file) => file.day === day);
    const there = new Map<string, BuildDigest>();
    for (const file of ofDay) for (const build of await this.#readBack(file)) there.set(build.buildId, build);
    const inArchive: BuildDigest[] = [];
    const added = new Map<string, BuildDigest>();
    let writer: DayFileWriter | undefined;
    try {
      for (let at = 0; at < ids.length; at += atOnce) {
        this.#assertWanted();
        const some = ids.slice(at, at + atOnce);
        const streams = await Promise.all(some.map((id) => eventLog.read(buildStream(id))));
        for (const facts of streams) {
          if (facts.length === 0) continue;
          const build = digestOf(facts);
          if (there.get(build.buildId)?.sha256 === build.sha256) {
            this.#count.already++;
            inArchive.push(build);
          } else if (isOver(facts, before)) {
            writer ??= await DayFileWriter.create(directory, day);
            await writer.add(facts);
            added.set(build.buildId, build);
            this.#count.builds++;
            this.#count.facts += facts.length;
          } else this.#count.left++;
        }
        onProgress?.({ day, builds: this.#count.builds, facts: this.#count.facts });
      }
      if (writer !== undefined) inArchive.push(...(await this.#keep(writer, day, { ofDay, added })));
      writer = undefined;
    } finally {
      await writer?.discard();
    }
    await this.#expire(inArchive);
  }

  /** Puts a file into the archive, and gives its builds as they are read from there. */
  async #keep(
    writer: DayFileWriter,
    day: string,
    { ofDay, added }: { readonly ofDay: readonly ArchivedFile[]; readonly added: ReadonlyMap<string, BuildDigest> },
  ): Promise<readonly BuildDigest[]> {
    const { directory } = this.#options;
    // A file that is not in the manifest is what was left when its writing was interrupted.
    const name = fileName(day, ofDay.length + 1);
    await rm(join(directory, name), { force: true });
    const file = await writer.finish(name, day);
    const builds = await this.#readBack(file);
    const isWhole =
      builds.length === added.size && builds.every((one) => added.get(one.buildId)?.sha256 === one.sha256);
    if (!isWhole) throw damaged(directory, name, "holds other facts than were written to it");
    this.#known = [...this.#known, file].toSorted((a, b) => (a.file < b.file ? -1 : 1));
    await writeManifest(directory, { files: this.#known });
    this.#files.push(name);
    return builds;
  }

  async #readBack(file: ArchivedFile): Promise<readonly BuildDigest[]> {
    const builds: BuildDigest[] = [];
    for await (const facts of buildsOfFile(this.#options.directory, file)) {
      this.#assertWanted();
      builds.push(digestOf(facts));
    }
    return builds;
  }

  async #expire(builds: readonly BuildDigest[]): Promise<void> {
    const { expire } = this.#options;
    if (expire === undefined) return;
    for (let at = 0; at < builds.length; at += mostExpired) {
      this.#assertWanted();
      const { builds: gone, facts } = await expire(builds.slice(at, at + mostExpired));
      this.#expired.builds += gone;
      this.#expired.facts += facts;
    }
  }

  #assertWanted(): void {
    if (this.#options.signal?.aborted !== true) return;
    throw new FetchImageError("FI_ABORTED", {
      message: "archiving was interrupted",
      hint: "Run it again: what is in the archive's manifest stays there.",
    });
  }
}

/** The builds whose facts may be there, by the day of their opening, the newest day first, the oldest build of a day first. */
async function* days({
  readModel,
  before,
}: ArchiveBuildsOptions): AsyncGenerator<{ day: string; ids: string[] }, void> {
  let after: { readonly openedAt: string; readonly buildId: string } | undefined;
  let found: { day: string; ids: string[] } | undefined;
  for (;;) {
    const until = formatTime(before);
    const page = await readModel.builds({ until, stored: true, limit: pageSize, ...(after && { after }) });
    for (const { buildId, openedAt = "" } of page) {
      const day = openedAt.slice(0, openedAt.indexOf("T"));
      if (found?.day !== day) {
        if (found !== undefined) yield { day: found.day, ids: found.ids.toReversed() };
        found = { day, ids: [] };
      }
      found.ids.push(buildId);
    }
    const last = page.at(-1);
    if (page.length < pageSize || last?.openedAt === undefined) break;
    after = { openedAt: last.openedAt, buildId: last.buildId };
  }
  if (found !== undefined) yield { day: found.day, ids: found.ids.toReversed() };
}
