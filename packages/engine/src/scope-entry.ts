import type { Asker } from "@fetch-image/core/fetching";
import type { Cancellation } from "./cancellation.ts";
import { Deferred } from "./deferred.ts";
import type { CheckAnswer, CheckFailure } from "./scope-answers.ts";
import type { ScopeLog } from "./scope-log.ts";

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

/** A scope as this process knows it, for those who show the same secrets. */
export interface ScopeEntry {
  readonly log: ScopeLog;
  inflight: Inflight | undefined;
  /** How many wait for another node's answer. */
  followers: number;
}
