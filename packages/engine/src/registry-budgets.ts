import {
  type Asker,
  type CancelSignal,
  type Clock,
  FetchImageError,
  type RateLimit,
  sameAsker,
  type ScopeState,
  type Sparing,
} from "@fetch-image/core/fetching";
import { Deferred } from "./deferred.ts";
import type { Outcome, ScopeQuestion } from "./scope-answers.ts";
import type { Slot } from "./slot.ts";

export interface RegistryBudgetsOptions {
  readonly clock: Clock;
  /** The share of a rate limit that is kept for what must be asked; 0 keeps nothing back. */
  readonly reserve: number;
}

interface Budget {
  /** What was told last, and when; milliseconds since the epoch. */
  told: { readonly rateLimit: RateLimit; readonly host: string; readonly at: number } | undefined;
  /** Of the last answer. */
  heardAt: number;
  /** When it last refused: what it told before says nothing any more. */
  refusedAt: number;
  /** Who asks. */
  readonly underWay: Set<Slot<Asker>>;
  /** Made when somebody waits for the next answer. */
  changed: Deferred<void> | undefined;
}

/**
 * What registries have left for us, by registry and identity, for all scopes of this process. Where little is left,
 * scopes with an answer that will do are served it, the others ask one after another.
 */
export class RegistryBudgets {
  readonly #options: RegistryBudgetsOptions;
  /** The one that was asked for last stands last. */
  readonly #budgets = new Map<string, Budget>();
  #lastKey: string | undefined;

  constructor(options: RegistryBudgetsOptions) {
    this.#options = options;
  }

  /** Takes in what a scope's stream says: of an earlier process, or of another node. */
  recall(question: ScopeQuestion, { rateLimit }: ScopeState): void {
    if (rateLimit === null) return;
    const budget = this.#of(question);
    if (rateLimit.at <= budget.heardAt) return;
    const { host, at, ...told } = rateLimit;
    budget.told = { rateLimit: told, host, at };
    budget.heardAt = at;
  }

  /** Why the registry is to be spared now; undefined where it may be asked as usual. */
  sparing(question: ScopeQuestion): Sparing | undefined {
    const budget = this.#budgets.get(question.asked.key);
    if (budget?.told === undefined || !this.#isLow(budget)) return undefined;
    const { host, rateLimit } = budget.told;
    return { because: "budget", host, rateLimit };
  }

  /** Whether somebody else asks the registry now. */
  isBusy(question: ScopeQuestion): boolean {
    const budget = this.#budgets.get(question.asked.key);
    if (budget === undefined) return false;
    for (const { held } of budget.underWay) if (held !== undefined && !sameAsker(held, question.asker)) return true;
    return false;
  }

  /** Whether to wait for the answers under way first: what is left is not raced for. */
  isTaken(question: ScopeQuestion): boolean {
    const budget = this.#budgets.get(question.asked.key);
    return budget !== undefined && budget.underWay.size > 0 && this.#isLow(budget);
  }

  /** Resolves when an answer has come; rejects with `FI_ABORTED`. */
  async nextAnswer(question: ScopeQuestion, signal: CancelSignal): Promise<void> {
    const aborted = new Deferred<void>();
    const onAbort = () => {
      aborted.resolve();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const budget = this.#of(question);
    budget.changed ??= new Deferred();
    if (!signal.aborted) await Promise.race([budget.changed.promise, aborted.promise]);
    signal.removeEventListener("abort", onAbort);
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
  }

  /** Counts a question as under way; call the result once, with what became of it, undefined where it was not asked. */
  begin(question: ScopeQuestion): (outcome: Outcome | undefined) => void {
    const budget = this.#of(question);
    const slot: Slot<Asker> = { held: question.asker };
    budget.underWay.add(slot);
    return (outcome) => {
      budget.underWay.delete(slot);
      slot.held = undefined;
      if (outcome !== undefined) this.#learn(budget, outcome);
      budget.changed?.resolve();
      budget.changed = undefined;
    };
  }

  #learn(budget: Budget, outcome: Outcome): void {
    const at = this.#options.clock.now();
    if (outcome.ok) {
      const { host, rateLimit } = outcome.check;
      budget.told = rateLimit === undefined ? undefined : { rateLimit, host, at };
      budget.heardAt = at;
    } else if (FetchImageError.is(outcome.error) && outcome.error.code === "FI_RATE_LIMITED") budget.refusedAt = at;
  }

  #of(question: ScopeQuestion): Budget {
    const { key } = question.asked;
    const before = this.#budgets.get(key);
    if (before !== undefined && key === this.#lastKey) return before;
    const known = before ?? {
      told: undefined,
      heardAt: 0,
      refusedAt: Number.NEGATIVE_INFINITY,
      underWay: new Set(),
      changed: undefined,
    };
    this.#budgets.delete(key);
    this.#budgets.set(key, known);
    this.#lastKey = key;
    for (const [oldest, { underWay }] of this.#budgets) {
      if (this.#budgets.size <= mostBudgets) break;
      if (underWay.size === 0 && oldest !== key) this.#budgets.delete(oldest);
    }
    return known;
  }

  /** What was told of a window that is over, or before a pause, says nothing any more. */
  #isLow({ told, refusedAt, underWay }: Budget): boolean {
    if (told?.rateLimit.remaining === undefined || told.at <= refusedAt) return false;
    const { limit = 0, remaining, windowSeconds = usualWindowSeconds } = told.rateLimit;
    if (this.#options.clock.now() - told.at > windowSeconds * 1000) return false;
    const { reserve } = this.#options;
    const kept = reserve === 0 ? 0 : Math.max(1, Math.ceil(limit * reserve));
    return remaining - underWay.size <= kept;
  }
}

const mostBudgets = 1000;
const usualWindowSeconds = 3600;
