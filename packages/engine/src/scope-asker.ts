import {
  type CancelSignal,
  FetchImageError,
  type ImageRegistry,
  type RegistryCheck,
  type Rejected,
  sameAsker,
  type Version,
} from "@fetch-image/core/fetching";
import type { EffectiveSettings } from "./engine-settings.ts";
import { RegistryBudgets } from "./registry-budgets.ts";
import { RegistryPauses } from "./registry-pauses.ts";
import { answerOf, type CheckAnswer, joined, type Outcome, type ScopeQuestion, show } from "./scope-answers.ts";
import { type Inflight, markDecided, type ScopeEntry, whenDecided } from "./scope-entry.ts";
import { type Claimed, ScopeClaims } from "./scope-claims.ts";
import type { StreamOptions } from "./scope-stream.ts";
import { ScopeRulings } from "./scope-rulings.ts";

export interface ScopeAskerOptions extends StreamOptions {
  readonly registry: Pick<ImageRegistry, "check">;
  readonly soleNode: boolean;
  readonly settings: EffectiveSettings;
}

/** Asks a scope's question of its registry, once for all who want to know and only where it may be asked. */
export class ScopeAsker {
  /** What becomes of a question before it is asked, and of its answer. */
  readonly rulings: ScopeRulings;
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
    this.rulings = new ScopeRulings({ ...options, budgets: this.#budgets, pauses: this.#pauses });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Records nothing any more. */
  close(): void {
    this.#closed = true;
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
      if (!entry.stream.isMet && this.rulings.isSpared(question)) await entry.stream.readOn();
      const now = this.rulings.now(entry, question);
      const decision = this.rulings.decide(entry, now);
      const answer = this.rulings.answerTo(decision, entry, now);
      if (answer !== undefined) {
        settleAs(inflight, answer);
        // What was asked beside a claim that was refused is given up: the next question may come at once.
        signal.abort("it was answered otherwise");
        return;
      }
      if (decision.kind === "join") {
        inflight.asker = decision.asker;
        inflight.follows = entry.state.claim?.until ?? this.#options.clock.now();
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
      const isHalfOpen = this.rulings.isHalfOpen(question);
      if (this.#budgets.isTaken(question) || (isHalfOpen && this.#budgets.isBusy(question))) {
        await this.#budgets.nextAnswer(question, signal);
        continue;
      }
      if (isHalfOpen && !soleNode && !(await this.#mayProbe(question, claimMs, signal))) continue;
      const before = entry.state.current?.version;
      const answered = early === undefined ? this.#budgets.begin(question) : () => {};
      const ask = () => this.#ask(question, inflight, before, answered);
      // Who waited may be gone when its turn comes; but what the registry has answered meanwhile is worth its place.
      const isWanted = () => !signal.aborted || inflight.isAnswered;
      const claimed: Claimed = { question, until: 0 };
      const claim = this.#claims.make(entry, claimed, { claimMs, isWanted });
      // A HEAD changes nothing: where no other node could ask, it is in flight beside its claim, but for a scope that may be
      // known already. Where one could, what others met at the registry is read beside it.
      if (soleNode && entry.stream.isMet) {
        if (early === undefined) inflight.claimedUntil = this.#options.clock.now() + claimMs;
        early ??= ask();
        markDecided(inflight);
      }
      const told = soleNode ? undefined : this.#pauses.readOn(question);
      if (!(await claim.catch(giveUp(early, answered, inflight)))) {
        if (early === undefined) answered(undefined);
        continue;
      }
      if (early === undefined) inflight.claimedUntil = claimed.until;
      await told;
      // It may have been on its way for so long that another has claimed since.
      if (early === undefined && this.#options.clock.now() >= claimed.until) {
        answered(undefined);
        continue;
      }
      const mayTry = isHalfOpen && (soleNode || this.#pauses.isTrying(question));
      if (early === undefined && (signal.aborted || (!mayTry && this.rulings.mustNotAsk(entry, question)))) {
        answered(undefined);
        const why = signal.aborted ? "nobody waits for the answer" : "the registry is to be spared";
        await this.#claims.release(entry, claimed, why);
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
    return joined(failed === undefined ? answer : this.rulings.answerToFailure(entry, question, failed), other.asker);
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
    const recorded = this.#claims.end(entry, claimed, { outcome, at });
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
    inflight.answer.resolve(this.rulings.answerToFailure(entry, claimed.question, inflight.failed));
  }

  /** Where one may try and another node does, false once something may have become of that. */
  async #mayProbe(question: ScopeQuestion, claimMs: number, signal: CancelSignal): Promise<boolean> {
    const { limits } = this.#options.settings.forScope(question.repository);
    if (await this.#pauses.mayProbe(question, limits, claimMs)) return true;
    if (this.rulings.isHalfOpen(question)) {
      await this.#pause(pollMs);
      await this.#pauses.readOn(question);
    }
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
    return false;
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
      await entry.stream.lookLater();
      const answer = this.rulings.answerSince(entry, question, since);
      if (answer !== undefined) return answer;
      if (entry.state.claim?.until !== until) return undefined;
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
