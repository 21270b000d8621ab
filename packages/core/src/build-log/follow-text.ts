import type { FetchRequest, RecordedBuildFact, UnknownFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { type BuildState, noBuild, type Replayed, replayBuild } from "../fetch-image/replay.ts";
import { isBuildFact } from "../projections/decode-fact.ts";
import { planOfEvent } from "./event-words.ts";
import { factWords, unknownWords, type Words } from "./fact-words.ts";
import { paint, type RenderOptions } from "./paint.ts";
import { planNames } from "./plan-names.ts";
import { buildTitle, fetchTitle, showLine } from "./text-renderer-1.ts";
import { dateAndTime } from "./times.ts";
import { visible } from "./visible.ts";

/** Tells a build's log as its facts come, for who watches it. */
export interface TextFollower {
  /** What the fact adds: lines, under the title of their step wherever that is another than the line before's. */
  next(fact: RecordedBuildFact | UnknownFact): string;
  /** How the build ended, by the scheduler's last status. */
  readonly ended: string | null;
}

/**
 * A build's log while it is written: the lines of {@link renderBuildLog}, in the order in which they come and so not one
 * step after the other. Nobody keeps it: its words may change. Throws as `replayBuild` does.
 */
export function followBuildLog({ color = false }: RenderOptions = {}): TextFollower {
  let state: BuildState = noBuild;
  let openedAt = 0;
  let last = "";
  const requests = new Map<string, FetchRequest>();
  const began = new Map<string, number>();
  const paused = new Map<string, number>();

  function titleOf(fact: RecordedBuildFact): string {
    const names = planNames(state.plan, [...requests.values()]);
    if ("fetchId" in fact.data) {
      const request = requests.get(fact.data.fetchId);
      return request === undefined ? "" : `${fetchTitle(request, names)} (${request.fetchId})`;
    }
    const planId = fact.type === "BuildEventSaved" ? planOfEvent(fact.data) : undefined;
    return planId === undefined ? "" : `${names.of(planId)} (${planId})`;
  }

  function lines(title: string, words: Words, at: number): string {
    const since = at - (began.get(title) ?? at);
    const head = title === last ? [] : ["", ...(title === "" ? [] : [paint(visible(title), "heading", color)])];
    last = title;
    return [...head, ...showLine({ at, since, ...words }, openedAt, color)].map((line) => `${line}\n`).join("");
  }

  return {
    next(fact) {
      if (!isBuildFact(fact)) return lines("", unknownWords(fact), openedAt);
      const replayed: { one?: Replayed } = {};
      state = replayBuild([fact], (one) => (replayed.one = one), state);
      const after = replayed.one?.after;
      const at = parseTime(fact.metadata.time);
      if (fact.type === "BuildOpened") {
        openedAt = at;
        began.set("", at);
        return `${paint(visible(buildTitle(state)), "heading", color)}\n${visible(`opened ${dateAndTime(at)} on ${fact.metadata.node}`)}\n`;
      }
      if (fact.type === "FetchRequested") requests.set(fact.data.fetchId, fact.data);
      const title = titleOf(fact);
      if (!began.has(title)) began.set(title, at);
      const waited = at - (paused.get(title) ?? at);
      if (after !== undefined && after.timer !== null) paused.set(title, at);
      return lines(title, factWords(fact, after, waited), at);
    },
    get ended() {
      return state.events.ended;
    },
  };
}
