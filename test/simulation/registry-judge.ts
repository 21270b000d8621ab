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
  readonly states: RegistryState[];
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
  /** When each process last had an answer of the registry, by its own clock. */
  readonly #answered = new Map<string, number>();

  constructor(world: World, options: RegistryJudgeOptions) {
    this.#world = world;
    this.#options = options;
  }

  answered({ by, source }: Question, answer: Answer): void {
    if (!("code" in answer) || answer.code === "FI_FORBIDDEN") {
      this.#answered.set(`${keyOf(source)} ${by.name}`, by.clock.now());
      return;
    }
    this.#met.add(`${hostOf(source)} ${answer.code}`).add(`${hostOf(source)} ${answer.code} ${by.name}`);
    this.#hasFailedFor.add(by.name);
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
      const stream = this.#streams.get(fact.stream) ?? { key: "", registry: "", states: [] };
      this.#streams.set(fact.stream, stream);
      if (fact.type === "RegistryFailed") {
        const { registry, credential, failure } = fact.data;
        stream.registry = registry;
        stream.key = `${registry} ${credential}`;
        if (!this.#met.has(`${registry} ${failure.code} ${by.name}`)) {
          this.#world.broken(`${where}: ${registry} never failed so for ${by.name}`);
        }
      }
      const before = stream.states.at(-1) ?? healthyRegistry;
      this.#judge(before, fact, where);
      stream.states.push(evolveRegistry(before, fact));
    }
  }

  /** Who knows that a registry is down does not ask before the least that its pause can last. */
  asked({ by, source }: Question, asker: Asker | undefined, known: (stream: string) => bigint): void {
    const now = by.clock.now();
    for (const [name, { key, registry, states }] of this.#streams) {
      const state = states[Number(known(name))];
      if (key !== keyOf(source) || state?.failure == null || !state.isDown) continue;
      if (asker === undefined || this.#options.isByHand(asker)) continue;
      const { at } = state.failure;
      // It may know better, and not have come to say so.
      const isAnswered = (this.#answered.get(`${key} ${by.name}`) ?? 0) >= at;
      if (isAnswered || at > now + clocksDifferMs || now >= at + this.#leastPauseMs(state)) continue;
      this.#world.broken(`${by.name} asks ${registry} at ${now}, and knows that it failed at ${at}`);
    }
  }

  #judge(before: RegistryState, fact: RecordedRegistryFact, where: string): void {
    const at = parseTime(fact.metadata.time);
    const { failure, probe } = before;
    if (fact.type !== "RegistryProbed") return;
    if (this.#options.soleNode) this.#world.broken(`${where}: there is nobody to tell`);
    // What a store that was away did not take is known to who met it alone.
    const isKnown = failure !== null && before.isDown;
    if (isKnown && failure.at <= at + clocksDifferMs && at < failure.at + this.#leastPauseMs(before)) {
      this.#world.broken(`${where}: its pause is not over`);
    }
    if (!isKnown && !this.#hasFailedFor.has(fact.metadata.node)) this.#world.broken(`${where}: it is not down`);
    if (probe !== null && probe.until > at && probe.asker.fetchId !== fact.data.asker.fetchId) {
      this.#world.broken(`${where}: ${probe.node} tries it already`);
    }
  }

  #leastPauseMs({ failures, failure }: RegistryState): number {
    const { baseMs, capMs } = this.#options.backOff;
    return Math.max(Math.min(baseMs * 2 ** (failures - 1), capMs) * 0.75, failure?.retryAfterMs ?? 0);
  }
}

const clocksDifferMs = 5000;

/** As scopes have it: who shares a registry's limits and failures. */
function keyOf(source: RegistryImageSource): string {
  return `${hostOf(source)} ${scopeOf("registry-image", source, nodeHash).credential}`;
}
