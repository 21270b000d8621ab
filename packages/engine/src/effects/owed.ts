/** An effect that a fetch owes, as long as it does. */
export class Owed {
  /** The fact since which it is owed: its answer names it. */
  readonly since: number;
  readonly #fetch: { whenStored(): Promise<void> };
  #ended = false;
  #controller: AbortController | undefined;
  #onEnd: (() => void) | undefined;

  constructor(since: number, fetch: { whenStored(): Promise<void> }) {
    this.since = since;
    this.#fetch = fetch;
  }

  /** Resolves once the facts that owe the effect are stored. What changes anything waits for it: append first, act after. */
  get durable(): Promise<void> {
    return this.#fetch.whenStored();
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Aborts when the effect is owed no more. Made when it is first asked for: a check at a registry goes without. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended) this.#controller.abort(owedNoMore);
    return this.#controller.signal;
  }

  /** Calls `onEnd`, of which there is one at most, when the effect is owed no more. */
  whenEnded(onEnd: () => void): void {
    this.#onEnd = onEnd;
  }

  end(): void {
    this.#ended = true;
    this.#onEnd?.();
    this.#onEnd = undefined;
    this.#controller?.abort(owedNoMore);
  }
}

// One reason for all: a signal aborted without one makes a DOMException, with its stack, each time.
const owedNoMore = "owed no more";
