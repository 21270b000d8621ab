import { evolveScope, type RecordedScopeFact, type ScopeState, unknownScope } from "@fetch-image/core/fetching";
import type { ScopeStream } from "./scope-stream.ts";
import type { Make } from "./scope-writer.ts";

/** A scope, and what is told to who shows one secret; `proof` is null where there is none to show. */
export interface Lineage {
  readonly scope: string;
  readonly proof: string | null;
}

/** A scope's stream, as those who show one secret see it. */
export class ScopeLog {
  readonly #stream: ScopeStream;
  #state: ScopeState = unknownScope;

  constructor(stream: ScopeStream) {
    this.#stream = stream;
  }

  get state(): ScopeState {
    const { outline } = this.#stream;
    // What others were told is looked at when somebody asks: it may be much.
    if (this.#state.revision !== outline.revision) {
      const { revision, latest, rateLimit } = outline;
      this.#state = { ...this.#state, revision, latest, rateLimit };
    }
    return this.#state;
  }

  /** As {@link ScopeStream.isMet}. */
  get isMet(): boolean {
    return this.#stream.isMet;
  }

  /** As {@link ScopeStream.readAt}. */
  get readAt(): number {
    return this.#stream.readAt;
  }

  /** As {@link ScopeStream.readOn}. */
  readOn(): Promise<void> {
    return this.#stream.readOn();
  }

  /** As {@link ScopeStream.lookNow}. */
  lookNow(): Promise<void> {
    return this.#stream.lookNow();
  }

  /** As {@link ScopeStream.lookLater}. */
  lookLater(): Promise<void> {
    return this.#stream.lookLater();
  }

  /** Stores what `make` gives in its turn; false where it gives nothing, or where the state is another by then. */
  append(make: Make): Promise<boolean> {
    return this.#stream.append(this, make);
  }

  /** For the stream, of a fact that is for who shows the secret: before its outline goes on to it. */
  evolve(fact: RecordedScopeFact): void {
    this.#state = evolveScope(this.state, fact);
  }

  /** For the stream: what stood in it counts no more. */
  forget(): void {
    this.#state = unknownScope;
  }
}
