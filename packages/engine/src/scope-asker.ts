import {
  type CancelSignal,
  type CheckDecision,
  decideCheck,
  FetchImageError,
  type ImageRegistry,
  type RegistryCheck,
  type Rejected,
  sameAsker,
  type Version,
} from "@fetch-image/core/fetching";
import type { EffectiveSettings } from "./engine-settings.ts";
import { QuestionNow } from "./question-now.ts";
import { RegistryBudgets } from "./registry-budgets.ts";
import { RegistryPauses } from "./registry-pauses.ts";
import {
  answerOf,
  answerSince,
  type Asking,
  type CheckAnswer,
  type CheckFailure,
  failureAnswer,
  freshMsOf,
  joined,
  known,
  type Outcome,
  refusedAnswer,
  type ScopeQuestion,
  show,
  unasked,
} from "./scope-answers.ts";
import { type Inflight, markDecided, type ScopeEntry, whenDecided } from "./scope-entry.ts";
import { type Claimed, ScopeClaims } from "./scope-claims.ts";
import type { ScopeLogOptions } from "./scope-log.ts";

export interface ScopeAskerOptions extends ScopeLogOptions {
  readonly registry: Pick<ImageRegistry, "check">;
  readonly soleNode: boolean;
  readonly settings: EffectiveSettings;
}

/** Asks a scope's question of its registry, once for all who want to know and only where it may be asked. */
export class ScopeAsker {
  readonly #options: ScopeAskerOptions;
  readonly #budgets: RegistryBudgets;
  readonly #pauses: RegistryPauses;
  readonly #claims: ScopeClaims;
  #closed = false;

  constructor(options: ScopeAskerOptions) {
    this.#options = options;
    const { clock, settings } = options;
    this.#budgets = new RegistryBudgets({ clock, reserve: settings.rateLimitReserve });
    const isOver = () => this.#closed;
    this.#pauses = new RegistryPauses({ ...options, isOver });
    this.#claims = new ScopeClaims({ ...options, isOver });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Records nothing any more. */
  close(): void {
    this.#closed = true;
  }

  /** What holds for the question now. */
  now(entry: ScopeEntry, question: ScopeQuestion): QuestionNow {
    return new QuestionNow(question, {
      budgets: this.#budgets,
      pauses: this.#pauses,
      settings: this.#options.settings.forScope(question.repository),
      state: entry.log.state,
      now: this.#options.clock.now(),
    });
  }

  /** `running`: another question of this process that has asked, or will. */
  decide(entry: ScopeEntry, question: QuestionNow, running?: Inflight): CheckDecision {
    const { node, soleNode } = this.#options;
    const { state } = entry.log;
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
        return refusedAnswer(entry.log.state, this.#asking(now), decision);
      case "join":
        return undefined;
      case "ask":
        break;
    }
    const refusal = this.#pauses.refusal(question, now);
    if (refusal === undefined || (now.atOnce && now.sparing?.because === "failing")) return undefined;
    return unasked(entry.log.state, this.#asking(now), refusal);
  }

  /** Whether the registry may not be asked as usual: then an answer that the store has may do. */
  isSpared(question: ScopeQuestion): boolean {
    const { limits } = this.#options.settings.forScope(question.repository);
    if (this.#pauses.sparing(question, limits, false) !== undefined || this.#isHalfOpen(question)) return true;
    return this.#budgets.sparing(question) !== undefined;
  }

  /**
   * The answer, as the scope's stream has it, for who joined a question at `joinedAt` that is not known here. What it was may
   * have ended by then without his node having seen that, and an answer that stands here be from before: it may be no older
   * than one that he would have taken for fresh, by hand no older than his joining.
   */
  answerForJoined(entry: ScopeEntry, question: ScopeQuestion, joinedAt: number): CheckAnswer | undefined {
    const { claimMs } = this.#options.settings.forScope(question.repository);
    const since = joinedAt - Math.min(freshMsOf(question), claimMs);
    return answerSince(entry.log.state, since, this.#asking(this.now(entry, question)));
  }

  /** Resolves once the question is answered and the answer stored, as far as the store takes it. */
  async ask(entry: ScopeEntry, inflight: Inflight, question: ScopeQuestion): Promise<void> {
    const { soleNode, settings } = this.#options;
    const { claimMs } = settings.forScope(question.repository);
    const signal = inflight.cancellation;
    if (!this.#pauses.isRead(question)) await this.#pauses.readOn(question);
    let early: Promise<Asked> | undefined;
    for (;;) {
      if (signal.aborted) throw new FetchImageError("FI_ABORTED");
      if (!entry.log.isMet && this.isSpared(question)) await entry.log.readOn();
      const now = this.now(entry, question);
      const decision = this.decide(entry, now);
      const answer = this.answerTo(decision, entry, now);
      if (answer !== undefined) {
        settleAs(inflight, answer);
        // What was asked beside a claim that was refused is given up: the next question may come at once.
        signal.abort("it was answered otherwise");
        return;
      }
      if (decision.kind === "join") {
        inflight.asker = decision.asker;
        inflight.follows = entry.log.state.claim?.until ?? this.#options.clock.now();
        markDecided(inflight);
        inflight.begun.resolve({ kind: "joined", asker: decision.asker });
        const followed = await this.#follow(entry, { question, until: inflight.follows }, signal);
        inflight.follows = undefined;
        if (followed === undefined) {
          inflight.asker = question.asker;
          inflight.isOpen = true;
          continue;
        }
        return settleAs(inflight, followed);
      }
      const other = entry.inflight;
      if (early === undefined && other !== undefined && other !== inflight && asks(other)) {
        const beside = await this.#joinOther(entry, { inflight, other }, question);
        if (beside !== undefined) return settleAs(inflight, beside);
        continue;
      }
      const isHalfOpen = this.#isHalfOpen(question);
      if (this.#budgets.isTaken(question) || (isHalfOpen && this.#budgets.isBusy(question))) {
        await this.#budgets.nextAnswer(question, signal);
        continue;
      }
      if (isHalfOpen && !soleNode && !(await this.#mayProbe(question, claimMs, signal))) continue;
      const before = entry.log.state.current?.version;
      const answered = early === undefined ? this.#budgets.begin(question) : () => {};
      const ask = () => this.#ask(question, inflight, before, answered);
      const until = this.#options.clock.now() + claimMs;
      if (early === undefined) inflight.claimedUntil = until;
      const claimed = { question, until };
      const claim = this.#claims.make(entry.log, claimed);
      // A HEAD changes nothing: where no other node could ask, it is in flight beside its claim, but for a scope that may be
      // known already. Where one could, what others met at the registry is read beside it.
      if (soleNode && entry.log.isMet) {
        early ??= ask();
        markDecided(inflight);
      }
      const told = soleNode ? undefined : this.#pauses.readOn(question);
      if (!(await claim.catch(giveUp(early, answered, inflight)))) {
        if (early === undefined) answered(undefined);
        continue;
      }
      await told;
      // It may have been on its way for so long that another has claimed since.
      if (early === undefined && this.#options.clock.now() >= until) {
        answered(undefined);
        continue;
      }
      const mayTry = isHalfOpen && (soleNode || this.#pauses.isTrying(question));
      if (early === undefined && (signal.aborted || (!mayTry && this.#mustNotAsk(entry, question)))) {
        answered(undefined);
        const why = signal.aborted ? "nobody waits for the answer" : "the registry is to be spared";
        await this.#claims.release(entry.log, claimed, why);
        continue;
      }
      markDecided(inflight);
      inflight.begun.resolve({ kind: "asked", answer: inflight.answer.promise });
      const because = decision.kind === "ask" ? decision.because : null;
      const passedOver = because === null ? [] : [{ candidate: `scope ${show(before)}`, reason: because }];
      return await this.#conclude(entry, { inflight, claimed, passedOver }, await (early ?? ask()));
    }
  }

  /**
   * The answer of another question of this process: of the one whose claim was followed, who came back here and asks anew.
   * Undefined where it may be decided again: it was given up, or it was not yet sure to ask.
   */
  async #joinOther(
    entry: ScopeEntry,
    { inflight, other }: { readonly inflight: Inflight; readonly other: Inflight },
    question: ScopeQuestion,
  ): Promise<CheckAnswer | undefined> {
    if (other.isOpen) {
      await whenDecided(other);
      return undefined;
    }
    other.interested.add(question.asker);
    inflight.asker = other.asker;
    markDecided(inflight);
    inflight.begun.resolve({ kind: "joined", asker: other.asker });
    const answer = await this.answerOfOther(entry, other, question);
    if (!other.cancellation.aborted) return answer;
    inflight.asker = question.asker;
    inflight.isOpen = true;
    return undefined;
  }

  /** What a question that somebody else began is answered, for who joined it. */
  async answerOfOther(entry: ScopeEntry, other: Inflight, question: ScopeQuestion): Promise<CheckAnswer> {
    const answer = await other.answer.promise;
    // Who waited until the claim of another ran out may have asked in the end.
    if (sameAsker(other.asker, question.asker)) return answer;
    const { failed } = other;
    return joined(failed === undefined ? answer : this.answerToFailure(entry, question, failed), other.asker);
  }

  async #ask(
    question: ScopeQuestion,
    inflight: Inflight,
    before: Version | undefined,
    answered: (outcome: Outcome) => void,
  ): Promise<Asked> {
    const { clock } = this.#options;
    const askedAt = clock.now();
    let outcome: Outcome;
    try {
      outcome = { ok: true, check: await this.#check(question, inflight, before) };
    } catch (error) {
      outcome = { ok: false, error };
    }
    inflight.isAnswered = true;
    if (!this.#closed) this.#pauses.learn(question, outcome, askedAt);
    answered(outcome);
    return { outcome, at: clock.now() };
  }

  /** What the check gave is handed on at once; what becomes of a failure depends on what stands in the stream then. */
  #conclude(entry: ScopeEntry, asked: Concluding, { outcome, at }: Asked): Promise<void> {
    const { inflight, claimed, passedOver } = asked;
    const { question } = claimed;
    const given = answerOf(question, outcome, at, passedOver);
    if (given.ok || given.failure.code === "FI_ABORTED") inflight.answer.resolve(given);
    const recorded = this.#claims.end(entry.log, claimed, { outcome, at });
    return given.ok ? recorded : this.#concludeFailed(entry, asked, given, recorded);
  }

  async #concludeFailed(
    entry: ScopeEntry,
    { inflight, claimed }: Concluding,
    { failure, retryAfterMs = 0 }: Extract<CheckAnswer, { ok: false }>,
    recorded: Promise<void>,
  ): Promise<void> {
    await recorded;
    inflight.failed = { failure, retryAfterMs };
    inflight.answer.resolve(this.answerToFailure(entry, claimed.question, inflight.failed));
  }

  /** What becomes of a failed check for this question. */
  answerToFailure(entry: ScopeEntry, question: ScopeQuestion, failed: CheckFailure): CheckAnswer {
    return failureAnswer(entry.log.state, this.#asking(this.now(entry, question)), failed);
  }

  /** Where one may try and another node does, false once something may have become of that. */
  async #mayProbe(question: ScopeQuestion, claimMs: number, signal: CancelSignal): Promise<boolean> {
    const { limits } = this.#options.settings.forScope(question.repository);
    if (await this.#pauses.mayProbe(question, limits, claimMs)) return true;
    if (this.#isHalfOpen(question)) {
      await this.#pause(pollMs);
      await this.#pauses.readOn(question);
    }
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
    return false;
  }

  #isHalfOpen(question: ScopeQuestion): boolean {
    return this.#pauses.isHalfOpen(question, this.#options.settings.forScope(question.repository).limits);
  }

  /** Whether another node met, since we last looked, what keeps us from asking. */
  #mustNotAsk(entry: ScopeEntry, question: ScopeQuestion): boolean {
    const decision = { kind: "ask", because: null } as const;
    return this.answerTo(decision, entry, this.now(entry, question)) !== undefined || this.#isHalfOpen(question);
  }

  #asking(now: QuestionNow): Asking {
    const { backoffBaseMs, backoffCapMs, attempts } = this.#options.settings;
    const longestPauseMs = Math.min(backoffBaseMs * 2 ** Math.max(0, attempts - 2), backoffCapMs);
    return { question: now.question, now, longestPauseMs };
  }

  /** Only the newest is wanted: from the scope's last version on, and with what other scopes learned within the interval. */
  #check(
    { source, interval, skipInterval }: ScopeQuestion,
    { cancellation }: Inflight,
    previous: Version | undefined,
  ): Promise<RegistryCheck> {
    const recallMs = interval === "never" ? Number.POSITIVE_INFINITY : interval;
    return this.#options.registry.check(source, {
      want: "newest",
      ...(previous === undefined ? {} : { previous: { tag: previous["tag"], digest: previous["digest"] } }),
      ...(skipInterval ? {} : { recallMs }),
      signal: cancellation,
    });
  }

  /** What another node answers while its claim holds; undefined when the claim ran out. */
  async #follow(
    entry: ScopeEntry,
    { question, until }: { readonly question: ScopeQuestion; readonly until: number },
    signal: CancelSignal,
  ): Promise<CheckAnswer | undefined> {
    const { clock, settings } = this.#options;
    // Nodes' clocks differ, and an answer is stamped before it is stored: that the claim has ended tells its answer.
    const since = clock.now() - settings.forScope(question.repository).claimMs;
    while (!signal.aborted && clock.now() < until) {
      await entry.log.lookLater();
      const answer = answerSince(entry.log.state, since, this.#asking(this.now(entry, question)));
      if (answer !== undefined) return answer;
      if (entry.log.state.claim?.until !== until) return undefined;
    }
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
    return undefined;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(ms, resolve);
    });
  }
}

interface Concluding {
  readonly inflight: Inflight;
  readonly claimed: Claimed;
  readonly passedOver: readonly Rejected[];
}

/** Whether the question is, or will be, at the registry for whoever waits for it here. */
function asks({ follows, cancellation }: Inflight): boolean {
  return follows === undefined && !cancellation.aborted;
}

interface Asked {
  readonly outcome: Outcome;
  readonly at: number;
}

function settleAs(inflight: Inflight, found: CheckAnswer): void {
  markDecided(inflight);
  inflight.begun.resolve({ kind: "answered", answer: found });
  inflight.answer.resolve(found);
}

/** A claim that cannot be stored ends the asking; a question that is under way beside it tells by itself. */
function giveUp(
  early: unknown,
  answered: (outcome: undefined) => void,
  { cancellation }: Inflight,
): (error: unknown) => never {
  return (error) => {
    if (early === undefined) answered(undefined);
    cancellation.abort("the claim could not be stored");
    throw error;
  };
}

/** How often another's answer is looked for. */
const pollMs = 250;
