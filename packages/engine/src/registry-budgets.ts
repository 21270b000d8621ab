import {
  type CancelSignal,
  type Clock,
  FetchImageError,
  type JsonObject,
  type RateLimit,
  type ScopeState,
  type Sparing,
} from "@fetch-image/core";
import { type Deferred, deferred } from "./deferred.ts";
import { retryAfterOf } from "./failure.ts";
import type { Outcome, ScopeQuestion } from "./scope-answers.ts";

export interface RegistryBudgetsOptions {
  readonly clock: Clock;
  /** The share of a rate limit that is kept for what must be asked; 0 keeps nothing back. */
  readonly reserve: number;
  /** How old an answer may be that is given instead of asking. */
  readonly boundMs: number;
}

interface Budget {
  /** What was told last, and when; milliseconds since the epoch. */
  told: { readonly rateLimit: RateLimit; readonly host: string; readonly at: number } | undefined;
  /** Of the last answer. */
  heardAt: number;
  /** Until when nobody asks, and the registry that said so. */
  pause: { readonly until: number; readonly host: string; readonly at: number } | undefined;
  /** Whether the last answer was a refusal: until there is another, one at a time tries. */
  refused: boolean;
  underWay: number;
  changed: Deferred<void>;
}

/**
 * What registries have left for us, by registry and identity, for all scopes of this process. Where little is left,
 * scopes with an answer that will do are served it, the others ask one after another; where a registry asked for a
 * pause, nobody asks before its end.
 */
export class RegistryBudgets {
  readonly #options: RegistryBudgetsOptions;
  readonly #budgets = new Map<string, Budget>();

  constructor(options: RegistryBudgetsOptions) {
    this.#options = options;
  }

  /** Takes in what a scope's stream says: of an earlier process, or of another node. */
  recall(question: ScopeQuestion, { rateLimit, failure }: ScopeState): void {
    if (rateLimit === null && failure === null) return;
    const budget = this.#of(question);
    if (rateLimit !== null && rateLimit.at > budget.heardAt) {
      const { host, at, ...told } = rateLimit;
      budget.told = { rateLimit: told, host, at };
      budget.heardAt = at;
    }
    if (failure?.failure.code === "FI_RATE_LIMITED" && failure.retryAfterMs > 0) {
      const until = failure.at + failure.retryAfterMs;
      const isNews = failure.at >= budget.heardAt && until > (budget.pause?.until ?? 0);
      if (isNews) budget.pause = { until, host: hostIn(failure.failure.details, question), at: failure.at };
    }
  }

  /** Why the registry is to be spared now; undefined where it may be asked as usual. */
  sparing(question: ScopeQuestion): Sparing | undefined {
    const budget = this.#budgets.get(keyOf(question));
    if (budget === undefined) return undefined;
    const { boundMs } = this.#options;
    const pause = this.#pauseOf(budget);
    if (pause !== undefined) return { because: "retry-after", boundMs, until: pause.until, host: pause.host };
    if (!this.#isLow(budget) || budget.told === undefined) return undefined;
    const { host, rateLimit } = budget.told;
    return { because: "budget", boundMs, host, rateLimit };
  }

  /** The failure of a question that is not asked, since the registry asked for a pause; undefined where it may be. */
  refusal(question: ScopeQuestion): FetchImageError | undefined {
    const budget = this.#budgets.get(keyOf(question));
    const pause = budget && this.#pauseOf(budget);
    if (pause === undefined) return undefined;
    const { until, host } = pause;
    const end = new Date(until).toISOString();
    return new FetchImageError("FI_RATE_LIMITED", {
      message: `${host} asked for a pause until ${end}, so ${question.repository} was not asked for`,
      details: { host, until: end, retryAfterMs: until - this.#options.clock.now() },
    });
  }

  /** Whether to wait for the answers under way first: what is left is not raced for. */
  isTaken(question: ScopeQuestion): boolean {
    const budget = this.#budgets.get(keyOf(question));
    return budget !== undefined && budget.underWay > 0 && (budget.refused || this.#isLow(budget));
  }

  /** Resolves when an answer has come; rejects with `FI_ABORTED`. */
  async nextAnswer(question: ScopeQuestion, signal: CancelSignal): Promise<void> {
    const aborted = deferred<void>();
    const onAbort = () => {
      aborted.resolve();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (!signal.aborted) await Promise.race([this.#of(question).changed.promise, aborted.promise]);
    signal.removeEventListener("abort", onAbort);
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
  }

  /** Counts a question as under way; call the result once, with what became of it, undefined where it was not asked. */
  begin(question: ScopeQuestion): (outcome: Outcome | undefined) => void {
    const budget = this.#of(question);
    budget.underWay++;
    return (outcome) => {
      budget.underWay--;
      if (outcome !== undefined) this.#learn(budget, question, outcome);
      const { changed } = budget;
      budget.changed = deferred();
      changed.resolve();
    };
  }

  #learn(budget: Budget, question: ScopeQuestion, outcome: Outcome): void {
    const at = this.#options.clock.now();
    if (outcome.ok) {
      const { host, rateLimit } = outcome.check;
      budget.told = rateLimit === undefined ? undefined : { rateLimit, host, at };
      budget.heardAt = at;
      budget.refused = false;
      return;
    }
    const { error } = outcome;
    if (!FetchImageError.is(error) || error.code !== "FI_RATE_LIMITED") return;
    const { retryAfterMs = 0 } = retryAfterOf(error);
    budget.refused = true;
    if (retryAfterMs > 0) budget.pause = { until: at + retryAfterMs, host: hostIn(error.details, question), at };
  }

  #of(question: ScopeQuestion): Budget {
    const key = keyOf(question);
    const known = this.#budgets.get(key) ?? {
      told: undefined,
      heardAt: 0,
      pause: undefined,
      refused: false,
      underWay: 0,
      changed: deferred<void>(),
    };
    this.#budgets.delete(key);
    this.#budgets.set(key, known);
    for (const [oldest, { underWay }] of this.#budgets) {
      if (this.#budgets.size <= mostBudgets) break;
      if (underWay === 0 && oldest !== key) this.#budgets.delete(oldest);
    }
    return known;
  }

  #pauseOf({ pause }: Budget): Budget["pause"] {
    return pause !== undefined && pause.until > this.#options.clock.now() ? pause : undefined;
  }

  /** What was told of a window that is over, or before a pause, says nothing any more. */
  #isLow({ told, pause, underWay }: Budget): boolean {
    if (told?.rateLimit.remaining === undefined || (pause !== undefined && told.at <= pause.at)) return false;
    const { limit = 0, remaining, windowSeconds = usualWindowSeconds } = told.rateLimit;
    if (this.#options.clock.now() - told.at > windowSeconds * 1000) return false;
    const { reserve } = this.#options;
    const kept = reserve === 0 ? 0 : Math.max(1, Math.ceil(limit * reserve));
    return remaining - underWay <= kept;
  }
}

const mostBudgets = 1000;
const usualWindowSeconds = 3600;

/** Whom the question is put to, and as whom: one answer's headers tell of all questions with the same. */
function keyOf({ source, credential, ...question }: ScopeQuestion): string {
  const registry = registryOf(question);
  // Only Docker Hub's images are mirrored.
  const mirror = registry === "docker.io" ? source.registry_mirror?.host : undefined;
  return [registry, mirror ?? "", credential ?? ""].join("\n");
}

function hostIn(details: JsonObject | undefined, question: ScopeQuestion): string {
  const host = details?.["host"];
  return typeof host === "string" ? host : registryOf(question);
}

function registryOf({ repository }: Pick<ScopeQuestion, "repository">): string {
  return repository.slice(0, repository.indexOf("/"));
}
