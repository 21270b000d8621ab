import type { FetchRequest, RecordedBuildFact, UnknownFact } from "../facts/facts.ts";
import { type BuildState, noBuild, type Replayed, replayBuild } from "../fetch-image/replay.ts";
import { stateName } from "../fetch-image/step.ts";
import { isBuildFact } from "../projections/decode-fact.ts";
import { factWords } from "./fact-words.ts";
import { planNames } from "./plan-names.ts";
import { visible } from "./visible.ts";

/** Tells, as a build's facts come, why its fetches take longer than they should. */
export interface SetbackFollower {
  /** Of an attempt that failed and is made again: whose it was, what failed it, and when the next one is. Else nothing. */
  next(fact: RecordedBuildFact | UnknownFact): string | undefined;
}

/** For who waits for a build and does not read its log. Throws as `replayBuild` does. */
export function followSetbacks(): SetbackFollower {
  let state: BuildState = noBuild;
  const requests = new Map<string, FetchRequest>();
  return {
    next(fact) {
      if (!isBuildFact(fact)) return undefined;
      const replayed: { one?: Replayed } = {};
      state = replayBuild([fact], (one) => (replayed.one = one), state);
      if (fact.type === "FetchRequested") requests.set(fact.data.fetchId, fact.data);
      if (fact.type !== "ImageCheckFailed" && fact.type !== "ArtifactFetchFailed") return undefined;
      const after = replayed.one?.after;
      const request = requests.get(fact.data.fetchId);
      if (request === undefined || after === undefined || stateName(after) !== "backing-off") return undefined;
      const whose = planNames(state.plan, [...requests.values()]).wantedBy(request);
      return visible(`${whose}: ${factWords(fact, after).text.replace(/^warning: /, "")}`);
    },
  };
}
