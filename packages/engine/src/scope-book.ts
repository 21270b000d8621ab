import { type Asker, type CancelSignal, FetchImageError, sameAsker } from "@fetch-image/core/fetching";
import { Cancellation } from "./cancellation.ts";
import { Deferred } from "./deferred.ts";
import { type CheckAnswer, freshMsOf, type ScopeQuestion } from "./scope-answers.ts";
import { ScopeAsker, type ScopeAskerOptions } from "./scope-asker.ts";
import { type CheckStart, type Inflight, type Lineage, type ScopeEntry, whenDecided } from "./scope-entry.ts";
import { ScopeStream, type ScopeStreamOptions } from "./scope-stream.ts";
import { ScopeWriter } from "./scope-writer.ts";

interface Starting {
  readonly question: ScopeQuestion;
  readonly owed: Owing;
  /** When it came; milliseconds since the epoch. */
  readonly now: number;
}

/** Whether a fetch still waits: asked where something is read first. */
type Owing = { readonly hasEnded: boolean };

/**
 * What this process knows of the scopes, and its questions in flight: one question, asked once. Decisions are made on the
 * folds of the scopes' streams; claims and answers are appended at an expected revision, so a fold that is behind shows
 * as a conflict, is read on, and decides again.
 */
export class ScopeBook {
  readonly #options: ScopeAskerOptions;
  /** The same for all scopes. */
  readonly #streamOptions: ScopeStreamOptions;
  readonly #asker: ScopeAsker;
  /** By scope, as are those being read. */
  readonly #streams = new Map<string, ScopeStream>();
  readonly #loading = new Map<string, Promise<ScopeStream>>();
  /** How many folds, of whatever secret, the streams keep: at least, since the last count. */
  #kept = 0;
  #most = maxKept;
  /**
   * Whether the scope that was met last was new to the store. Then the next one is taken for new too, and claimed without
   * being read: where it is known after all, the claim is refused, which costs what was to be saved, and it is read.
   */
  #expectsNew = false;

  constructor(options: ScopeAskerOptions) {
    this.#options = options;
    this.#asker = new ScopeAsker(options);
    const streamOptions = { ...options, isOver: () => this.#asker.isClosed };
    this.#streamOptions = {
      ...streamOptions,
      writer: new ScopeWriter(streamOptions),
      onMet: (isNew) => {
        this.#expectsNew = isNew;
      },
      onKept: () => {
        this.#kept++;
      },
    };
  }

  /** Folds the scope's stream, once; from then on `start` answers at once where it can. */
  load({ scope }: Lineage): Promise<ScopeStream> {
    const known = this.#streams.get(scope);
    if (known?.isMet === true) return Promise.resolve(known);
    let loading = this.#loading.get(scope);
    if (loading === undefined) {
      loading = this.#read(scope);
      this.#loading.set(scope, loading);
    }
    return loading;
  }

  isLoaded({ scope }: Lineage): boolean {
    return this.#streams.get(scope)?.isMet === true;
  }

  /** Whether a fetch that nobody has begun is to wait until the scope is loaded. */
  isReadFirst({ scope }: Lineage): boolean {
    return !this.#streams.has(scope) && (!this.#expectsNew || this.#loading.has(scope));
  }

  start(question: ScopeQuestion, owed: Owing): CheckStart | Promise<CheckStart> {
    this.#forgetIdle();
    const starting = { question, owed, now: this.#options.clock.now() };
    if (this.#isToBeRead(question)) return this.#loaded(question).then((loaded) => this.#start(loaded, starting));
    return this.#start(this.#streams.get(question.scope) ?? this.#enter(question.scope), starting);
  }

  /** Before anything is decided. What a registry that is to be spared has for an answer stands in the scope's stream. */
  #isToBeRead(question: ScopeQuestion): boolean {
    const stream = this.#streams.get(question.scope);
    if (stream?.isMet === true || stream?.find(question.proof)?.inflight !== undefined) return false;
    return (stream === undefined && this.isReadFirst(question)) || this.#asker.rulings.isSpared(question);
  }

  /** The answer to what another fetch, here or on another node, is asking; undefined once `signal` aborts. */
  async join(question: ScopeQuestion, joinedAt: number, signal: CancelSignal): Promise<CheckAnswer | undefined> {
    const stream = this.#streams.get(question.scope) ?? (await this.#loaded(question));
    const entry = stream.entryOf(question.proof);
    entry.followers++;
    try {
      return await this.#follow(entry, question, { joinedAt, signal });
    } finally {
      entry.followers--;
    }
  }

  async #follow(
    entry: ScopeEntry,
    question: ScopeQuestion,
    { joinedAt, signal }: { readonly joinedAt: number; readonly signal: CancelSignal },
  ): Promise<CheckAnswer | undefined> {
    let isBehind = true;
    while (!signal.aborted) {
      const { inflight } = entry;
      if (inflight !== undefined && this.#isJoinable(inflight)) {
        if (mayGiveOlder(inflight, question)) {
          await whenDecided(inflight);
          continue;
        }
        inflight.interested.add(question.asker);
        return await this.#asker.rulings.answerOfOther(entry, inflight, question);
      }
      if (isBehind) {
        // What is known here may be from before the question that is waited for, asked by a node which died: its claim
        // would be missed, and an answer from before it be taken for its own.
        isBehind = false;
        await entry.stream.lookNow();
        continue;
      }
      const answer = this.#asker.rulings.answerForJoined(entry, question, joinedAt);
      if (answer !== undefined) return answer;
      await entry.stream.lookLater();
    }
    return undefined;
  }

  /** The fetch no longer waits; when nobody does, the request is given up. */
  leave({ scope, proof }: Lineage, me: Asker): void {
    this.#streams.get(scope)?.find(proof)?.leave(me);
  }

  /** As {@link load}; what was forgotten at once, since nobody waited for it yet, is known again. */
  async #loaded(lineage: Lineage): Promise<ScopeStream> {
    const loaded = await this.load(lineage);
    return this.#streams.get(lineage.scope) ?? this.#enter(lineage.scope, loaded);
  }

  /** Gives up every question without recording anything: another process takes the claims over when they run out. */
  close(): void {
    this.#asker.close();
    for (const stream of this.#streams.values()) stream.abort("the engine was closed");
  }

  async #read(scope: string): Promise<ScopeStream> {
    const stream = this.#streams.get(scope) ?? new ScopeStream(scope, this.#streamOptions);
    try {
      await stream.readOn();
    } finally {
      this.#loading.delete(scope);
    }
    return this.#streams.get(scope) ?? this.#enter(scope, stream);
  }

  #enter(scope: string, stream = new ScopeStream(scope, this.#streamOptions)): ScopeStream {
    this.#streams.set(scope, stream);
    return stream;
  }

  /** Scopes that nobody waits for are forgotten, those that were read first; one that comes back is read again. */
  #forgetIdle(): void {
    if (Math.max(this.#kept, this.#streams.size) <= this.#most) return;
    this.#kept = 0;
    for (const stream of this.#streams.values()) this.#kept += stream.size;
    // Many at a time: each going over the map passes by all that was deleted from it since it was last packed.
    for (const [scope, stream] of this.#streams) {
      if (Math.max(this.#kept, this.#streams.size) <= maxKept * 0.95) break;
      if (!stream.isIdle) continue;
      this.#streams.delete(scope);
      this.#kept -= stream.size;
    }
    // Where most are waited for, not each time.
    this.#most = Math.max(maxKept, this.#kept * 1.1, this.#streams.size * 1.1);
  }

  #start(stream: ScopeStream, starting: Starting): CheckStart | Promise<CheckStart> {
    const { question } = starting;
    const entry = stream.entryOf(question.proof);
    const running = this.#running(entry, question);
    const now = this.#asker.rulings.now(entry, question);
    const decision = this.#asker.rulings.decide(entry, now, running);
    if (decision.kind === "stale" && decision.revalidate && running === undefined) this.#revalidate(entry, question);
    const isKnown = decision.kind === "fresh" || decision.kind === "stale";
    const joinsAnother = running === undefined ? decision.kind === "join" : running.follows !== undefined && !isKnown;
    if (joinsAnother && mayHaveEnded(entry, starting)) return this.#startLater(stream.lookNow(), entry, starting);
    if (running !== undefined && !isKnown) {
      if (mayGiveOlder(running, question)) return this.#startLater(whenDecided(running), entry, starting);
      running.interested.add(question.asker);
      return { kind: "joined", asker: running.asker };
    }
    const answer = this.#asker.rulings.answerTo(decision, entry, now);
    if (answer !== undefined) return { kind: "answered", answer };
    const { begun, answer: coming } = this.#begin(entry, question, question.asker);
    // Another's claim is followed here for all who come: one of them takes over as soon as it runs out.
    if (decision.kind === "join") return { kind: "joined", asker: decision.asker };
    return this.#options.soleNode ? { kind: "asked", answer: coming.promise } : begun.promise;
  }

  async #startLater(then: Promise<void>, entry: ScopeEntry, starting: Starting): Promise<CheckStart> {
    entry.followers++;
    try {
      await then;
    } finally {
      entry.followers--;
    }
    // Its leaving went by before it had come: nobody would wait for what it began.
    if (starting.owed.hasEnded) throw new FetchImageError("FI_ABORTED");
    return await this.#start(entry.stream, starting);
  }

  #running({ inflight, state }: ScopeEntry, { asker }: ScopeQuestion): Inflight | undefined {
    if (inflight === undefined || !this.#isJoinable(inflight)) return undefined;
    if (inflight.follows === undefined) return inflight;
    // Who follows a claim looks now and then: one that has ended since was not asked for those who come later. And where the
    // one whose claim it is comes back, on this node now, nobody else will answer it.
    const { claim } = state;
    return claim?.until !== inflight.follows || sameAsker(claim.asker, asker) ? undefined : inflight;
  }

  /** Not where it was given up; nor, as on all other nodes, where its answer is not stored when its claim has run out. */
  #isJoinable({ cancellation, isAnswered, claimedUntil }: Inflight): boolean {
    return !cancellation.aborted && (!isAnswered || this.#options.clock.now() < claimedUntil);
  }

  /** Asks for those who come later: nobody waits for it, and nobody's leaving ends it. */
  #revalidate(entry: ScopeEntry, question: ScopeQuestion): void {
    const forLater = { buildId: question.asker.buildId, fetchId: question.asker.fetchId };
    this.#begin(entry, { ...question, isForLater: true }, forLater);
  }

  #begin(entry: ScopeEntry, question: ScopeQuestion, interested: Asker): Inflight {
    const inflight: Inflight = {
      asker: question.asker,
      freshMs: freshMsOf(question),
      follows: undefined,
      isOpen: true,
      decided: undefined,
      claimedUntil: 0,
      isAnswered: false,
      begun: new Deferred(),
      answer: new Deferred(),
      failed: undefined,
      interested: new Set([interested]),
      cancellation: new Cancellation(),
    };
    entry.begin(inflight);
    void this.#asker.ask(entry, inflight, question);
    return inflight;
  }
}

/**
 * Whether another node's claim in the fold may have been answered longer ago than the fetch takes an answer for fresh: by
 * hand that is before it came. Who joined it would get that answer.
 */
function mayHaveEnded({ stream }: ScopeEntry, { question, now }: Starting): boolean {
  // What stands aside is known here alone, and reading it tells nothing more.
  return !stream.isAside && stream.readAt < now - freshMsOf(question);
}

/** Whether the question in flight may yet be answered by what is fresh for who asks it, and not for who would join. */
function mayGiveOlder({ isOpen, freshMs }: Inflight, question: ScopeQuestion): boolean {
  return isOpen && freshMsOf(question) < freshMs;
}

/** Of all scopes, at some 2 kB each. */
const maxKept = 5000;
