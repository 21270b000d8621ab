import {
  type Asker,
  evolveScope,
  type RecordedScopeFact,
  type ScopeState,
  unknownScope,
} from "@fetch-image/core/fetching";
import type { Cancellation } from "./cancellation.ts";
import { Deferred } from "./deferred.ts";
import type { CheckAnswer, CheckFailure } from "./scope-answers.ts";
import type { ScopeStream } from "./scope-stream.ts";
import type { Make } from "./scope-writer.ts";

/** How a question begins to be answered. */
export type CheckStart =
  | { readonly kind: "answered"; readonly answer: CheckAnswer }
  | { readonly kind: "joined"; readonly asker: Asker }
  | { readonly kind: "asked"; readonly answer: Promise<CheckAnswer> };

/** A question of this process, from its beginning to its answer. */
export interface Inflight {
  /** Whose question it is: of this process, or that of another node which it follows. */
  asker: Asker;
  /** How old an answer may be that who asks takes for fresh; milliseconds. */
  readonly freshMs: number;
  /** Where it waits for another node's answer: until when that one's claim stands, milliseconds since the epoch. */
  follows: number | undefined;
  /** Whether it may yet be answered by what the stream has: its claim is not stored. */
  isOpen: boolean;
  /** Made when somebody waits until it is not. */
  decided: Deferred<void> | undefined;
  /** Until when it was claimed when it was asked; milliseconds since the epoch. */
  claimedUntil: number;
  /** The registry's answer has come, and may not be stored yet. */
  isAnswered: boolean;
  readonly begun: Deferred<CheckStart>;
  readonly answer: Deferred<CheckAnswer>;
  /** What its check failed with, before the answer: whether an old one may stand for it, each who waits has to see. */
  failed: CheckFailure | undefined;
  /** Who waits; with nobody left it is given up. */
  readonly interested: Set<Asker>;
  readonly cancellation: Cancellation;
}

/** It is known that it asks, or whom it follows, or what it is answered. */
export function markDecided(inflight: Inflight): void {
  inflight.isOpen = false;
  inflight.decided?.resolve();
  inflight.decided = undefined;
}

/** Resolves when it is known whether the question is asked. */
export function whenDecided(inflight: Inflight): Promise<void> {
  if (!inflight.isOpen) return Promise.resolve();
  inflight.decided ??= new Deferred();
  return inflight.decided.promise;
}

/** A scope, and what is told to who shows one secret; `proof` is null where there is none to show. */
export interface Lineage {
  readonly scope: string;
  readonly proof: string | null;
}

/** A scope as this process knows it, for those who show one secret. */
export class ScopeEntry {
  readonly stream: ScopeStream;
  /** How many wait for another node's answer. */
  followers = 0;
  #inflight: Inflight | undefined;
  /** Questions that go on though another was begun in their place: whom they follow came back here, say. */
  #overtaken: readonly Inflight[] = none;
  #state: ScopeState = unknownScope;

  constructor(stream: ScopeStream) {
    this.stream = stream;
  }

  /** What the stream says to them. */
  get state(): ScopeState {
    const { outline } = this.stream;
    // What others were told is looked at when somebody asks: it may be much.
    if (this.#state.revision !== outline.revision) {
      const { revision, latest, rateLimit } = outline;
      this.#state = { ...this.#state, revision, latest, rateLimit };
    }
    return this.#state;
  }

  /** The question that whoever comes may join: the one that was begun last. */
  get inflight(): Inflight | undefined {
    return this.#inflight;
  }

  begin(inflight: Inflight): void {
    if (this.#inflight !== undefined) this.#overtaken = [...this.#overtaken, this.#inflight];
    this.#inflight = inflight;
  }

  end(inflight: Inflight): void {
    // Whoever comes may join what goes on.
    if (this.#inflight === inflight) this.#inflight = this.#overtaken.at(-1);
    if (this.#overtaken.length > 0) {
      this.#overtaken = this.#overtaken.filter((other) => other !== inflight && other !== this.#inflight);
    }
    markDecided(inflight);
  }

  /** Who asks no longer waits; a question that nobody waits for is given up. */
  leave(asker: Asker): void {
    leaveQuestion(this.#inflight, asker);
    for (const inflight of this.#overtaken) leaveQuestion(inflight, asker);
  }

  /** Gives up every question. */
  abort(reason: string): void {
    this.#inflight?.cancellation.abort(reason);
    for (const { cancellation } of this.#overtaken) cancellation.abort(reason);
  }

  /** Whether nobody waits for it. */
  get isIdle(): boolean {
    return this.#inflight === undefined && this.followers === 0;
  }

  /** Stores what `make` gives in its turn; false where it gives nothing, or where the state is another by then. */
  append(make: Make): Promise<boolean> {
    return this.stream.append(this, make);
  }

  /** For the stream, of a fact that is for who shows the secret: what it says to them, before its outline goes on to it. */
  evolve(fact: RecordedScopeFact): ScopeState {
    this.#state = evolveScope(this.state, fact);
    return this.#state;
  }

  /** For the stream: what stood in it counts no more. */
  forget(): void {
    this.#state = unknownScope;
  }
}

const none: readonly Inflight[] = [];

function leaveQuestion(inflight: Inflight | undefined, asker: Asker): void {
  if (inflight?.interested.delete(asker) !== true) return;
  // A fetch that turns from asking to joining leaves and comes back in one turn.
  queueMicrotask(() => {
    if (inflight.interested.size === 0) inflight.cancellation.abort("nobody waits for the answer");
  });
}
