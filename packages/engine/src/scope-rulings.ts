import { type CheckDecision, type Clock, decideCheck, sameAsker } from "@fetch-image/core/fetching";
import type { EffectiveSettings } from "./engine-settings.ts";
import { QuestionNow } from "./question-now.ts";
import type { RegistryBudgets } from "./registry-budgets.ts";
import type { RegistryPauses } from "./registry-pauses.ts";
import {
  answerSince,
  type Asking,
  type CheckAnswer,
  type CheckFailure,
  failureAnswer,
  freshMsOf,
  joined,
  known,
  refusedAnswer,
  type ScopeQuestion,
  unasked,
} from "./scope-answers.ts";
import type { Inflight, ScopeEntry } from "./scope-entry.ts";

interface ScopeRulingsOptions {
  readonly clock: Clock;
  readonly node: string;
  readonly soleNode: boolean;
  readonly settings: EffectiveSettings;
  readonly budgets: RegistryBudgets;
  readonly pauses: RegistryPauses;
}

/** What becomes of a question as things stand: by the scope's fold, the settings, and what is known of its registry. */
export class ScopeRulings {
  readonly #options: ScopeRulingsOptions;

  constructor(options: ScopeRulingsOptions) {
    this.#options = options;
  }

  /** What holds for the question now. */
  now(entry: ScopeEntry, question: ScopeQuestion): QuestionNow {
    return new QuestionNow(question, {
      budgets: this.#options.budgets,
      pauses: this.#options.pauses,
      settings: this.#options.settings.forScope(question.repository),
      state: entry.state,
      now: this.#options.clock.now(),
    });
  }

  /** `running`: another question of this process that has asked, or will. */
  decide(entry: ScopeEntry, question: QuestionNow, running?: Inflight): CheckDecision {
    const { node, soleNode } = this.#options;
    const { state } = entry;
    // Where there is no other node, a claim is of who asks here, of a predecessor which died, or of a question that was given
    // up here: the store may have taken it all the same, and nobody will answer it.
    const orphaned = soleNode && state.claim !== null && (state.claim.node !== node || running === undefined);
    return decideCheck(orphaned ? { ...state, claim: null } : state, question);
  }

  /** What a decision answers by itself; undefined where it takes a check, another's or our own. */
  answerTo(decision: CheckDecision, entry: ScopeEntry, now: QuestionNow): CheckAnswer | undefined {
    const { question } = now;
    switch (decision.kind) {
      case "fresh":
      case "stale":
        return known(decision);
      case "refused":
        return refusedAnswer(entry.state, this.#asking(now), decision);
      case "join":
        return undefined;
      case "ask":
        break;
    }
    const refusal = this.#options.pauses.refusal(question, now);
    if (refusal === undefined || (now.atOnce && now.sparing?.because === "failing")) return undefined;
    return unasked(entry.state, this.#asking(now), refusal);
  }

  /** Whether the registry may not be asked as usual: then an answer that the store has may do. */
  isSpared(question: ScopeQuestion): boolean {
    const { limits } = this.#options.settings.forScope(question.repository);
    if (this.#options.pauses.sparing(question, limits, false) !== undefined || this.isHalfOpen(question)) return true;
    return this.#options.budgets.sparing(question) !== undefined;
  }

  /**
   * The answer, as the scope's stream has it, for who joined a question at `joinedAt` that is not known here. What it was may
   * have ended by then without his node having seen that, and an answer that stands here be from before: it may be no older
   * than one that he would have taken for fresh, by hand no older than his joining.
   */
  answerForJoined(entry: ScopeEntry, question: ScopeQuestion, joinedAt: number): CheckAnswer | undefined {
    const { claimMs } = this.#options.settings.forScope(question.repository);
    const since = joinedAt - Math.min(freshMsOf(question), claimMs);
    return this.answerSince(entry, question, since);
  }

  /** What a question that somebody else began is answered, for who joined it. */
  async answerOfOther(entry: ScopeEntry, other: Inflight, question: ScopeQuestion): Promise<CheckAnswer> {
    const answer = await other.answer.promise;
    // Who waited until the claim of another ran out may have asked in the end.
    if (sameAsker(other.asker, question.asker)) return answer;
    const { failed } = other;
    return joined(failed === undefined ? answer : this.answerToFailure(entry, question, failed), other.asker);
  }

  /** What the scope's stream says was answered at or after `since`, milliseconds since the epoch. */
  answerSince(entry: ScopeEntry, question: ScopeQuestion, since: number): CheckAnswer | undefined {
    return answerSince(entry.state, since, this.#asking(this.now(entry, question)));
  }

  /** What becomes of a failed check for this question. */
  answerToFailure(entry: ScopeEntry, question: ScopeQuestion, failed: CheckFailure): CheckAnswer {
    return failureAnswer(entry.state, this.#asking(this.now(entry, question)), failed);
  }

  /** Whether the pause of its registry is over, and nobody has tried it since. */
  isHalfOpen(question: ScopeQuestion): boolean {
    return this.#options.pauses.isHalfOpen(question, this.#options.settings.forScope(question.repository).limits);
  }

  /** Whether another node met, since we last looked, what keeps us from asking. */
  mustNotAsk(entry: ScopeEntry, question: ScopeQuestion): boolean {
    const decision = { kind: "ask", because: null } as const;
    return this.answerTo(decision, entry, this.now(entry, question)) !== undefined || this.isHalfOpen(question);
  }

  #asking(now: QuestionNow): Asking {
    const { backoffBaseMs, backoffCapMs, attempts } = this.#options.settings;
    const longestPauseMs = Math.min(backoffBaseMs * 2 ** Math.max(0, attempts - 2), backoffCapMs);
    return { question: now.question, now, longestPauseMs };
  }
}
