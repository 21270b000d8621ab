import { type Clock, FetchImageError, formatTime, type Logger, type ScopeFact } from "@fetch-image/core/fetching";
import { toFailure } from "./failure.ts";
import { askerOf, factsOf, type Outcome, type ScopeQuestion } from "./scope-answers.ts";
import type { Inflight, ScopeEntry } from "./scope-entry.ts";

interface ScopeClaimsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether nothing is recorded any more. */
  readonly isOver: () => boolean;
}

export interface Claimed {
  readonly question: ScopeQuestion;
  /** Milliseconds since the epoch; known when its turn to be written comes. */
  until: number;
}

interface Claiming {
  readonly claimMs: number;
  /** Looked at when its turn comes. */
  readonly inflight: Inflight;
}

/** How a question's claim stands in its scope's stream, and how it ends: with an answer, or given back. */
export class ScopeClaims {
  readonly #options: ScopeClaimsOptions;

  constructor(options: ScopeClaimsOptions) {
    this.#options = options;
  }

  /** It stands for `claimMs` from its turn on. False where nothing was stored: another was first, or it is not wanted any more. */
  make(entry: ScopeEntry, claimed: Claimed, { claimMs, inflight }: Claiming): Promise<boolean> {
    const { scope, repository, tag, publicSource, credential, asker } = claimed.question;
    return entry.append(() => {
      if (this.#options.isOver() || !isWanted(inflight)) return undefined;
      const at = this.#options.clock.now();
      claimed.until = at + claimMs;
      const claim: ScopeFact = {
        type: "CheckClaimed",
        data: {
          scope,
          type: "registry-image",
          repository,
          ...(tag === undefined ? {} : { tag }),
          source: publicSource,
          credential,
          ...askerOf(claimed.question),
          until: formatTime(claimed.until),
        },
      };
      return { facts: [claim], buildId: asker.buildId, at };
    });
  }

  /** A claim that is not used after all: another node met a failure meanwhile, or whoever waited has gone. */
  async release(entry: ScopeEntry, claimed: Claimed, why: string): Promise<void> {
    const error = new FetchImageError("FI_ABORTED", { message: `not asked: ${why}` });
    await this.end(entry, claimed, { outcome: { ok: false, error }, at: this.#options.clock.now() });
  }

  /** Writes the answer to the scope. A newer answer of another node stands; a store that is away loses only the memory. */
  async end(
    entry: ScopeEntry,
    { question, until }: Readonly<Claimed>,
    { outcome, at }: { readonly outcome: Outcome; readonly at: number },
  ): Promise<void> {
    const { isOver, logger } = this.#options;
    let due = outcome;
    // Who was called off frees his claim, not the next one of the same fetch.
    const isDue = () => !isOver() && (!isCalledOff(due) || entry.state.claim?.until === until);
    try {
      while (isDue()) {
        const isStored = await entry.append((state) =>
          isDue() ? { facts: factsOf(state, question, due), buildId: question.asker.buildId, at } : undefined,
        );
        if (isStored) return;
        // The newer answer stands. Where it was the failure of who held no claim, ours does, too: it is given back.
        if ((entry.state.checkedAt ?? 0) >= at) due = overtaken;
      }
    } catch (error) {
      const { code } = toFailure(error, "FI_INTERNAL", question.redact);
      logger.warn("an observation could not be recorded", { scope: question.scope, code });
    }
  }
}

const overtaken: Outcome = {
  ok: false,
  error: new FetchImageError("FI_ABORTED", { message: "not recorded: a newer answer stands" }),
};

/** Who waited may be gone; but what the registry has answered meanwhile is worth its place. */
function isWanted({ cancellation, isAnswered }: Inflight): boolean {
  return !cancellation.aborted || isAnswered;
}

function isCalledOff(outcome: Outcome): boolean {
  return !outcome.ok && FetchImageError.is(outcome.error) && outcome.error.code === "FI_ABORTED";
}
