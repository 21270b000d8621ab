import {
  concernsRegistry,
  type Failure,
  FetchImageError,
  formatTime,
  registryHealth,
  type RegistryHealth,
  type RegistryState,
  sameAsker,
  type ScopeLimits,
  type Sparing,
} from "@fetch-image/core/fetching";
import { retryAfterOf, toFailure } from "./failure.ts";
import { RegistryLog } from "./registry-log.ts";
import { type RegistryKey, registryKeyOf } from "./registry-key.ts";
import type { Outcome, ScopeQuestion } from "./scope-answers.ts";
import type { StreamOptions } from "./scope-stream.ts";

export interface RegistryPausesOptions extends StreamOptions {
  readonly soleNode: boolean;
}

type Limits = Pick<ScopeLimits, "failureBackOff">;

/**
 * Which registries fail, or asked for a pause, on whatever node and for whatever scope: by registry and identity, from
 * their streams. While one is paused nobody asks it; then one does, and the others wait for what becomes of it.
 */
export class RegistryPauses {
  readonly #options: RegistryPausesOptions;
  /** The one that was asked for last stands last. */
  readonly #logs = new Map<string, RegistryLog>();
  #lastKey: string | undefined;

  constructor(options: RegistryPausesOptions) {
    this.#options = options;
  }

  /** Whether the registry's stream was read in this process. */
  isRead(question: ScopeQuestion): boolean {
    return this.#logs.get(question.asked.key)?.isRead === true;
  }

  /** Reads what other nodes met. Where the store is away, what is known here has to do. */
  async readOn(question: ScopeQuestion): Promise<void> {
    try {
      await this.#logOf(question).readOn();
    } catch (error) {
      const { code } = toFailure(error, "FI_INTERNAL", question.redact);
      this.#options.logger.warn("a registry's stream could not be read", { scope: question.scope, code });
    }
  }

  /** Why the registry is to be spared now; `isBusy`: somebody asks it. Undefined where it may be asked as usual. */
  sparing(question: ScopeQuestion, limits: Limits, isBusy: boolean): Sparing | undefined {
    const health = this.#healthOf(question, limits);
    if (health.kind === "up" || (health.kind === "half-open" && !isBusy && !this.#isProbed(question))) return undefined;
    const { failure, host, retryAfterMs } = health.failing;
    const until = health.kind === "paused" ? { until: health.until } : {};
    if (retryAfterMs > 0 && failure.code === "FI_RATE_LIMITED") return { because: "retry-after", host, ...until };
    return { because: "failing", host, failure, ...until };
  }

  /** The failure of a question that is not asked, and until when; undefined where it may be. */
  refusal(question: ScopeQuestion, limits: Limits): { readonly failure: Failure; readonly until: number } | undefined {
    const health = this.#healthOf(question, limits);
    if (health.kind !== "paused") return undefined;
    const { until, failing } = health;
    const end = formatTime(until);
    const { failure, host, retryAfterMs } = failing;
    if (retryAfterMs > 0 && failure.code === "FI_RATE_LIMITED") {
      const error = new FetchImageError("FI_RATE_LIMITED", {
        message: `${host} asked for a pause until ${end}, so ${question.repository} was not asked for`,
        details: { host, until: end, retryAfterMs: until - this.#options.clock.now() },
      });
      return { failure: toFailure(error, "FI_CHECK_FAILED", question.redact), until };
    }
    const { failures } = this.#logOf(question).state;
    const times = failures === 1 ? "failed" : `failed ${failures} times in a row`;
    const message = `${failure.message}; ${host} ${times}, so ${question.repository} is not asked for before ${end}`;
    return { failure: { ...failure, message, details: { ...failure.details, host, failures, until: end } }, until };
  }

  /** A pause is over, and one may try. */
  isHalfOpen(question: ScopeQuestion, limits: Limits): boolean {
    return this.#healthOf(question, limits).kind === "half-open";
  }

  /** Whether this question is the one that tries, and for how long it may is not over. */
  isTrying(question: ScopeQuestion): boolean {
    const { probe } = this.#logOf(question).state;
    if (probe === null || probe.node !== this.#options.node || !sameAsker(probe.asker, question.asker)) return false;
    return this.#options.clock.now() < probe.until;
  }

  /** When the registry last answered after it had failed; milliseconds since the epoch. */
  answeredAt(question: ScopeQuestion): number | null {
    return this.#logs.get(question.asked.key)?.state.answeredAt ?? null;
  }

  /** Whether this question is the one that tries, for `claimMs` at the longest; rejects where the store is away. */
  async mayProbe(question: ScopeQuestion, limits: Limits, claimMs: number): Promise<boolean> {
    const { scope, asker } = question;
    return await this.#logOf(question).claim(() => {
      if (!this.isHalfOpen(question, limits) || this.#isProbed(question)) return undefined;
      const at = this.#options.clock.now();
      const data = { scope, asker, until: formatTime(at + claimMs) };
      return { fact: { type: "RegistryProbed", data }, context: { buildId: asker.buildId, at } };
    });
  }

  /** Takes in how a question ended that was asked at `askedAt`. Counts at once; it is stored behind the caller's back. */
  learn(question: ScopeQuestion, outcome: Outcome, askedAt: number): void {
    const log = this.#logOf(question);
    // As a rule: it answers, as it did before.
    if (outcome.ok && log.state.failure === null) return;
    const { scope, asker, redact, credential } = question;
    const at = this.#options.clock.now();
    const failure = outcome.ok ? undefined : toFailure(outcome.error, "FI_CHECK_FAILED", redact);
    if (failure?.code === "FI_ABORTED") return;
    const context = { buildId: asker.buildId, at };
    const { registry } = question.asked;
    if (failure === undefined || !concernsRegistry(failure)) {
      // Any answer shows that it is there. One that was asked for before the failure does not show that it is now.
      const isNews = ({ failure: last }: RegistryState) => last !== null && last.at <= at;
      const host = outcome.ok ? outcome.check.host : hostIn(failure, registry);
      if (isNews(log.state))
        this.#store(log, { type: "RegistryAnswered", data: { host, scope, asker } }, context, isNews);
      return;
    }
    const data = {
      registry,
      host: hostIn(failure, registry),
      credential,
      scope,
      failure,
      ...(outcome.ok ? {} : retryAfterOf(outcome.error)),
      askedAt: formatTime(askedAt),
      asker,
    };
    this.#store(log, { type: "RegistryFailed", data }, context, () => true);
  }

  #store(log: RegistryLog, ...fact: Parameters<RegistryLog["add"]>): void {
    log.add(...fact).catch((error: unknown) => {
      const { code } = toFailure(error, "FI_INTERNAL", String);
      this.#options.logger.warn("how a registry fared could not be recorded", { code });
    });
  }

  #isProbed(question: ScopeQuestion): boolean {
    const { probe } = this.#logOf(question).state;
    if (probe === null || probe.until <= this.#options.clock.now()) return false;
    // Where there is no other node, another's is that of a predecessor which died.
    if (this.#options.soleNode && probe.node !== this.#options.node) return false;
    return probe.asker.buildId !== question.asker.buildId || probe.asker.fetchId !== question.asker.fetchId;
  }

  #healthOf(question: ScopeQuestion, { failureBackOff: backOff }: Limits): RegistryHealth {
    const { key } = question.asked;
    const log = this.#logs.get(key);
    if (log === undefined || log.state.failure === null) return up;
    return registryHealth(log.state, { now: this.#options.clock.now(), backOff, key });
  }

  #logOf(question: ScopeQuestion): RegistryLog {
    const { key } = question.asked;
    const before = this.#logs.get(key);
    if (before !== undefined && key === this.#lastKey) return before;
    const { hash } = this.#options;
    const known = before ?? new RegistryLog(registryKeyOf(question, hash).id, this.#options);
    this.#logs.delete(key);
    this.#logs.set(key, known);
    this.#lastKey = key;
    // What is forgotten is read again.
    const [oldest] = this.#logs.keys();
    if (this.#logs.size > mostRegistries && oldest !== undefined) this.#logs.delete(oldest);
    return known;
  }
}

const mostRegistries = 1000;
const up: RegistryHealth = { kind: "up" };

function hostIn(failure: Failure | undefined, registry: RegistryKey["registry"]): string {
  const host = failure?.details?.["host"];
  return typeof host === "string" ? host : registry;
}
