import type { BuildFactData } from "../../facts/build-facts.ts";
import type { RecordedBuildFact } from "../../facts/facts.ts";
import { parseTime } from "../../facts/time.ts";
import type { JsonObject } from "../../json.ts";
import type { BuildStatus } from "./events.ts";
import * as fetches from "./fetch-log.ts";
import type { FetchLog, FetchStep, Said } from "./fetch-log.ts";
import { concoursePlan, planId } from "./plan.ts";
import * as words from "./words.ts";

/** What the facts so far have made of the log. */
export interface LogState {
  readonly buildId: string;
  readonly fetches: ReadonlyMap<string, FetchLog>;
  /** Plans that stand in the stream: a second announcement would wipe the first one's sub-step on the page. */
  readonly announced: ReadonlySet<string>;
  /** How the build ended; nothing comes behind it. */
  readonly ended: BuildStatus | null;
}

export const emptyLog: LogState = { buildId: "", fetches: new Map(), announced: new Set(), ended: null };

/** Version 1 of the build log in Concourse's events: what one fact adds to it. */
export function renderFact1(
  state: LogState,
  fact: RecordedBuildFact,
): { readonly state: LogState; readonly says: readonly Said[] } {
  if (state.ended !== null) return { state, says: [] };
  const at = parseTime(fact.metadata.time);
  const { buildId } = state;
  switch (fact.type) {
    case "BuildOpened":
      return { state: { ...state, buildId: fact.data.buildId }, says: [] };
    case "BuildPlanned":
    case "ArtifactImageResolved":
    case "BuildLogSealed":
    case "ImageRan":
    case "PolicyUnanswered":
      return { state, says: [] };
    case "BuildEventSaved":
      return schedulerSaid(state, fact.data);
    case "BuildAdopted": {
      const line = words.adoptedLine(fact.metadata.node, fact.data.from);
      return { state, says: [...state.fetches.values()].flatMap((log) => fetches.say(log, line).says) };
    }
    case "FetchRequested": {
      const log = fetches.fetchLog(fact.data);
      const next = withFetch(state, log);
      // A task's image is announced first; a type's stands in the build's plan.
      return fact.data.kind === "task" ? { state: next, says: [] } : put(next, fetches.begin(log, next.fetches));
    }
    case "ImageCheck":
      return announce(state, "image-check", fact.data);
    case "ImageGet": {
      const announced = announce(state, "image-get", fact.data);
      const begun = on(announced.state, fact, (log) => fetches.begin(log, state.fetches));
      return { state: begun.state, says: [...announced.says, ...begun.says] };
    }
    case "PolicyDecided": {
      if (fact.data.decision === "allowed" || fact.data.enforcement !== "soft") return { state, says: [] };
      return on(state, fact, (log) => fetches.say(log, words.warnedLine(fact.data)));
    }
    case "CheckJoined":
      return on(state, fact, (log) => fetches.say(log, words.joinedLine(fact.data, buildId)));
    case "ImageChecked":
      return on(state, fact, (log) => {
        const line = words.checkedLine(log.request, fact.data, { at, buildId });
        return fetches.checked(log, line, state.fetches);
      });
    case "ImageCheckFailed":
      return on(state, fact, (log) => fetches.say(log, words.setbackLine("check", fact.data)));
    case "ArtifactFetchFailed":
      return on(state, fact, (log) => fetches.say(log, words.setbackLine("get", fact.data)));
    case "TimerFired":
      return on(state, fact, (log) => {
        const attempt = log.attempt + (fact.data.timer === "backoff" ? 1 : 0);
        return fetches.say({ ...log, attempt }, words.againLine(fact.data.timer, attempt, log.request.retry.attempts));
      });
    case "ImageVersionResolved":
      return on(state, fact, (log) =>
        fetches.resolved(log, fact.data, words.resolvedLines(log.request, fact.data), state.fetches),
      );
    case "ImageShortCircuited":
      return on(state, fact, (log) =>
        fetches.succeeded(log, words.shortCircuitedLine(fact.data.imageURL), state.fetches),
      );
    case "ArtifactFetched":
      return on(state, fact, (log) =>
        fetches.succeeded(log, words.fetchedLine(fetches.imageName(log), fact.data.artifact), state.fetches),
      );
    case "OutputWritten":
      return on(state, fact, (log) => fetches.printed(log, fact.data));
    case "FetchFailed": {
      const { message, hint, cause } = fact.data.failure;
      const help = hint ?? cause?.hint;
      const lines = help === undefined ? [] : [`hint: ${help}`];
      return on(state, fact, (log) => fetches.failed(log, { lines, message }, state.fetches));
    }
    case "FetchAborted":
      break;
  }
  const lines = [`aborted: ${fact.data.reason}`];
  return on(state, fact, (log) => fetches.failed(log, { lines }, state.fetches));
}

function schedulerSaid(state: LogState, { event, data }: BuildFactData<"BuildEventSaved">) {
  if (event === "image-check" || event === "image-get") {
    return announce(state, event, { planId: planId(object(data["origin"])), plan: object(data["plan"]) });
  }
  const said = { event, data } as Said;
  const status = event === "status" ? data["status"] : undefined;
  if (status === undefined || status === "started") return { state, says: [said] };
  // What stands behind the last status is seen by nobody: open sub-steps end before it.
  const closing = [...state.fetches.values()].map((log) => fetches.cutShort(log, state.fetches));
  const closed = new Map(closing.map(({ log }) => [log.request.fetchId, log]));
  return {
    state: { ...state, fetches: closed, ended: status as BuildStatus },
    says: [...closing.flatMap(({ says }) => says), said],
  };
}

function announce(
  state: LogState,
  event: "image-check" | "image-get",
  { planId: step, plan }: { readonly planId: string; readonly plan: JsonObject },
) {
  const announced = concoursePlan(plan);
  if (state.announced.has(planId(announced))) return { state, says: [] };
  const says: readonly Said[] = [{ event, data: { origin: { id: step }, plan: announced } }];
  return { state: { ...state, announced: new Set([...state.announced, planId(announced)]) }, says };
}

function on(
  state: LogState,
  fact: { readonly data: { readonly fetchId: string } },
  go: (log: FetchLog) => FetchStep,
): { readonly state: LogState; readonly says: readonly Said[] } {
  const log = state.fetches.get(fact.data.fetchId);
  return log === undefined ? { state, says: [] } : put(state, go(log));
}

function put(state: LogState, { log, says }: FetchStep) {
  const same = state.fetches.get(log.request.fetchId) === log;
  return { state: same ? state : withFetch(state, log), says };
}

function withFetch(state: LogState, log: FetchLog): LogState {
  return { ...state, fetches: new Map(state.fetches).set(log.request.fetchId, log) };
}

function object(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? (value as JsonObject) : {};
}
