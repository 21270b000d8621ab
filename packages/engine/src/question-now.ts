import type { Asker, BackOff, CheckQuestion, ScopeState, Sparing } from "@fetch-image/core/fetching";
import type { EffectiveScopeSettings } from "./engine-settings.ts";
import type { RegistryBudgets } from "./registry-budgets.ts";
import type { RegistryPauses } from "./registry-pauses.ts";
import type { ScopeQuestion } from "./scope-answers.ts";

/** What {@link QuestionNow} is made from. */
export interface Circumstances {
  readonly budgets: RegistryBudgets;
  readonly pauses: RegistryPauses;
  /** Of the scope's repository. */
  readonly settings: EffectiveScopeSettings;
  readonly state: ScopeState;
  readonly now: number;
}

/**
 * A question to a scope, and what holds for it now. What is rarely asked for is looked up when it is: a fresh answer needs
 * none of it.
 */
export class QuestionNow implements CheckQuestion {
  readonly now: number;
  readonly atOnce: boolean;
  readonly question: ScopeQuestion;
  readonly #around: Circumstances;

  constructor(question: ScopeQuestion, around: Circumstances) {
    this.question = question;
    this.#around = around;
    this.now = around.now;
    this.atOnce = question.skipInterval && question.attempt === 1;
  }

  get scope(): string {
    return this.question.scope;
  }

  get asker(): Asker {
    return this.question.asker;
  }

  get interval(): number | "never" {
    return this.question.interval;
  }

  get skipInterval(): boolean {
    return this.question.skipInterval;
  }

  get credential(): string | null {
    return this.question.credential;
  }

  get staleWhileRevalidateMs(): number {
    return this.question.isForLater === true ? 0 : this.#around.settings.limits.staleWhileRevalidateMs;
  }

  get stalenessBoundMs(): number {
    return this.#around.settings.limits.stalenessBoundMs;
  }

  get failureBackOff(): BackOff {
    return this.#around.settings.limits.failureBackOff;
  }

  get refusalMemoryMs(): number {
    return this.#around.settings.limits.refusalMemoryMs;
  }

  get sparing(): Sparing | undefined {
    const { budgets, pauses, settings, state } = this.#around;
    budgets.recall(this.question, state);
    const isBusy = budgets.isBusy(this.question);
    return pauses.sparing(this.question, settings.limits, isBusy) ?? budgets.sparing(this.question);
  }

  get registryAnsweredAt(): number | null {
    return this.#around.pauses.answeredAt(this.question);
  }
}
