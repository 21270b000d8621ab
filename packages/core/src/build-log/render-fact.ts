import type { RecordedBuildFact, UnknownFact } from "../facts/facts.ts";
import { formatTime } from "../facts/time.ts";
import { type FetchOutput, type FetchState, stateName } from "../fetch-image/step.ts";
import { isBuildFact } from "../projections/decode-fact.ts";
import { factWords, unknownWords } from "./fact-words.ts";
import { paint, type RenderOptions } from "./paint.ts";
import { visible } from "./visible.ts";

export interface RenderFactOptions extends RenderOptions {
  /** The fetch's state after the fact, as `replayBuild` gives it. */
  readonly after?: FetchState | undefined;
  /** What the fact caused, as `replayBuild` gives it. */
  readonly says?: readonly FetchOutput[];
}

/**
 * One line for one fact: revision, time (UTC), type, fetch, what it means; and behind an arrow the state it led to, what
 * is owed there and the facts it caused. No line break at its end.
 */
export function renderFact(
  fact: RecordedBuildFact | UnknownFact,
  { after, says = [], color = false }: RenderFactOptions = {},
): string {
  const known = isBuildFact(fact);
  const { text, tone, notes = [] } = known ? factWords(fact, after) : unknownWords(fact);
  const fetchId = known && "fetchId" in fact.data ? ` ${fact.data.fetchId}` : "";
  const columns = `${String(fact.revision).padStart(4)}  ${fact.metadata.time}  `;
  const what = [text, ...notes].join("; ");
  const caused = says.length === 0 ? "" : `, says ${says.map(({ type }) => type).join(", ")}`;
  const outcome = after === undefined ? "" : `  -> ${state(after)}${caused}`;
  return [
    paint(visible(columns), "muted", color),
    `${paint(visible(`${fact.type}${fetchId}`), "heading", color)}: `,
    paint(visible(what), tone, color),
    paint(visible(outcome), "muted", color),
  ].join("");
}

function state(after: FetchState): string {
  const { owed, timer } = after;
  const owes = owed === null ? "" : `, owes ${owed.effect.kind}`;
  return `${stateName(after)}${owes}${timer === null ? "" : `, ${timer.name} until ${formatTime(timer.dueAt)}`}`;
}
