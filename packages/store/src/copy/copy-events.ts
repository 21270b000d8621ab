import {
  type CancelSignal,
  type EventLog,
  FetchImageError,
  type Position,
  type ReadModel,
  type RecordedFact,
} from "@fetch-image/core/fetching";
import { storesInOrder } from "../facts/ordered-appends.ts";
import { nextBatch, runsOf } from "./batches.ts";
import { Cursor } from "./cursor.ts";
import { differs } from "./differences.ts";
import { Patience } from "./patience.ts";
import { factText, Tally } from "./tally.ts";

export interface CopyEventsOptions {
  readonly from: EventLog;
  readonly to: EventLog;
  /** The target's read model, where it has one: emptied where what is in it was projected from another event log. */
  readonly readModel?: ReadModel;
  /** Ends the copy with `FI_ABORTED`; whatever is stored by then is a part of the copy, and the next run goes on there. */
  readonly signal?: CancelSignal;
  /** How long a store that does not answer is asked again, in milliseconds. Default: 30 000. */
  readonly patienceMs?: number;
  readonly onProgress?: (progress: CopyProgress) => void;
}

export interface CopyProgress {
  /** `comparing`: what the target has already, and in the end what was copied; `copying`: what it has not. */
  readonly doing: "comparing" | "copying";
  /** Facts that were found to be the same in both so far, or were copied. */
  readonly facts: number;
  /** Facts copied by this call. */
  readonly copied: number;
}

export interface CopySummary {
  /** That both hold; `facts` counts all, `copied` those that this call stored. */
  readonly facts: number;
  readonly streams: number;
  readonly copied: number;
  /** `sha256:…` over every fact in order: stream, revision, id, type, data and metadata, as read from the target. */
  readonly digest: string;
  /** Whether the target's read model was emptied, since it had been projected from another event log. */
  readonly readModelEmptied: boolean;
}

/**
 * Copies every fact of one event log into another: order, streams, revisions, ids, types, data and metadata stay; only
 * positions are the target's own. Ends where the source had no more facts.
 *
 * The target must hold nothing but a beginning of the source, so it may be interrupted at any point and run again: what
 * is there is compared first, fact by fact, then the rest is copied, and compared in its turn. Nothing else is kept.
 *
 * Rejects with `FI_STORES_DIFFER`, naming the first fact, where the target holds another; with what the stores reject
 * with, once `patienceMs` is over.
 */
export async function copyEvents(options: CopyEventsOptions): Promise<CopySummary> {
  const { from, to, readModel, signal = never, patienceMs: ms = 30_000 } = options;
  const patience = new Patience({ ms, signal });
  const readModelEmptied = readModel !== undefined && (await emptied(to, readModel, patience));
  const tally = new Tally();
  let copied = 0;
  let outcome: "at-end" | FetchImageError | undefined;
  let common: Places = { source: undefined, target: undefined };
  for (;;) {
    const before = tally.facts;
    const report = (doing: CopyProgress["doing"], facts: number): void =>
      options.onProgress?.({ doing, facts, copied });
    const source = new Cursor(from, common.source, patience);
    const target = new Cursor(to, common.target, patience);
    common = await compare(source, target, { common, tally, report: () => report("comparing", tally.facts) });
    if (outcome === "at-end" || (await source.peek()) === undefined) {
      const { facts, streams } = tally;
      return { facts, streams, copied, digest: tally.digest(), readModelEmptied };
    }
    // Refused, and yet nothing is there that could be compared.
    if (outcome !== undefined && tally.facts === before) throw outcome;
    let facts = tally.facts;
    outcome = await copy(source, to, patience, (stored) => {
      copied += stored;
      facts += stored;
      report("copying", facts);
    });
  }
}

interface Places {
  readonly source: Position | undefined;
  readonly target: Position | undefined;
}

interface Comparison {
  readonly common: Places;
  readonly tally: Tally;
  readonly report: () => void;
}

const reportEvery = 512;

/** Goes through both for as long as the target has facts. Gives how far that is. */
async function compare(source: Cursor, target: Cursor, { common, tally, report }: Comparison): Promise<Places> {
  let places = common;
  for (let there = await target.peek(); there !== undefined; there = await target.peek()) {
    const here = await source.peek();
    if (here === undefined) throw differs(here, there);
    const text = factText(here);
    if (text !== factText(there)) throw differs(here, there);
    tally.add(there, text);
    source.pass();
    target.pass();
    places = { source: here.position, target: there.position };
    if (tally.facts % reportEvery === 0) report();
  }
  report();
  return places;
}

/**
 * Appends what the source has, up to its end, or to where somebody else has written to the target: what he wrote is to
 * be compared then, and is either the same or other facts.
 */
async function copy(
  source: Cursor,
  to: EventLog,
  patience: Patience,
  stored: (facts: number) => void,
): Promise<"at-end" | FetchImageError> {
  for (;;) {
    const batch = await nextBatch(source);
    if (batch.length === 0) return "at-end";
    try {
      await store(batch, to, patience);
    } catch (error) {
      if (FetchImageError.is(error) && error.code === "FI_WRONG_EXPECTED_REVISION") return error;
      throw error;
    }
    stored(batch.length);
  }
}

// One append at a time: of those under way together, a store may take the later one first.
async function store(batch: readonly RecordedFact[], to: EventLog, patience: Patience): Promise<void> {
  if (storesInOrder(to)) {
    // Where it is refused, it may have been stored by an attempt whose answer was lost: asked one by one, the log says.
    const outcome = await patience.during(() => to.appendInOrder(batch));
    if (outcome === "stored") return;
  }
  for (const run of runsOf(batch)) {
    const [{ stream, revision }] = run;
    const expected = revision === 0n ? "no-stream" : revision - 1n;
    await patience.during(() => to.append(stream, expected, run));
  }
}

// A checkpoint leads into the log that it is of. With another one's, or with none of its facts there, the read model would
// be projected on from the wrong place.
async function emptied(to: EventLog, readModel: ReadModel, patience: Patience): Promise<boolean> {
  const after = await patience.during(() => readModel.checkpoint());
  if (after === undefined) return false;
  const { next } = await patience.during(() => to.readAll({ limit: 1 }));
  if (next !== undefined && (await isOf(to, after, patience))) return false;
  await patience.during(() => readModel.reset());
  return true;
}

async function isOf(log: EventLog, after: Position, patience: Patience): Promise<boolean> {
  try {
    await patience.during(() => log.readAll({ after, limit: 1 }));
    return true;
  } catch (error) {
    if (FetchImageError.is(error) && error.code === "FI_POSITION_INVALID") return false;
    throw error;
  }
}

const never: CancelSignal = {
  aborted: false,
  reason: undefined,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
};
