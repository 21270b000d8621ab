import { FetchImageError } from "../../errors/fetch-image-error.ts";
import type { RecordedBuildFact, UnknownFact } from "../../facts/facts.ts";
import { parseTime } from "../../facts/time.ts";
import { isBuildFact } from "../../projections/decode-fact.ts";
import { visible } from "../visible.ts";
import { timedData } from "./catalogue.ts";
import { concourseEvents, isConcourseEvent } from "./catalogue.ts";
import type { BuildStatus, ConcourseEvent } from "./events.ts";
import type { Said } from "./fetch-log.ts";
import { emptyLog, type LogState, renderFact1 } from "./renderer-1.ts";
import { sseEnd, sseEvent } from "./sse.ts";

/** What one more fact adds to the log. */
export type FactRenderer = (
  state: LogState,
  fact: RecordedBuildFact,
) => { readonly state: LogState; readonly says: readonly Said[] };

/**
 * By the version that `BuildOpened` keeps, as the text's renderers: one version names both forms of a build's log. A
 * renderer's output never changes: what is to be otherwise is a new version of both.
 */
export const concourseRenderers: { readonly [version: string]: FactRenderer } = { "1": renderFact1 };

/** A build's log in Concourse's events, up to some fact: what renders the next one, from any place on. */
export interface ConcourseLog {
  /** Of the next event. */
  readonly nextId: number;
  /** How the build ended, by its last status; nothing more will come then. */
  readonly ended: BuildStatus | null;
  /** The version that renders it; undefined before the build's opening. */
  readonly renderer: string | undefined;
  readonly state: LogState;
}

export const noLog: ConcourseLog = { nextId: 0, ended: null, renderer: undefined, state: emptyLog };

/**
 * The events that a fact of the build adds, in order, and the log behind them. Pure, and of one fact at a time: a log
 * rendered as facts come and one rendered later from zero are the same bytes. Facts go in the order of their revisions,
 * none left out; those of newer versions say nothing here.
 *
 * Throws `FI_STORE_TOO_NEW` where a newer version's renderer is wanted, `FI_FACT_UNREADABLE` where an event of the
 * scheduler's is none of its type.
 */
export function advanceLog(
  log: ConcourseLog,
  fact: RecordedBuildFact | UnknownFact,
): { readonly log: ConcourseLog; readonly events: readonly ConcourseEvent[] } {
  if (!isBuildFact(fact)) return { log, events: none };
  const renderer = log.renderer ?? (fact.type === "BuildOpened" ? fact.data.renderer : "1");
  const render = Object.hasOwn(concourseRenderers, renderer) ? concourseRenderers[renderer] : undefined;
  if (render === undefined) throw tooNew(fact, renderer);
  const { state, says } = render(log.state, fact);
  const seconds = says.length === 0 ? 0 : Math.floor(parseTime(fact.metadata.time) / 1000);
  const events = says.map((said, index) => timed(said, { id: log.nextId + index, seconds, fact }));
  return { log: { nextId: log.nextId + events.length, ended: state.ended, renderer, state }, events };
}

/** The stream's bytes for a fact, the end with the last status; see {@link advanceLog}. Empty where it says nothing. */
export function advanceStream(
  log: ConcourseLog,
  fact: RecordedBuildFact | UnknownFact,
): { readonly log: ConcourseLog; readonly text: string; readonly events: number } {
  const next = advanceLog(log, fact);
  let text = "";
  for (const event of next.events) text += sseEvent(event);
  if (next.log.ended !== null && log.ended === null) text += sseEnd(next.log.nextId);
  return { log: next.log, text, events: next.events.length };
}

/** A whole build's stream: what `GET /api/v1/builds/:id/events` serves of these facts. */
export function renderConcourseLog(facts: Iterable<RecordedBuildFact | UnknownFact>): string {
  const parts: string[] = [];
  let log = noLog;
  for (const fact of facts) {
    const next = advanceStream(log, fact);
    if (next.text !== "") parts.push(next.text);
    log = next.log;
  }
  return parts.join("");
}

const none: readonly ConcourseEvent[] = [];

function timed(
  { event, data }: Said,
  { id, seconds, fact }: { readonly id: number; readonly seconds: number; readonly fact: RecordedBuildFact },
): ConcourseEvent {
  const problem = isConcourseEvent(event) ? timedData(event, data, seconds) : `no such event: ${String(event)}`;
  if (typeof problem !== "string") return { id, event, version: concourseEvents[event].version, data: problem };
  throw new FetchImageError("FI_FACT_UNREADABLE", {
    message: visible(`${fact.type} at ${fact.stream}@${fact.revision} is not readable: ${problem}`),
    details: { stream: fact.stream, revision: String(fact.revision), type: fact.type },
  });
}

function tooNew({ stream }: RecordedBuildFact, renderer: string): FetchImageError {
  const known = Object.keys(concourseRenderers).join(", ");
  return new FetchImageError("FI_STORE_TOO_NEW", {
    message: visible(`${stream} keeps its log in the form "${renderer}", and this version knows ${known}`),
  });
}
