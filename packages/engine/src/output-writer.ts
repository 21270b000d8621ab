import type { BuildFact, Clock } from "@fetch-image/core";

export interface OutputWriterOptions {
  readonly fetchId: string;
  readonly planId: string;
  readonly clock: Clock;
  readonly redact: (text: string) => string;
  readonly write: (fact: Extract<BuildFact, { type: "OutputWritten" }>) => void;
}

type Origin = "stdout" | "stderr";

/** At most four facts a second of each origin, at most 64 KiB in each; longer lines are cut there. */
const flushMs = 250;
const maxChars = 64 * 1024;

/**
 * Gathers a step's output into facts. Whole lines go together, so that a secret that arrives in two pieces is cut as one.
 */
export class OutputWriter {
  readonly #options: OutputWriterOptions;
  readonly #pending: Record<Origin, string> = { stdout: "", stderr: "" };
  #cancelFlush: (() => void) | undefined;

  constructor(options: OutputWriterOptions) {
    this.#options = options;
  }

  write(chunk: string, origin: Origin): void {
    this.#pending[origin] += chunk;
    this.#cancelFlush ??= this.#options.clock.after(flushMs, () => {
      this.#cancelFlush = undefined;
      this.#flush(false);
    });
  }

  /** Writes what is left, half a line too. */
  end(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#flush(true);
  }

  #flush(ends: boolean): void {
    const { fetchId, planId, redact, write } = this.#options;
    for (const origin of ["stdout", "stderr"] as const) {
      const text = this.#pending[origin];
      const cut = ends || text.length > maxChars ? text.length : text.lastIndexOf("\n") + 1;
      this.#pending[origin] = text.slice(cut);
      const safe = redact(text.slice(0, cut));
      for (let from = 0; from < safe.length; from += maxChars) {
        write({ type: "OutputWritten", data: { fetchId, planId, origin, text: safe.slice(from, from + maxChars) } });
      }
    }
  }
}
