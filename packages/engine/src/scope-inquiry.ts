import {
  type Asker,
  type CancelSignal,
  FetchImageError,
  type RegistryCheck,
  type Rejected,
  type Version,
} from "@fetch-image/core/fetching";
import { toFailure } from "./failure.ts";
import type { RegistryBudgets } from "./registry-budgets.ts";
import type { RegistryPauses } from "./registry-pauses.ts";
import { answerOf, type CheckAnswer, type Outcome, type ScopeQuestion, show } from "./scope-answers.ts";
import type { ScopeAskerOptions } from "./scope-asker.ts";
import type { Claimed, ScopeClaims } from "./scope-claims.ts";
import { type Inflight, markDecided, type ScopeEntry, whenDecided } from "./scope-entry.ts";
import type { ScopeRulings } from "./scope-rulings.ts";

export interface InquiryOptions extends ScopeAskerOptions {
  readonly budgets: RegistryBudgets;
  readonly pauses: RegistryPauses;
  readonly claims: ScopeClaims;
  readonly rulings: ScopeRulings;
  /** Whether nothing is recorded any more. */
  readonly isOver: () => boolean;
}

interface Asked {
  readonly outcome: Outcome;
  readonly at: number;
}

/**
 * One question of this process from its beginning to its answer: by what the scope's stream says, by whom it joins, or by
 * its registry, which it asks once its claim is stored. Where that is refused, it is decided anew.
 */
export class Inquiry {
  readonly #options: InquiryOptions;
  readonly #entry: ScopeEntry;
  readonly #inflight: Inflight;
  readonly #question: ScopeQuestion;
  /** The check, where it is in flight beside its claim. */
  #early: Promise<Asked> | undefined;

  constructor(options: InquiryOptions, entry: ScopeEntry, inflight: Inflight, question: ScopeQuestion) {
    this.#options = options;
    this.#entry = entry;
    this.#inflight = inflight;
    this.#question = question;
  }

  /** Resolves once the question is answered and the answer stored, as far as the store takes it; never rejects. */
  async run(): Promise<void> {
    const { isOver, pauses, rulings } = this.#options;
    const entry = this.#entry;
    const question = this.#question;
    try {
      if (!pauses.isRead(question)) await pauses.readOn(question);
      do {
        if (this.#signal.aborted || isOver()) throw new FetchImageError("FI_ABORTED");
        if (!entry.stream.isMet && rulings.isSpared(question)) await entry.stream.readOn();
      } while (!(await this.#goOn()));
    } catch (error) {
      settleAs(this.#inflight, { ok: false, failure: toFailure(error, "FI_CHECK_FAILED", question.redact) });
    }
    entry.end(this.#inflight);
  }

  get #signal(): CancelSignal {
    return this.#inflight.cancellation;
  }

  /** Goes the way that is decided; whether that gave the answer. Else it is decided anew. */
  #goOn(): Promise<boolean> {
    const { budgets, rulings, soleNode } = this.#options;
    const entry = this.#entry;
    const question = this.#question;
    const now = rulings.now(entry, question);
    const decision = rulings.decide(entry, now);
    const answer = rulings.answerTo(decision, entry, now);
    if (answer !== undefined) {
      settleAs(this.#inflight, answer);
      // What was asked beside a claim that was refused is given up: the next question may come at once.
      this.#inflight.cancellation.abort("it was answered otherwise");
      return isAnswered;
    }
    if (decision.kind === "join") return this.#joinClaimOf(decision.asker);
    const other = this.#otherThatAsks();
    if (other !== undefined) return this.#joinOther(other);
    const because = decision.kind === "ask" ? decision.because : null;
    const isHalfOpen = rulings.isHalfOpen(question);
    if (budgets.isTaken(question) || (isHalfOpen && budgets.isBusy(question))) return this.#awaitOthers();
    return isHalfOpen && !soleNode ? this.#probe(because) : this.#claimAndAsk(because, isHalfOpen);
  }

  /** Follows another node's claim; false where it ran out. */
  async #joinClaimOf(asker: Asker): Promise<boolean> {
    const inflight = this.#inflight;
    inflight.asker = asker;
    inflight.follows = this.#entry.state.claim?.until ?? this.#options.clock.now();
    markDecided(inflight);
    inflight.begun.resolve({ kind: "joined", asker });
    const answer = await this.#followed(inflight.follows);
    inflight.follows = undefined;
    if (answer === undefined) return this.#decideAnew();
    settleAs(inflight, answer);
    return true;
  }

  /** What another node answers while its claim holds; undefined when the claim ran out. */
  async #followed(until: number): Promise<CheckAnswer | undefined> {
    const { clock, settings, rulings } = this.#options;
    const entry = this.#entry;
    const question = this.#question;
    const signal = this.#signal;
    // Nodes' clocks differ, and an answer is stamped before it is stored: that the claim has ended tells its answer.
    const since = clock.now() - settings.forScope(question.repository).claimMs;
    while (!signal.aborted && clock.now() < until) {
      await entry.stream.lookLater();
      const answer = rulings.answerSince(entry, question, since);
      if (answer !== undefined) return answer;
      if (entry.state.claim?.until !== until) return undefined;
    }
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
    return undefined;
  }

  /** Another question of this process: of the one whose claim was followed, who came back here and asks anew. */
  #otherThatAsks(): Inflight | undefined {
    const other = this.#entry.inflight;
    if (this.#early !== undefined || other === this.#inflight) return undefined;
    return other !== undefined && asks(other) ? other : undefined;
  }

  /** False where it may be decided again: the other one was given up, or it was not yet sure to ask. */
  async #joinOther(other: Inflight): Promise<boolean> {
    const inflight = this.#inflight;
    const question = this.#question;
    if (other.isOpen) {
      await whenDecided(other);
      return false;
    }
    other.interested.add(question.asker);
    inflight.asker = other.asker;
    markDecided(inflight);
    inflight.begun.resolve({ kind: "joined", asker: other.asker });
    const answer = await this.#options.rulings.answerOfOther(this.#entry, other, question);
    if (other.cancellation.aborted) return this.#decideAnew();
    settleAs(inflight, answer);
    return true;
  }

  /** Whom it followed is not to be waited for any more. */
  #decideAnew(): false {
    this.#inflight.asker = this.#question.asker;
    this.#inflight.isOpen = true;
    return false;
  }

  /** Until one who asks the registry has his answer. */
  async #awaitOthers(): Promise<false> {
    await this.#options.budgets.nextAnswer(this.#question, this.#signal);
    return false;
  }

  /** Asks where one may try and no other node does; else false, once something may have become of that. */
  async #probe(because: string | null): Promise<boolean> {
    const { pauses, rulings, settings } = this.#options;
    const question = this.#question;
    const { limits, claimMs } = settings.forScope(question.repository);
    if (await pauses.mayProbe(question, limits, claimMs)) return await this.#claimAndAsk(because, true);
    if (rulings.isHalfOpen(question)) {
      await this.#pause(pollMs);
      await pauses.readOn(question);
    }
    return false;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(ms, resolve);
    });
  }

  /** `because`: why what the scope has does not do. False where it may be decided again. */
  async #claimAndAsk(because: string | null, isHalfOpen: boolean): Promise<boolean> {
    const { budgets, claims, clock, pauses, rulings, settings, soleNode } = this.#options;
    const entry = this.#entry;
    const inflight = this.#inflight;
    const question = this.#question;
    const { claimMs } = settings.forScope(question.repository);
    const before = entry.state.current?.version;
    const answered = this.#early === undefined ? budgets.begin(question) : nothing;
    const claimed: Claimed = { question, until: 0 };
    const claim = claims.make(entry, claimed, { claimMs, inflight });
    // A HEAD changes nothing: where no other node could ask, it is in flight beside its claim, but for a scope that may be
    // known already. Where one could, what others met at the registry is read beside it.
    if (soleNode && entry.stream.isMet) {
      if (this.#early === undefined) inflight.claimedUntil = clock.now() + claimMs;
      this.#early ??= this.#ask(before, answered);
      markDecided(inflight);
    }
    const early = this.#early;
    const told = soleNode ? undefined : pauses.readOn(question);
    let isClaimed: boolean;
    try {
      isClaimed = await claim;
    } catch (error) {
      // It ends the asking; a question that is under way beside it tells by itself.
      if (early === undefined) answered(undefined);
      inflight.cancellation.abort("the claim could not be stored");
      throw error;
    }
    if (early === undefined) {
      if (!isClaimed) {
        answered(undefined);
        return false;
      }
      inflight.claimedUntil = claimed.until;
      if (told !== undefined) await told;
      // It may have been on its way for so long that another has claimed since.
      if (clock.now() >= claimed.until) {
        answered(undefined);
        return false;
      }
      const mayTry = isHalfOpen && (soleNode || pauses.isTrying(question));
      if (inflight.cancellation.aborted || (!mayTry && rulings.mustNotAsk(entry, question))) {
        answered(undefined);
        const why = inflight.cancellation.aborted ? "nobody waits for the answer" : "the registry is to be spared";
        await claims.release(entry, claimed, why);
        return false;
      }
    } else if (!isClaimed) {
      return false;
    }
    markDecided(inflight);
    inflight.begun.resolve({ kind: "asked", answer: inflight.answer.promise });
    const passedOver = because === null ? noneRejected : [{ candidate: `scope ${show(before)}`, reason: because }];
    await this.#conclude(claimed, await (early ?? this.#ask(before, answered)), passedOver);
    return true;
  }

  /** `answered` is told what became of it. */
  async #ask(before: Version | undefined, answered: (outcome: Outcome) => void): Promise<Asked> {
    const { clock, isOver, pauses } = this.#options;
    const askedAt = clock.now();
    let outcome: Outcome;
    try {
      outcome = { ok: true, check: await this.#check(before) };
    } catch (error) {
      outcome = { ok: false, error };
    }
    this.#inflight.isAnswered = true;
    if (!isOver()) pauses.learn(this.#question, outcome, askedAt);
    answered(outcome);
    return { outcome, at: clock.now() };
  }

  /** Only the newest is wanted: from the scope's last version on, and with what other scopes learned within the interval. */
  #check(previous: Version | undefined): Promise<RegistryCheck> {
    const { source, interval, skipInterval } = this.#question;
    const recallMs = interval === "never" ? Number.POSITIVE_INFINITY : interval;
    return this.#options.registry.check(source, {
      want: "newest",
      ...(previous === undefined ? {} : { previous: { tag: previous["tag"], digest: previous["digest"] } }),
      ...(skipInterval ? {} : { recallMs }),
      signal: this.#signal,
    });
  }

  /** What the check gave is handed on at once; what becomes of a failure depends on what stands in the stream then. */
  #conclude(claimed: Claimed, asked: Asked, passedOver: readonly Rejected[]): Promise<void> {
    const given = answerOf(this.#question, asked.outcome, asked.at, passedOver);
    if (given.ok || given.failure.code === "FI_ABORTED") this.#inflight.answer.resolve(given);
    const recorded = this.#options.claims.end(this.#entry, claimed, asked);
    return given.ok ? recorded : this.#concludeFailed(given, recorded);
  }

  async #concludeFailed(
    { failure, retryAfterMs = 0 }: Extract<CheckAnswer, { ok: false }>,
    recorded: Promise<void>,
  ): Promise<void> {
    await recorded;
    const failed = { failure, retryAfterMs };
    this.#inflight.failed = failed;
    this.#inflight.answer.resolve(this.#options.rulings.answerToFailure(this.#entry, this.#question, failed));
  }
}

/** Whether the question is, or will be, at the registry for whoever waits for it here. */
function asks({ follows, cancellation }: Inflight): boolean {
  return follows === undefined && !cancellation.aborted;
}

function settleAs(inflight: Inflight, found: CheckAnswer): void {
  markDecided(inflight);
  inflight.begun.resolve({ kind: "answered", answer: found });
  inflight.answer.resolve(found);
}

const isAnswered = Promise.resolve(true);

const noneRejected: readonly Rejected[] = [];

function nothing(): void {}

/** How often another's answer is looked for. */
const pollMs = 250;
