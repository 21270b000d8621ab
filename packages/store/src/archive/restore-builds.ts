import { type CancelSignal, type EventLog, FetchImageError, type RecordedFact } from "@fetch-image/core/fetching";
import { factText } from "../copy/tally.ts";
import { Patience } from "../copy/patience.ts";
import { storesInOrder } from "../facts/ordered-appends.ts";
import { buildsOfFile } from "./day-file.ts";
import { archiveError } from "./errors.ts";
import { type ArchivedFile, readManifest } from "./manifest.ts";

export interface RestoreBuildsOptions {
  readonly eventLog: EventLog;
  readonly directory: string;
  /** Ends it with `FI_ABORTED`; the next call goes on. */
  readonly signal?: CancelSignal;
  /** How long a store that does not answer is asked again, in milliseconds. Default: 30 000. */
  readonly patienceMs?: number;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreProgress {
  readonly doing: "verifying" | "restoring";
  readonly file: string;
  /** Gone through so far. */
  readonly builds: number;
}

export interface RestoreSummary {
  /** In the archive; a build that two of its files hold counts twice. */
  readonly builds: number;
  readonly facts: number;
  /** Facts that this call stored: the others stood there already. */
  readonly restored: number;
}

/** EventStoreDB takes 1 MiB in one append unless it is told otherwise. */
const mostBytes: number = 512 * 1024;
const mostFacts = 512;

/**
 * Puts the facts of an archive back into an event log: streams, revisions, ids, types, data and metadata are those that
 * there were, positions are new. Every file is verified before the first fact is stored. What stands there already is left,
 * so it may be interrupted and run again; project afterwards.
 *
 * Rejects with `FI_ARCHIVE_DAMAGED` naming the file, `FI_ARCHIVE_UNUSABLE` where there is no archive, `FI_STORES_DIFFER`
 * where a build of the archive has other facts in the store, and with what the store rejects with.
 */
export async function restoreBuilds(options: RestoreBuildsOptions): Promise<RestoreSummary> {
  const { eventLog, directory, signal = never, patienceMs: ms = 30_000, onProgress } = options;
  const patience = new Patience({ ms, signal });
  try {
    const manifest = await readManifest(directory);
    if (manifest === undefined) {
      throw new FetchImageError("FI_ARCHIVE_UNUSABLE", {
        message: `there is no archive in ${directory}: it has no manifest.json`,
        details: { directory },
      });
    }
    const files = manifest.files;
    const { builds, facts } = await eachBuild(files, { directory, signal, doing: "verifying", onProgress });
    let restored = 0;
    let batch: (readonly RecordedFact[])[] = [];
    const flush = async (): Promise<void> => {
      restored += await restore(batch, eventLog, patience);
      batch = [];
    };
    await eachBuild(files, { directory, signal, doing: "restoring", onProgress }, async (build) => {
      batch.push(build);
      if (batch.reduce((sum, one) => sum + one.length, 0) >= mostFacts) await flush();
    });
    await flush();
    return { builds, facts, restored };
  } catch (error) {
    throw archiveError(error, directory);
  }
}

interface Reading {
  readonly directory: string;
  readonly signal: CancelSignal;
  readonly doing: RestoreProgress["doing"];
  readonly onProgress: RestoreBuildsOptions["onProgress"];
}

async function eachBuild(
  files: readonly ArchivedFile[],
  { directory, signal, doing, onProgress }: Reading,
  work: (build: readonly RecordedFact[]) => Promise<void> = async () => undefined,
): Promise<{ readonly builds: number; readonly facts: number }> {
  const count = { builds: 0, facts: 0 };
  for (const file of files) {
    for await (const build of buildsOfFile(directory, file)) {
      if (signal.aborted) throw interrupted();
      await work(build);
      count.builds++;
      count.facts += build.length;
    }
    onProgress?.({ doing, file: file.file, builds: count.builds });
  }
  return count;
}

/** Gives how many facts were stored. */
async function restore(
  builds: readonly (readonly RecordedFact[])[],
  eventLog: EventLog,
  patience: Patience,
): Promise<number> {
  const facts = builds.flat();
  // Of one stream twice, the later one may go on where the earlier one ends, and is looked at.
  const isPlain = new Set(builds.map(([first]) => first?.stream)).size === builds.length;
  if (facts.length > 0 && isPlain && storesInOrder(eventLog)) {
    if ((await patience.during(() => eventLog.appendInOrder(facts))) === "stored") return facts.length;
  }
  let stored = 0;
  for (const build of builds) stored += await restoreBuild(build, eventLog, patience);
  return stored;
}

async function restoreBuild(build: readonly RecordedFact[], eventLog: EventLog, patience: Patience): Promise<number> {
  const [first] = build;
  if (first === undefined) return 0;
  const { stream } = first;
  const there = await patience.during(() => eventLog.read(stream, { limit: build.length }));
  for (const [index, fact] of there.entries()) {
    const own = build[index];
    if (own === undefined || factText(own) !== factText(fact)) throw differs(fact);
  }
  const rest = build.slice(there.length);
  for (const part of parts(rest)) {
    const revision = part[0]?.revision ?? 0n;
    await patience.during(() => eventLog.append(stream, revision === 0n ? "no-stream" : revision - 1n, part));
  }
  return rest.length;
}

function parts(facts: readonly RecordedFact[]): readonly (readonly RecordedFact[])[] {
  const found: RecordedFact[][] = [];
  let bytes = Infinity;
  for (const fact of facts) {
    const size = Buffer.byteLength(factText(fact));
    const last = found.at(-1);
    if (last === undefined || bytes + size > mostBytes || last.length === mostFacts) {
      found.push([fact]);
      bytes = size;
    } else {
      last.push(fact);
      bytes += size;
    }
  }
  return found;
}

function differs({ stream, revision, type, id }: RecordedFact): FetchImageError {
  return new FetchImageError("FI_STORES_DIFFER", {
    message: `the store holds other facts of a build than the archive: stream ${stream}, revision ${revision} (${type}, id ${id})`,
    hint: "Restore into the store that the archive is of, or into an empty one: another build has this id here.",
    details: { stream, revision: String(revision), id },
  });
}

function interrupted(): FetchImageError {
  return new FetchImageError("FI_ABORTED", {
    message: "restoring was interrupted",
    hint: "Run it again: what is stored already is left.",
  });
}

const never: CancelSignal = {
  aborted: false,
  reason: undefined,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
};
