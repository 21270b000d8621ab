import type { Asker } from "@fetch-image/core";
import type { Cancellation } from "./cancellation.ts";
import type { Deferred } from "./deferred.ts";
import type { CheckAnswer } from "./scope-answers.ts";
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
  /** Whether it waits for another node's answer. */
  follows: boolean;
  readonly begun: Deferred<CheckStart>;
  readonly answer: Deferred<CheckAnswer>;
  /** Who waits; with nobody left it is given up. */
  readonly interested: Set<Asker>;
  readonly cancellation: Cancellation;
}

/** A scope as this process knows it. */
export interface ScopeEntry {
  readonly log: ScopeLog;
  inflight: Inflight | undefined;
  /** Hashes of the sources, secrets and all, that were refused here since the last answer. In memory only. */
  readonly refusedSources: Set<string>;
}
