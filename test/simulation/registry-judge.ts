import {
  type Asker,
  decodeRegistryFact,
  evolveRegistry,
  healthyRegistry,
  parseTime,
  type RecordedFact,
  type RecordedRegistryFact,
  type RegistryImageSource,
  type RegistryState,
  sameAsker,
  scopeOf,
} from "@fetch-image/core";
import { nodeHash } from "@fetch-image/engine";
import type { SimulatedNode } from "./node.ts";
import { type Answer, hostOf, type Question } from "./registry.ts";
import type { World } from "./world.ts";

interface JudgedRegistry {
  /** The host and who asks it. */
  key: string;
  registry: string;
  readonly facts: RecordedRegistryFact[];
}

/** When a process met something, by its own clock and by how many facts the stream had then. */
interface Met {
  readonly at: number;
  readonly facts: number;
}

interface KnownState extends RegistryState {
  /** When a question of the process's own failed last, where the stream has nothing of that yet. */
  readonly ownFailureAt: number | undefined;
}

export interface RegistryJudgeOptions {
  readonly soleNode: boolean;
  readonly isByHand: (asker: Asker) => boolean;
  readonly backOff: { readonly baseMs: number; readonly capMs: number };
}

/** Holds what is written of registries that fail against the promises: one tries again, once the pause is over. */
export class RegistryJudge {
  readonly #world: World;
  readonly #options: RegistryJudgeOptions;
  readonly #streams = new Map<string, JudgedRegistry>();
  /** What went wrong at which host, for whom. */
  readonly #met = new Set<string>();
  readonly #hasFailedFor = new Set<string>();
  /** When each process last had an answer of the registry. */
  readonly #answered = new Map<string, Met>();
  /** And when a question of its own last failed there. */
  readonly #failed = new Map<string, Met>();
  /** Facts whose time says nothing: they were stored when their node's clock had been set back behind its last answer. */
  readonly #setBack = new Set<RecordedRegistryFact>();

  constructor(world: World, options: RegistryJudgeOptions) {
    this.#world = world;
    this.#options = options;
  }

  answered({ by, source }: Question, answer: Answer): void {
    const key = keyOf(source);
    const met = { at: by.clock.now(), facts: this.#factsOf(key) };
    if (!("code" in answer) || answer.code === "FI_FORBIDDEN" || answer.code === "FI_UNAUTHORIZED") {
      this.#answered.set(`${key} ${by.name}`, met);
      return;
    }
    this.#met.add(`${hostOf(source)} ${answer.code}`).add(`${hostOf(source)} ${answer.code} ${by.name}`);
    this.#hasFailedFor.add(by.name);
    this.#failed.set(`${key} ${by.name}`, met);
  }

  /** Whether the host ever failed so. */
  hasMet(host: string, code: string): boolean {
    return this.#met.has(`${host} ${code}`);
  }

  stored(facts: readonly RecordedFact[], by: SimulatedNode): void {
    for (const recorded of facts) {
      const decoded = decodeRegistryFact(recorded);
      const where = `${recorded.type} at ${recorded.stream}@${recorded.revision}`;
      if (!decoded.known) {
        this.#world.broken(`${where} cannot be read`);
        continue;
      }
      const { fact } = decoded;
      const stream = this.#streams.get(fact.stream) ?? { key: "", registry: "", facts: [] };
      this.#streams.set(fact.stream, stream);
      if (fact.type === "RegistryFailed") {
        const { registry, credential, failure } = fact.data;
        stream.registry = registry;
        stream.key = `${registry} ${credential}`;
        if (!this.#met.has(`${registry} ${failure.code} ${by.name}`)) {
          this.#world.broken(`${where}: ${registry} never failed so for ${by.name}`);
        }
      }
      const answered = this.#answered.get(`${stream.key} ${by.name}`);
      if (answered !== undefined && answered.at > by.clock.now()) this.#setBack.add(fact);
      if (fact.type === "RegistryProbed") this.#judgeProbe(stream, fact, where);
      stream.facts.push(fact);
    }
  }

  /** Who knows that a registry is down does not ask before the least that its pause can last. */
  asked({ by, source }: Question, asker: Asker | undefined, known: (stream: string) => bigint): void {
    const now = by.clock.now();
    for (const [name, stream] of this.#streams) {
      const { key, registry } = stream;
      const { failure, ...state } = this.#knownTo(by.name, stream, known(name));
      if (key !== keyOf(source) || failure === null || !state.isDown) continue;
      if (asker === undefined || this.#options.isByHand(asker)) continue;
      // Who tries it began when the pause was over: the failure of a question from before does not stop him.
      if (state.probe !== null && state.probe.node === by.name && sameAsker(state.probe.asker, asker)) continue;
      if (
        failure.at > now + clocksDifferMs ||
        now >= pausedSince(failure, state.ownFailureAt) + this.#leastPauseMs({ ...state, failure })
      )
        continue;
      this.#world.broken(`${by.name} asks ${registry} at ${now}, and knows that it failed at ${failure.at}`);
    }
  }

  #judgeProbe(
    stream: JudgedRegistry,
    { data, metadata: { node, time } }: RecordedRegistryFact & { type: "RegistryProbed" },
    where: string,
  ): void {
    const at = parseTime(time);
    if (this.#options.soleNode) this.#world.broken(`${where}: there is nobody to tell`);
    const { isDown } = stream.facts.reduce(evolveRegistry, healthyRegistry);
    if (!isDown && !this.#hasFailedFor.has(node)) this.#world.broken(`${where}: it is not down`);
    const { failure, probe, ...state } = this.#knownTo(node, stream);
    const isPaused = failure !== null && state.isDown && failure.at <= at + clocksDifferMs;
    if (isPaused && at < pausedSince(failure, state.ownFailureAt) + this.#leastPauseMs({ ...state, failure })) {
      this.#world.broken(`${where}: its pause is not over`);
    }
    if (probe !== null && probe.until > at && probe.asker.fetchId !== data.asker.fetchId) {
      this.#world.broken(`${where}: ${probe.node} tries it already`);
    }
  }

  /**
   * The registry as a process must see it that has read so far. What a store that was away did not take is known to who met
   * it alone: an answer ends what was before it, and a failure that process's own trying. Before it is what the stream held
   * then, too: where a clock was set back, that has later times.
   */
  #knownTo(node: string, { key, facts }: JudgedRegistry, revision?: bigint): KnownState {
    const answered = this.#answered.get(`${key} ${node}`);
    const failed = this.#failed.get(`${key} ${node}`);
    const read = facts.filter(
      (fact) => (revision === undefined || fact.revision <= revision) && !this.#wasBefore(fact, answered),
    );
    const state = read.reduce((before, fact) => {
      const isEnded = fact.type === "RegistryProbed" && fact.metadata.node === node && this.#wasBefore(fact, failed);
      const next = evolveRegistry(before, fact);
      // Ended or not, it took the place of the trying before it.
      return isEnded ? { ...next, probe: null } : next;
    }, healthyRegistry);
    const last = read.findLast(({ type }) => type === "RegistryFailed");
    const isNews = failed !== undefined && last !== undefined && last.revision < failed.facts;
    return { ...state, ownFailureAt: isNews ? failed.at : undefined };
  }

  #wasBefore(fact: RecordedRegistryFact, met: Met | undefined): boolean {
    if (met === undefined) return false;
    const { revision, metadata } = fact;
    return revision < met.facts || (!this.#setBack.has(fact) && parseTime(metadata.time) <= met.at);
  }

  #factsOf(key: string): number {
    for (const stream of this.#streams.values()) if (stream.key === key) return stream.facts.length;
    return 0;
  }

  #leastPauseMs({ failures, failure }: Pick<RegistryState, "failures" | "failure">): number {
    const { baseMs, capMs } = this.#options.backOff;
    return Math.max(Math.min(baseMs * 2 ** (failures - 1), capMs) * 0.75, failure?.retryAfterMs ?? 0);
  }
}

const clocksDifferMs = 5000;

/**
 * When the pause began that the process keeps, at the earliest: a failure that it met after all that the stream has, stored or
 * not, may have begun it anew, by its own clock. One that the registry asked for is not cut short.
 */
function pausedSince(failure: NonNullable<RegistryState["failure"]>, ownAt: number | undefined): number {
  return ownAt === undefined || failure.retryAfterMs > 0 ? failure.at : Math.min(failure.at, ownAt);
}

/** As scopes have it: who shares a registry's limits and failures. */
function keyOf(source: RegistryImageSource): string {
  return `${hostOf(source)} ${scopeOf("registry-image", source, nodeHash).credential}`;
}
