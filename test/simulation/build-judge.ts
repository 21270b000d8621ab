import {
  type BuildState,
  buildStreamPrefix,
  decodeBuildFact,
  isFinished,
  noBuild,
  type RecordedBuildFact,
  type RecordedFact,
  replayBuild,
} from "@fetch-image/core";
import type { StepStart } from "./host.ts";
import type { World } from "./world.ts";

/** What is known of one build's stream, fact by fact. */
interface JudgedBuild {
  state: BuildState;
  readonly fetches: Map<string, JudgedFetch>;
}

interface JudgedFetch {
  /** Of its facts, step output left out: by ordinal. */
  readonly revisions: bigint[];
  readonly requestedAt: number;
  ends: number;
  checks: number;
  gets: number;
}

export interface UnfinishedFetch {
  readonly buildId: string;
  readonly fetchId: string;
  /** `BUILD/FETCH`. */
  readonly which: string;
}

/** Is told of every version that a fetch resolves to, with the build as it is then. */
type OnResolved = (resolved: Extract<RecordedBuildFact, { type: "ImageVersionResolved" }>, build: BuildState) => void;

const terminal: ReadonlySet<string> = new Set([
  "ImageShortCircuited",
  "ArtifactFetched",
  "FetchFailed",
  "FetchAborted",
]);

/** What no fetch may ever fail with, as itself or as the cause: another's trouble, or none at all. */
const nobodysFault: ReadonlySet<string> = new Set([
  "FI_INTERNAL",
  "FI_ABORTED",
  "FI_WRONG_EXPECTED_REVISION",
  "FI_APPEND_INVALID",
  "FI_HISTORY_CONTRADICTORY",
  "FI_BUILD_ADOPTED",
  "FI_ENGINE_CLOSED",
  "FI_STORE_TOO_NEW",
]);

/** Holds every append to a build's stream against the promises, as it is stored. */
export class BuildJudge {
  readonly #world: Pick<World, "broken">;
  readonly #builds = new Map<string, JudgedBuild>();
  readonly #onResolved: OnResolved;

  constructor(world: Pick<World, "broken">, onResolved: OnResolved) {
    this.#world = world;
    this.#onResolved = onResolved;
  }

  get builds(): ReadonlyMap<string, { readonly state: BuildState }> {
    return this.#builds;
  }

  state(buildId: string): BuildState {
    return this.#builds.get(buildId)?.state ?? noBuild;
  }

  /** When it was requested, by the clock of the process that did; milliseconds since the epoch. */
  requestedAt(buildId: string, fetchId: string): number {
    return this.#builds.get(buildId)?.fetches.get(fetchId)?.requestedAt ?? 0;
  }

  /** The facts of one append. */
  stored(facts: readonly RecordedFact[]): void {
    for (const fact of facts) this.#take(fact);
    const build = this.#builds.get(facts[0]?.stream.slice(buildStreamPrefix.length) ?? "");
    if (build !== undefined && build.state.awaited.length > 0) {
      this.#world.broken(`an append to ${facts[0]?.stream} ends in the middle of what a fact says`);
    }
  }

  /** Append first, act after: the fact that owes the step is stored, and its runner knows. */
  stepBegun({ by, kind, buildId, effectKey }: StepStart, knownRevision: bigint): void {
    const [, fetchId = "", since = ""] = /^(.*)\/(\d+)$/.exec(effectKey.slice(buildId.length + 1)) ?? [];
    const revision = this.#builds.get(buildId)?.fetches.get(fetchId)?.revisions[Number(since)];
    if (revision === undefined || revision > knownRevision) {
      this.#world.broken(`${by.name} runs the ${kind} step ${effectKey}, and does not know that it is owed`);
    }
  }

  #take(recorded: RecordedFact): void {
    const buildId = recorded.stream.slice(buildStreamPrefix.length);
    const where = `${recorded.type} at ${recorded.stream}@${recorded.revision}`;
    const decoded = decodeBuildFact(recorded);
    if (!decoded.known) {
      this.#world.broken(`${where} cannot be read`);
      return;
    }
    const { fact } = decoded;
    const build = this.#builds.get(buildId) ?? { state: noBuild, fetches: new Map<string, JudgedFetch>() };
    this.#builds.set(buildId, build);
    const { time } = build.state;
    try {
      build.state = replayBuild([fact], undefined, build.state);
    } catch (error) {
      this.#world.broken(String(error));
      return;
    }
    const { state } = build;
    if (state.time < time) this.#world.broken(`${where} is older than the fact before it`);
    if (fact.metadata.node !== state.writer) {
      this.#world.broken(`${where} was written by ${fact.metadata.node}, and ${state.writer} writes the build`);
    }
    this.#count(fact, build, where);
    if (fact.type === "ImageVersionResolved") this.#onResolved(fact, state);
  }

  /** By hand, so that this does not rest on the very fold that the engine decides with. */
  #count(fact: RecordedBuildFact, build: JudgedBuild, where: string): void {
    if (!("fetchId" in fact.data) || fact.type === "OutputWritten") return;
    const { fetchId } = fact.data;
    const fetch = build.fetches.get(fetchId) ?? {
      revisions: [],
      requestedAt: build.state.time,
      ends: 0,
      checks: 0,
      gets: 0,
    };
    build.fetches.set(fetchId, fetch);
    fetch.revisions.push(fact.revision);
    if (fetch.ends > 0) this.#world.broken(`${where} comes after the end of ${fetchId}`);
    if (terminal.has(fact.type)) fetch.ends++;
    if (fact.type === "ImageCheck") fetch.checks++;
    if (fact.type === "ImageGet") fetch.gets++;
    const isTask = build.state.fetches.get(fetchId)?.snapshot.context.request.kind === "task";
    const most = isTask ? 1 : 0;
    if (fetch.checks > most || fetch.gets > most) this.#world.broken(`${where} is announced once too often`);
    if (isTask && fetch.revisions.length > 3 && fetch.gets === 0) {
      this.#world.broken(`${where}: ${fetchId} was never announced`);
    }
    if (fact.type === "FetchFailed") {
      const { code, cause } = fact.data.failure;
      const found = [code, cause?.code ?? ""].find((each) => nobodysFault.has(each));
      if (found !== undefined) this.#world.broken(`${where}: a fetch failed with ${found}`);
    }
  }

  /** The fetches that have not ended. */
  unfinished(): readonly UnfinishedFetch[] {
    return [...this.#builds].flatMap(([buildId, { state }]) =>
      [...state.fetches].flatMap(([fetchId, fetch]) =>
        isFinished(fetch) ? [] : [{ buildId, fetchId, which: `${buildId}/${fetchId}` }],
      ),
    );
  }
}
