import {
  type Asker,
  type CancelSignal,
  type CheckDecision,
  decideCheck,
  FetchImageError,
  formatTime,
  type ImageRegistry,
  type RegistryCheck,
  type ScopeFact,
  type Version,
} from "@fetch-image/core";
import { Cancellation } from "./cancellation.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { toFailure } from "./failure.ts";
import {
  answerOf,
  answerSince,
  type CheckAnswer,
  factsOf,
  joined,
  known,
  type Outcome,
  type ScopeQuestion,
  settle,
  show,
  unasked,
} from "./scope-answers.ts";
import { RegistryBudgets } from "./registry-budgets.ts";
import { ScopeLog, type ScopeLogOptions } from "./scope-log.ts";

export interface ScopeBookOptions extends ScopeLogOptions {
  readonly registry: Pick<ImageRegistry, "check">;
  readonly soleNode: boolean;
  readonly claimMs: number;
  /** As in the engine's settings. */
  readonly stalenessBoundMs: number;
  readonly rateLimitReserve: number;
}

/** How a question begins to be answered. */
export type CheckStart =
  | { readonly kind: "answered"; readonly answer: CheckAnswer }
  | { readonly kind: "joined"; readonly asker: Asker }
  | { readonly kind: "asked"; readonly answer: Promise<CheckAnswer> };

interface Inflight {
  readonly asker: Asker;
  /** Whether it waits for another node's answer. */
  follows: boolean;
  readonly begun: Deferred<CheckStart>;
  readonly answer: Deferred<CheckAnswer>;
  readonly interested: Set<Asker>;
  readonly cancellation: Cancellation;
}

interface Entry {
  readonly log: ScopeLog;
  inflight: Inflight | undefined;
}

/**
 * What this process knows of the scopes, and its questions in flight: one question, asked once. Decisions are made on the
 * folds of the scopes' streams; claims and answers are appended at an expected revision, so a fold that is behind shows
 * as a conflict, is read on, and decides again.
 */
export class ScopeBook {
  readonly #options: ScopeBookOptions;
  readonly #budgets: RegistryBudgets;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<Entry>>();
  #closed = false;

  constructor(options: ScopeBookOptions) {
    this.#options = options;
    const { clock, rateLimitReserve: reserve, stalenessBoundMs: boundMs } = options;
    this.#budgets = new RegistryBudgets({ clock, reserve, boundMs });
  }

  /** Folds the scope's stream, once; from then on `start` answers at once where it can. */
  load(scope: string): Promise<Entry> {
    const known = this.#entries.get(scope);
    if (known !== undefined) return Promise.resolve(known);
    let loading = this.#loading.get(scope);
    if (loading === undefined) {
      loading = this.#read(scope).finally(() => this.#loading.delete(scope));
      this.#loading.set(scope, loading);
    }
    return loading;
  }

  isLoaded(scope: string): boolean {
    return this.#entries.has(scope);
  }

  start(question: ScopeQuestion): CheckStart | Promise<CheckStart> {
    const entry = this.#entries.get(question.scope);
    return entry === undefined
      ? this.load(question.scope).then((loaded) => this.#start(loaded, question))
      : this.#start(entry, question);
  }

  /** The answer to what another fetch, here or on another node, is asking; undefined once `signal` aborts. */
  async join(scope: string, me: Asker, since: number, signal: CancelSignal): Promise<CheckAnswer | undefined> {
    const entry = this.#entries.get(scope) ?? (await this.load(scope));
    while (!signal.aborted) {
      const { inflight } = entry;
      if (inflight !== undefined && !inflight.cancellation.aborted) {
        inflight.interested.add(me);
        const answer = await inflight.answer.promise;
        // Who waited until the claim of another ran out may have asked in the end.
        return isSame(inflight.asker, me) ? answer : joined(answer, inflight.asker);
      }
      const answer = answerSince(entry.log.state, since - this.#options.claimMs);
      if (answer !== undefined) return answer;
      await entry.log.lookLater();
    }
    return undefined;
  }

  /** The fetch no longer waits; when nobody does, the request is given up. */
  leave(scope: string, me: Asker): void {
    const inflight = this.#entries.get(scope)?.inflight;
    if (inflight === undefined || !inflight.interested.delete(me)) return;
    // A fetch that turns from asking to joining leaves and comes back in one turn.
    queueMicrotask(() => {
      if (inflight.interested.size === 0) inflight.cancellation.abort("nobody waits for the answer");
    });
  }

  /** Gives up every question without recording anything: another process takes the claims over when they run out. */
  close(): void {
    this.#closed = true;
    for (const { inflight } of this.#entries.values()) inflight?.cancellation.abort("the engine was closed");
  }

  async #read(scope: string): Promise<Entry> {
    const entry: Entry = {
      log: new ScopeLog(scope, { ...this.#options, isOver: () => this.#closed }),
      inflight: undefined,
    };
    await entry.log.readOn();
    this.#entries.set(scope, entry);
    this.#forgetIdle();
    return entry;
  }

  /** Folds are kept for the scopes read last; a scope that comes back is read again. */
  #forgetIdle(): void {
    for (const [scope, { inflight }] of this.#entries) {
      if (this.#entries.size <= maxScopes) return;
      if (inflight === undefined) this.#entries.delete(scope);
    }
  }

  #start(entry: Entry, question: ScopeQuestion): CheckStart | Promise<CheckStart> {
    const running = entry.inflight;
    // Where the one whose claim is waited for comes back, on this node now, nobody else will answer that claim.
    const isBack = running?.follows === true && isSame(entry.log.state.claim?.asker, question.asker);
    if (running !== undefined && !isBack && !running.cancellation.aborted) {
      running.interested.add(question.asker);
      return { kind: "joined", asker: running.asker };
    }
    const decision = this.#decide(entry, question);
    if (decision.kind === "fresh" || decision.kind === "stale") return { kind: "answered", answer: known(decision) };
    if (decision.kind === "join") return { kind: "joined", asker: decision.asker };
    const refusal = this.#budgets.refusal(question);
    if (refusal !== undefined) return { kind: "answered", answer: unasked(refusal, question) };

    const inflight: Inflight = {
      asker: question.asker,
      follows: false,
      begun: deferred(),
      answer: deferred(),
      interested: new Set([question.asker]),
      cancellation: new Cancellation(),
    };
    entry.inflight = inflight;
    void this.#ask(entry, inflight, question).catch((error: unknown) => {
      const failure = toFailure(error, "FI_CHECK_FAILED", question.redact);
      inflight.begun.resolve({ kind: "answered", answer: { ok: false, failure } });
      inflight.answer.resolve({ ok: false, failure });
      this.#settled(entry, inflight);
    });
    return this.#options.soleNode ? { kind: "asked", answer: inflight.answer.promise } : inflight.begun.promise;
  }

  #settled(entry: Entry, inflight: Inflight): void {
    if (entry.inflight === inflight) entry.inflight = undefined;
  }

  #decide(entry: Entry, asking: ScopeQuestion): CheckDecision {
    const { asker, interval, skipInterval, credential } = asking;
    const { clock, node, soleNode } = this.#options;
    const { state } = entry.log;
    this.#budgets.recall(asking, state);
    const sparing = this.#budgets.sparing(asking);
    // Where there is no other node, another's claim is that of a predecessor which died.
    const orphaned = soleNode && state.claim !== null && state.claim.node !== node;
    const question = { asker, now: clock.now(), interval, skipInterval, credential, sparing };
    return decideCheck(orphaned ? { ...state, claim: null } : state, question);
  }

  async #ask(entry: Entry, inflight: Inflight, question: ScopeQuestion): Promise<void> {
    const { clock, soleNode } = this.#options;
    let early: Promise<{ readonly outcome: Outcome; readonly at: number }> | undefined;
    for (;;) {
      const decision = this.#decide(entry, question);
      if (decision.kind === "fresh" || decision.kind === "stale") {
        const answer = known(decision);
        inflight.begun.resolve({ kind: "answered", answer });
        inflight.answer.resolve(answer);
        return this.#settled(entry, inflight);
      }
      if (decision.kind === "join") {
        inflight.begun.resolve({ kind: "joined", asker: decision.asker });
        inflight.follows = true;
        const answer = await this.#follow(entry, inflight.cancellation);
        inflight.follows = false;
        if (answer === undefined) continue;
        inflight.answer.resolve(answer);
        return this.#settled(entry, inflight);
      }
      const refusal = this.#budgets.refusal(question);
      if (refusal !== undefined) {
        const answer = unasked(refusal, question);
        inflight.begun.resolve({ kind: "answered", answer });
        inflight.answer.resolve(answer);
        return this.#settled(entry, inflight);
      }
      if (this.#budgets.isTaken(question)) {
        await this.#budgets.nextAnswer(question, inflight.cancellation);
        continue;
      }
      const before = entry.log.state.current?.version;
      const answered = early === undefined ? this.#budgets.begin(question) : () => {};
      const ask = () =>
        settle(this.#check(question, inflight, before))
          .then(tell(answered))
          .then((outcome) => ({ outcome, at: clock.now() }));
      const claim = this.#claim(entry, question);
      // A HEAD changes nothing: where no other node could ask, it is in flight beside its claim.
      if (soleNode) early ??= ask();
      if (!(await claim.catch(giveUp(early, answered, inflight)))) {
        if (early === undefined) answered(undefined);
        continue;
      }
      inflight.begun.resolve({ kind: "asked", answer: inflight.answer.promise });
      const { outcome, at } = await (early ?? ask());
      const passedOver =
        decision.because === null ? [] : [{ candidate: `scope ${show(before)}`, reason: decision.because }];
      inflight.answer.resolve(answerOf(question, outcome, at, passedOver));
      await this.#record(entry, question, outcome, at);
      return this.#settled(entry, inflight);
    }
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

  #claim(entry: Entry, question: ScopeQuestion): Promise<boolean> {
    const { clock, claimMs } = this.#options;
    const { scope, repository, tag, publicSource, credential, asker } = question;
    const at = clock.now();
    const until = formatTime(at + claimMs);
    const claim: ScopeFact = {
      type: "CheckClaimed",
      data: {
        scope,
        type: "registry-image",
        repository,
        ...(tag === undefined ? {} : { tag }),
        source: publicSource,
        credential,
        asker,
        until,
      },
    };
    return entry.log.append([claim], asker.buildId, at);
  }

  /** Writes the answer to the scope. A newer answer of another node stands; a store that is away loses only the memory. */
  async #record(entry: Entry, question: ScopeQuestion, outcome: Outcome, at: number): Promise<void> {
    if (this.#closed) return;
    try {
      while (!(await entry.log.append(factsOf(entry.log.state, question, outcome), question.asker.buildId, at))) {
        if ((entry.log.state.checkedAt ?? 0) >= at) return;
      }
    } catch (error) {
      const { code } = toFailure(error, "FI_INTERNAL", question.redact);
      this.#options.logger.warn("an observation could not be recorded", { scope: question.scope, code });
    }
  }

  /** What another node answers while its claim holds; undefined when the claim ran out. */
  async #follow(entry: Entry, signal: CancelSignal): Promise<CheckAnswer | undefined> {
    const { clock } = this.#options;
    const since = clock.now();
    const until = entry.log.state.claim?.until ?? since;
    while (!signal.aborted && clock.now() < until) {
      await entry.log.lookLater();
      const answer = answerSince(entry.log.state, since - this.#options.claimMs);
      if (answer !== undefined) return answer;
      if (entry.log.state.claim?.until !== until) return undefined;
    }
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
    return undefined;
  }
}

function isSame(one: Asker | undefined, other: Asker): boolean {
  return one?.buildId === other.buildId && one.fetchId === other.fetchId;
}

function tell(answered: (outcome: Outcome) => void): (outcome: Outcome) => Outcome {
  return (outcome) => {
    answered(outcome);
    return outcome;
  };
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

/** At some 2 kB each. */
const maxScopes = 5000;
