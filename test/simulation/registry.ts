import { createHash } from "node:crypto";
import {
  type CancelSignal,
  type CheckOptions,
  type Digest,
  FetchImageError,
  type ImageRegistry,
  nextCheckStep,
  type RegistryCheck,
  type RegistryImageSource,
  type RepositoryFacts,
  versionRule,
} from "@fetch-image/core";
import { mayAsk } from "./credentials.ts";
import type { SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

/** How often a question goes wrong, of a thousand each. */
export interface RegistryFaults {
  /** Slow, by up to twice as long as a claim holds. */
  readonly slow: number;
  readonly unavailable: number;
  readonly timeout: number;
  /** 429, with a Retry-After or without. */
  readonly rateLimited: number;
  /** A refusal that does not pass by itself. */
  readonly refused: number;
}

export const noRegistryFaults: RegistryFaults = { slow: 0, unavailable: 0, timeout: 0, rateLimited: 0, refused: 0 };

export interface Question {
  readonly by: SimulatedNode;
  readonly source: RegistryImageSource;
}

/** Who wants to know what the registry is asked. */
export interface RegistryWitness {
  asked(question: Question): void;
  /** The answer has reached the process: a digest, nothing of the kind, or an error. */
  answered(question: Question, answer: Answer): void;
}

export type Answer = { readonly digest: string } | { readonly absent: true } | { readonly code: string };

/** Registries as the world sees them: tags that move and vanish, and answers that come late, wrong, or not at all. */
export class SimulatedRegistry {
  faults: RegistryFaults = noRegistryFaults;
  /** What a slow answer takes at most; milliseconds. */
  readonly slowestMs: number;
  readonly #world: World;
  readonly #witness: RegistryWitness;
  readonly #tags = new Map<string, Map<string, Digest>>();
  #pushes = 0;

  constructor(world: World, witness: RegistryWitness, slowestMs: number) {
    this.#world = world;
    this.#witness = witness;
    this.slowestMs = slowestMs;
  }

  push(repository: string, tag: string): void {
    const digest: Digest = `sha256:${createHash("sha256").update(`${repository}:${tag} ${this.#pushes++}`).digest("hex")}`;
    this.#tagsOf(repository).set(tag, digest);
    this.#world.tell("registry", `${repository}:${tag} is ${digest.slice(0, 15)}`);
  }

  remove(repository: string, tag: string): void {
    this.#tagsOf(repository).delete(tag);
    this.#world.fault("registry", `${repository}:${tag} is gone`);
  }

  /** The newest version of the source, as a check gives it now. */
  newest(source: RegistryImageSource): string | undefined {
    return this.#check(source, { signal: new AbortController().signal }).versions.at(-1)?.digest;
  }

  connect(node: SimulatedNode): ImageRegistry {
    return {
      resolve: () => Promise.reject(new Error("the engine asks for versions by check")),
      check: (source, options) => this.#ask({ by: node, source }, options),
    };
  }

  async #ask(question: Question, options: CheckOptions): Promise<RegistryCheck> {
    const world = this.#world;
    const { by } = question;
    world.touch();
    by.asks("a registry");
    this.#witness.asked(question);
    world.tell(by.name, `asks for ${question.source.repository}:${question.source.tag ?? "*"}`);
    try {
      const error = mayAsk(question.source) ? this.#error() : new FetchImageError("FI_UNAUTHORIZED");
      await inTime(world.delay(this.#travel()), by, options.signal);
      const check = error === undefined ? this.#check(question.source, options) : undefined;
      await inTime(by.arrival(this.#travel()), by, options.signal);
      world.touch();
      if (check === undefined) throw error;
      const digest = check.versions.at(-1)?.digest;
      this.#witness.answered(question, digest === undefined ? { absent: true } : { digest });
      return check;
    } catch (error) {
      if (!FetchImageError.is(error)) {
        world.broken(`the simulated registry failed: ${String(error)}`);
        throw error;
      }
      if (error.code !== "FI_ABORTED") world.fault(by.name, `question failed: ${error.code}`);
      this.#witness.answered(question, { code: error.code });
      throw error;
    }
  }

  #check(source: RegistryImageSource, { cursor, known, want, previous }: CheckOptions): RegistryCheck {
    const parsed = versionRule(source);
    if (!parsed.ok) throw parsed.error;
    const tags = this.#tagsOf(source.repository);
    const digests = new Map<string, Digest | "absent">(parsed.rule.mode === "tag" ? [] : known);
    let facts: RepositoryFacts = { digests, present: new Map(), created: new Map() };
    for (;;) {
      const step = nextCheckStep(parsed.rule, { cursor, facts, want, previous });
      switch (step.next) {
        case "list-tags":
          facts = { ...facts, tags: [...tags.keys()].sort() };
          break;
        case "resolve-tags":
          for (const tag of step.tags) digests.set(tag, tags.get(tag) ?? "absent");
          break;
        case "probe-digest":
        case "read-created":
          throw new Error(`no source of the simulation needs ${step.next}`);
        case "fail":
          throw step.error;
        case "answer": {
          const { versions, rejected } = step;
          const status = versions.length === 0 && parsed.rule.mode === "tag" ? 404 : 200;
          return { versions, rejected, via: "HEAD", host: hostOf(source), status, requests: 1 };
        }
      }
    }
  }

  #error(): FetchImageError | undefined {
    const { random } = this.#world;
    if (random.rarely(this.faults.unavailable)) return new FetchImageError("FI_REGISTRY_UNAVAILABLE");
    if (random.rarely(this.faults.timeout)) return new FetchImageError("FI_REGISTRY_TIMEOUT");
    if (random.rarely(this.faults.refused)) return new FetchImageError("FI_FORBIDDEN");
    if (!random.rarely(this.faults.rateLimited)) return undefined;
    const retryAfterMs = random.pick([0, 1000, 5000, 15_000, 60_000]);
    return new FetchImageError("FI_RATE_LIMITED", { details: retryAfterMs === 0 ? {} : { retryAfterMs } });
  }

  #travel(): number {
    const { random } = this.#world;
    return random.rarely(this.faults.slow) ? random.between(100, this.slowestMs) : random.between(1, 50);
  }

  #tagsOf(repository: string): Map<string, Digest> {
    const tags = this.#tags.get(repository) ?? new Map<string, Digest>();
    this.#tags.set(repository, tags);
    return tags;
  }
}

export function hostOf({ repository }: RegistryImageSource): string {
  return repository.split("/", 1)[0] ?? repository;
}

/** Rejects with `FI_ABORTED` as soon as nobody wants the answer. */
export async function inTime(waiting: Promise<void>, by: SimulatedNode, signal: CancelSignal): Promise<void> {
  if (signal.aborted) throw new FetchImageError("FI_ABORTED");
  let onAbort = (): void => {};
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
    signal.addEventListener("abort", resolve, { once: true });
  });
  await Promise.race([waiting, aborted]);
  signal.removeEventListener("abort", onAbort);
  if (!by.alive) await new Promise(() => {});
  if (signal.aborted) throw new FetchImageError("FI_ABORTED");
}
