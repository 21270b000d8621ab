import {
  type BuildFactData,
  type FetchState,
  type JsonObject,
  planSteps,
  type RecordedBuildFact,
  type RecordedFact,
} from "@fetch-image/core";
import { begun, isInput, moved, readable } from "../facts/looking-on.ts";
import { buildNames, type FetchSummary, requested, resolved, withMachine } from "./fetch-summary.ts";

interface FetchFold {
  readonly summary: FetchSummary;
  /** Let go of once the fetch has ended. */
  readonly machine: FetchState | undefined;
}

/**
 * The fetches of one build, folded from its stream fact by fact, for whoever looks on. Unlike the fold that decisions are
 * made on it never refuses: what it cannot read or follow it passes over, and shows what the rest says.
 */
export class BuildFold {
  readonly buildId: string;
  /** Of the fact that comes next. */
  revision = 0n;
  readonly #fetches = new Map<string, FetchFold>();
  #opened: Omit<BuildFactData<"BuildOpened">, "buildId" | "renderer"> | undefined;
  #steps: JsonObject = {};

  constructor(buildId: string) {
    this.buildId = buildId;
  }

  /** What it holds in memory: itself, and its fetches. */
  get weight(): number {
    return 1 + this.#fetches.size;
  }

  get(fetchId: string): FetchSummary | undefined {
    return this.#fetches.get(fetchId)?.summary;
  }

  /** Takes in the stream's next fact; the id of the fetch that it changed, if any. */
  take(recorded: RecordedFact): string | undefined {
    this.revision = recorded.revision + 1n;
    const fact = readable(recorded);
    if (fact === undefined) return undefined;
    if (fact.type === "BuildOpened") this.#opened = fact.data;
    if (fact.type === "BuildPlanned") this.#steps = planSteps(fact.data.plan);
    if (!("fetchId" in fact.data)) return undefined;
    const { fetchId } = fact.data;
    const before = this.#fetches.get(fetchId);
    if (fact.type === "FetchRequested") {
      if (before !== undefined) return undefined;
      const names = buildNames(this.buildId, { ...this.#opened, steps: this.#steps });
      const summary = requested(names, fact.data, fact.metadata.time);
      const machine = begun(fact.data, fact);
      this.#fetches.set(fetchId, { summary: machine === undefined ? summary : withMachine(summary, machine), machine });
    } else if (before === undefined) {
      return undefined;
    } else {
      this.#fetches.set(fetchId, evolve(before, fact));
    }
    return fetchId;
  }
}

function evolve({ summary, machine }: FetchFold, fact: RecordedBuildFact): FetchFold {
  const told = { ...summary, since: fact.metadata.time, facts: (summary.facts ?? 0) + 1 };
  const after = machine === undefined || !isInput(fact) ? machine : (moved(machine, fact) ?? machine);
  const next = said(after === undefined ? told : withMachine(told, after), fact);
  return { summary: next, machine: next.endedAt === undefined ? after : undefined };
}

/** What the fact itself says, whatever the machine makes of it. */
function said(summary: FetchSummary, fact: RecordedBuildFact): FetchSummary {
  const { time } = fact.metadata;
  switch (fact.type) {
    case "ImageChecked": {
      const until = fact.data.evidence.stale?.until;
      return until === undefined ? summary : { ...summary, pausedUntil: until };
    }
    case "ImageVersionResolved":
      return resolved(summary, fact.data);
    case "ImageShortCircuited":
      return { ...summary, state: "short-circuited", endedAt: time };
    case "ArtifactFetched":
      return { ...summary, state: "fetched", endedAt: time };
    case "FetchFailed": {
      const { code, message } = fact.data.failure;
      return { ...summary, state: "failed", failure: { code, message }, endedAt: time };
    }
    case "FetchAborted": {
      const failure = { code: "FI_ABORTED", message: `the fetch was aborted: ${fact.data.reason}` };
      return { ...summary, state: "aborted", failure, endedAt: time };
    }
    default:
      return summary;
  }
}
