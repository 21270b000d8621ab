import {
  type Asker,
  type CheckDecision,
  type CheckEvidence,
  decideCheck,
  type Failure,
  FetchImageError,
  type FetchRequest,
  formatTime,
  type ImageRegistry,
  parseTime,
  type RegistryImageSource,
  type Rejected,
  type RegistryCheck,
  type ScopeFact,
  type Version,
} from "@fetch-image/core";
import { type Deferred, deferred } from "./deferred.ts";
import { retryAfterOf, toFailure } from "./failure.ts";
import { ScopeLog, type ScopeLogOptions } from "./scope-log.ts";

export interface ScopeBookOptions extends ScopeLogOptions {
  readonly registry: ImageRegistry;
  readonly soleNode: boolean;
  readonly claimMs: number;
}

/** One fetch's question to a scope. */
export interface ScopeQuestion {
  readonly scope: string;
  readonly repository: string;
  /** The source's tag; absent where its versions are found among all tags. */
  readonly tag?: string;
  readonly publicSource: FetchRequest["source"];
  readonly source: RegistryImageSource;
  readonly credential: string | null;
  readonly asker: Asker;
  readonly interval: number | "never";
  readonly skipInterval: boolean;
  readonly redact: (text: string) => string;
}

export type CheckAnswer =
  | {
      readonly ok: true;
      readonly version: Version;
      readonly evidence: CheckEvidence;
      readonly rejected: readonly Rejected[];
    }
  | { readonly ok: false; readonly failure: Failure; readonly retryAfterMs?: number };

/** How a question begins to be answered. */
export type CheckStart =
  | { readonly kind: "answered"; readonly answer: CheckAnswer }
  | { readonly kind: "joined"; readonly asker: Asker }
  | { readonly kind: "asked"; readonly answer: Promise<CheckAnswer> };

interface Inflight {
  readonly asker: Asker;
  readonly begun: Deferred<CheckStart>;
  readonly answer: Deferred<CheckAnswer>;
  readonly interested: Set<string>;
  readonly controller: AbortController;
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
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<Entry>>();
  #closed = false;

  constructor(options: ScopeBookOptions) {
    this.#options = options;
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
  async join(scope: string, me: Asker, since: number, signal: AbortSignal): Promise<CheckAnswer | undefined> {
    const entry = this.#entries.get(scope) ?? (await this.load(scope));
    while (!signal.aborted) {
      const { inflight } = entry;
      if (inflight !== undefined) {
        inflight.interested.add(keyOf(me));
        return joined(await inflight.answer.promise, inflight.asker);
      }
      const answer = answerSince(entry.log, since - this.#options.claimMs);
      if (answer !== undefined) return answer;
      await this.#pause(pollMs);
      if (!signal.aborted) await entry.log.readOn();
    }
    return undefined;
  }

  /** The fetch no longer waits; when nobody does, the request is given up. */
  leave(scope: string, me: Asker): void {
    const inflight = this.#entries.get(scope)?.inflight;
    if (inflight === undefined || !inflight.interested.delete(keyOf(me))) return;
    // A fetch that turns from asking to joining leaves and comes back in one turn.
    queueMicrotask(() => {
      if (inflight.interested.size === 0) inflight.controller.abort();
    });
  }

  /** Gives up every question without recording anything: another process takes the claims over when they run out. */
  close(): void {
    this.#closed = true;
    for (const { inflight } of this.#entries.values()) inflight?.controller.abort();
  }

  async #read(scope: string): Promise<Entry> {
    const entry: Entry = { log: new ScopeLog(scope, this.#options), inflight: undefined };
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
    if (running !== undefined && !running.controller.signal.aborted) {
      running.interested.add(keyOf(question.asker));
      return { kind: "joined", asker: running.asker };
    }
    const decision = this.#decide(entry, question);
    if (decision.kind === "fresh") return { kind: "answered", answer: fresh(decision) };
    if (decision.kind === "join") return { kind: "joined", asker: decision.asker };

    const inflight: Inflight = {
      asker: question.asker,
      begun: deferred(),
      answer: deferred(),
      interested: new Set([keyOf(question.asker)]),
      controller: new AbortController(),
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

  #decide(entry: Entry, { asker, interval, skipInterval, credential }: ScopeQuestion): CheckDecision {
    const { clock, node, soleNode } = this.#options;
    const { state } = entry.log;
    // Where there is no other node, another's claim is that of a predecessor which died.
    const orphaned = soleNode && state.claim !== null && state.claim.node !== node;
    const question = { asker, now: clock.now(), interval, skipInterval, credential };
    return decideCheck(orphaned ? { ...state, claim: null } : state, question);
  }

  async #ask(entry: Entry, inflight: Inflight, question: ScopeQuestion): Promise<void> {
    const { clock, soleNode } = this.#options;
    for (;;) {
      const decision = this.#decide(entry, question);
      if (decision.kind === "fresh") {
        const answer = fresh(decision);
        inflight.begun.resolve({ kind: "answered", answer });
        inflight.answer.resolve(answer);
        return this.#settled(entry, inflight);
      }
      if (decision.kind === "join") {
        inflight.begun.resolve({ kind: "joined", asker: decision.asker });
        const answer = await this.#follow(entry, inflight.controller.signal);
        if (answer === undefined) continue;
        inflight.answer.resolve(answer);
        return this.#settled(entry, inflight);
      }
      const before = entry.log.state.current?.version;
      const claim = this.#claim(entry, question);
      // A HEAD changes nothing: where no other node could ask, it is in flight beside its claim.
      const early = soleNode ? settle(this.#check(question, inflight)) : undefined;
      if (!(await claim)) continue;
      inflight.begun.resolve({ kind: "asked", answer: inflight.answer.promise });
      const outcome = await (early ?? settle(this.#check(question, inflight)));
      const at = clock.now();
      const passedOver =
        decision.because === null ? [] : [{ candidate: `scope ${show(before)}`, reason: decision.because }];
      inflight.answer.resolve(this.#answer(question, outcome, at, passedOver));
      await this.#record(entry, question, outcome, at);
      return this.#settled(entry, inflight);
    }
  }

  #check({ source }: ScopeQuestion, { controller }: Inflight): Promise<RegistryCheck> {
    return this.#options.registry.check(source, { signal: controller.signal });
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

  #answer(question: ScopeQuestion, outcome: Outcome, at: number, rejected: readonly Rejected[]): CheckAnswer {
    const { credential, redact } = question;
    if (!outcome.ok) {
      return {
        ok: false,
        failure: toFailure(outcome.error, "FI_CHECK_FAILED", redact),
        ...retryAfterOf(outcome.error),
      };
    }
    const { versions, via, host, status, rateLimit } = outcome.check;
    const newest = versions.at(-1);
    if (newest === undefined) {
      const failure = toFailure(nothingFound(question, outcome.check), "FI_NO_VERSION", redact);
      return { ok: false, failure };
    }
    const evidence: CheckEvidence = {
      via,
      observedAt: formatTime(at),
      host,
      status,
      credential,
      ...(rateLimit === undefined ? {} : { rateLimit: { ...rateLimit } }),
    };
    const { tag, digest } = newest;
    return { ok: true, version: { tag, digest }, evidence, rejected: [...rejected, ...outcome.check.rejected] };
  }

  /** Writes the answer to the scope. A newer answer of another node stands; a store that is away loses only the memory. */
  async #record(entry: Entry, question: ScopeQuestion, outcome: Outcome, at: number): Promise<void> {
    if (this.#closed) return;
    try {
      while (!(await entry.log.append(this.#facts(entry, question, outcome), question.asker.buildId, at))) {
        if ((entry.log.state.checkedAt ?? 0) >= at) return;
      }
    } catch (error) {
      const { code } = toFailure(error, "FI_INTERNAL", question.redact);
      this.#options.logger.warn("an observation could not be recorded", { scope: question.scope, code });
    }
  }

  #facts(entry: Entry, question: ScopeQuestion, outcome: Outcome): readonly ScopeFact[] {
    const { asker, redact, tag } = question;
    if (!outcome.ok) {
      const failure = toFailure(outcome.error, "FI_CHECK_FAILED", redact);
      return [{ type: "CheckFailed", data: { failure, ...retryAfterOf(outcome.error), asker } }];
    }
    const { versions, via, host, status, rateLimit } = outcome.check;
    const newest = versions.at(-1);
    if (newest === undefined) {
      return [{ type: "VersionVanished", data: { ...(tag === undefined ? {} : { tag }), host, status, asker } }];
    }
    const { current } = entry.log.state;
    const changed = current?.version["digest"] !== newest.digest || current?.version["tag"] !== newest.tag;
    const observed: ScopeFact = {
      type: "VersionObserved",
      data: { version: { tag: newest.tag, digest: newest.digest }, changed, via, host, status, asker },
    };
    return rateLimit === undefined
      ? [observed]
      : [observed, { type: "RateLimitObserved", data: { host, ...rateLimit } }];
  }

  /** What another node answers while its claim holds; undefined when the claim ran out. */
  async #follow(entry: Entry, signal: AbortSignal): Promise<CheckAnswer | undefined> {
    const { clock } = this.#options;
    const since = clock.now();
    const until = entry.log.state.claim?.until ?? since;
    while (!signal.aborted && clock.now() < until) {
      await this.#pause(pollMs);
      await entry.log.readOn();
      const answer = answerSince(entry.log, since - this.#options.claimMs);
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

const pollMs = 250;

/** At some 2 kB each. */
const maxScopes = 5000;

type Outcome = { readonly ok: true; readonly check: RegistryCheck } | { readonly ok: false; readonly error: unknown };

function settle(checking: Promise<RegistryCheck>): Promise<Outcome> {
  return checking.then(
    (check) => ({ ok: true, check }),
    (error: unknown) => ({ ok: false, error }),
  );
}

/**
 * What the scope's stream says was answered at or after `since`, milliseconds since the epoch: nothing while a claim
 * stands. Nodes' clocks differ, and an answer is stamped before it is stored, so who joined a claim passes a `since`
 * from before the claim, and it is the claim's end that tells its answer.
 */
function answerSince({ state }: ScopeLog, since: number): CheckAnswer | undefined {
  if (state.claim !== null || state.checkedAt === null || state.checkedAt < since) return undefined;
  if (state.failure !== null) {
    const { failure, retryAfterMs } = state.failure;
    return { ok: false, failure, ...(retryAfterMs > 0 ? { retryAfterMs } : {}) };
  }
  if (state.current === null || parseTime(state.current.observedAt) < since) return undefined;
  const { version, observedAt, host, status, asker } = state.current;
  return { ok: true, version, evidence: { via: "joined", observedAt, host, status, asker }, rejected: [] };
}

function joined(answer: CheckAnswer, asker: Asker): CheckAnswer {
  return answer.ok ? { ...answer, evidence: { ...answer.evidence, via: "joined", asker } } : answer;
}

function fresh(decision: Extract<CheckDecision, { kind: "fresh" }>): CheckAnswer {
  return { ok: true, version: decision.version, evidence: decision.evidence, rejected: [] };
}

function nothingFound({ repository, tag }: ScopeQuestion, { host, status }: RegistryCheck): FetchImageError {
  if (tag !== undefined) {
    const reference = `${repository}:${tag}`;
    const message = `${host} has no image ${reference}`;
    return new FetchImageError("FI_IMAGE_UNKNOWN", { message, details: { reference, host, status } });
  }
  return new FetchImageError("FI_NO_VERSION", {
    message: `${host} has no tag of ${repository} that the source wants`,
    hint: "Look at the tags there; without `tag`, only tags that are versions count, and `latest`.",
    details: { repository, host, status },
  });
}

function keyOf({ buildId, fetchId }: Asker): string {
  return `${buildId}\n${fetchId}`;
}

function show(version: Version | undefined): string {
  return version === undefined ? "" : Object.values(version).join("@");
}
