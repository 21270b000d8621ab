// Streams of builds and scopes, written fact by fact as the engine writes them.
import { createHash } from "node:crypto";
import {
  begin,
  type BuildFact,
  type BuildFactData,
  buildFactToStore,
  buildStream,
  type FetchOutput,
  type FetchRequest,
  type FetchState,
  type Hash,
  type JsonObject,
  ranKey,
  readEvent,
  type RecordedBuildFact,
  type RecordedFact,
  type RecordedRegistryFact,
  type RecordedScopeFact,
  type RegistryFact,
  registryFactToStore,
  registryStream,
  renderConcourseLog,
  replayBuild,
  type SchedulerEvent,
  type ScopeFact,
  scopeFactToStore,
  scopeStream,
  step,
} from "@fetch-image/core";
import { type InputFor, inputOf, startOfTests } from "./fetch-facts.ts";

export const testHash: Hash = {
  sha1Hex: (prefix, text) => createHash("sha1").update(prefix).update(text).digest("hex"),
  sha256Hex: (text) => createHash("sha256").update(text).digest("hex"),
};

/** Where fast-check looks for the words to show a value in. */
const inReports: unique symbol = Symbol.for("fast-check/toStringMethod");

/** A build's stream, written fact by fact as the engine writes it. Time stands still until {@link wait}. */
export class BuildHistory {
  readonly buildId: string;
  readonly facts: RecordedBuildFact[] = [];
  readonly states = new Map<string, FetchState>();
  now = startOfTests;
  node = "node-a";
  readonly #causes = new Map<string, string>();

  constructor(buildId = "123") {
    this.buildId = buildId;
    this.append(
      { type: "BuildOpened", data: { buildId, team: "main", pipeline: "ci", job: "unit", renderer: "1" } },
      "opened",
    );
  }

  /** The build as another process finds it, which has these facts and nothing else. */
  static resume(facts: readonly RecordedBuildFact[]): BuildHistory {
    const { opened, fetches, causes, writer, time } = replayBuild(facts);
    const resumed = new BuildHistory(opened?.buildId);
    resumed.facts.splice(0, resumed.facts.length, ...facts);
    for (const [fetchId, state] of fetches) resumed.states.set(fetchId, state);
    for (const [fetchId, cause] of causes) resumed.#causes.set(fetchId, cause);
    resumed.now = time;
    resumed.node = writer ?? resumed.node;
    return resumed;
  }

  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  adopt(node: string): this {
    const from = this.node;
    this.node = node;
    this.append({ type: "BuildAdopted", data: { buildId: this.buildId, from } }, `adopted\n${this.facts.length - 1}`);
    return this;
  }

  /** An event of the scheduler's own. Its key is its place, unless it has one. */
  save({ event, data }: SchedulerEvent, key = `event-${this.facts.length}`): this {
    const read = readEvent(event, data as unknown as JsonObject);
    if (!read.ok) throw new Error(read.problem);
    const saved = { buildId: this.buildId, key, event, data: read.data };
    this.append({ type: "BuildEventSaved", data: saved }, `event\n${key}`);
    return this;
  }

  /** Keeps the hash of the log, as the engine does behind the last status. */
  seal(): this {
    const text = renderConcourseLog(this.facts);
    const events = [...text.matchAll(/^event: event$/gm)].length;
    const sealed = { buildId: this.buildId, renderer: "1", events, sha256: testHash.sha256Hex(text) };
    this.append({ type: "BuildLogSealed", data: sealed }, "sealed");
    return this;
  }

  /** What a runtime says that it runs, of the first fetch. */
  ran(told: Omit<BuildFactData<"ImageRan">, "fetchId" | "resolved">): this {
    const [[fetchId, state] = []] = [...this.states];
    if (fetchId === undefined || state === undefined) throw new Error("nothing was requested that could have run");
    const resolved = state.resolved?.version["digest"];
    const data = { fetchId, ...told, ...(resolved === undefined ? {} : { resolved }) };
    this.append({ type: "ImageRan", data }, `ran\n${ranKey(data)}`);
    return this;
  }

  request(request: FetchRequest): this {
    const { state, says } = begin(request, this.now);
    this.#advance({ type: "FetchRequested", data: request }, says, state, 0);
    return this;
  }

  /** Appends the fact and what it causes; throws where the machine ignores it, for then the engine stores nothing. */
  take(given: InputFor | ((now: number) => InputFor), fetchId?: string): this {
    const input = typeof given === "function" ? given(this.now) : given;
    if (!this.offer(input, fetchId))
      throw new Error(`${input.type} is ignored in ${this.state(fetchId).snapshot.value}`);
    return this;
  }

  /** As {@link take}; false where the machine ignores the fact. */
  offer(input: InputFor, fetchId: string = this.#onlyFetch()): boolean {
    const before = this.state(fetchId);
    const fact = inputOf(fetchId, input);
    const next = step(before, fact, this.now);
    if (next === undefined) return false;
    this.#advance(fact, next.says, next.state, before.facts);
    return true;
  }

  state(fetchId: string = this.#onlyFetch()): FetchState {
    const state = this.states.get(fetchId);
    if (state === undefined) throw new Error(`build ${this.buildId} has no fetch ${fetchId}`);
    return state;
  }

  append(fact: BuildFact, key: string, causationId?: string): string {
    const stream = buildStream(this.buildId);
    const context = { stream, key, buildId: this.buildId, causationId, node: this.node, at: this.now };
    const stored = record(buildFactToStore(fact, context, testHash), stream, this.facts.length);
    this.facts.push(stored as unknown as RecordedBuildFact);
    return stored.id;
  }

  [inReports](): string {
    return this.facts.map(shown).join("");
  }

  #advance(input: BuildFact, says: readonly FetchOutput[], state: FetchState, ordinal: number): void {
    const fetchId = state.snapshot.context.request.fetchId;
    const id = this.append(input, `${fetchId}\n${ordinal}`, this.#causes.get(fetchId));
    says.forEach((fact, index) => this.append(fact, `${fetchId}\n${ordinal + 1 + index}`, id));
    this.#causes.set(fetchId, id);
    this.states.set(fetchId, state);
  }

  #onlyFetch(): string {
    const [fetchId, ...others] = this.states.keys();
    if (fetchId === undefined || others.length > 0) throw new Error("name the fetch: the build has none, or several");
    return fetchId;
  }
}

/** All of a fetch's state that is data: what two ways to the same state must agree on. */
export function essence(state: FetchState): object {
  const { snapshot, ...rest } = state;
  return { value: snapshot.value, status: snapshot.status, context: snapshot.context, ...rest };
}

/** The stream of a scope. */
export class ScopeHistory {
  readonly scope: string;
  readonly facts: RecordedScopeFact[] = [];
  now = startOfTests;

  constructor(scope = "0123456789abcdef0123456789abcdef") {
    this.scope = scope;
  }

  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  append(fact: ScopeFact, { buildId = "123", node = "node-a" } = {}): this {
    const stream = scopeStream(this.scope);
    const context = { stream, key: `test\n${this.facts.length}`, buildId, node, at: this.now };
    const stored = record(scopeFactToStore(fact, context, testHash), stream, this.facts.length);
    this.facts.push(stored as unknown as RecordedScopeFact);
    return this;
  }

  [inReports](): string {
    return this.facts.map(shown).join("");
  }
}

export class RegistryHistory {
  readonly facts: RecordedRegistryFact[] = [];
  now = startOfTests;

  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  append(fact: RegistryFact, { buildId = "123", node = "node-a" } = {}): this {
    const stream = registryStream("0123456789abcdef0123456789abcdef");
    const context = { stream, key: `test\n${this.facts.length}`, buildId, node, at: this.now };
    const stored = record(registryFactToStore(fact, context, testHash), stream, this.facts.length);
    this.facts.push(stored as unknown as RecordedRegistryFact);
    return this;
  }
}

/** One fact a line, for the report of a property that fails. */
function shown({ type, data, metadata }: RecordedBuildFact | RecordedScopeFact): string {
  return `\n  ${metadata.time} ${type} ${JSON.stringify(data)}`;
}

// Through JSON, as every store keeps facts: what JSON would change cannot hide.
function record(fact: unknown, stream: string, revision: number): RecordedFact {
  const { id, type, data, metadata } = JSON.parse(JSON.stringify(fact)) as RecordedFact;
  return { id, stream, revision: BigInt(revision), position: String(revision + 1), type, data, metadata };
}
