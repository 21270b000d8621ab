import { type Clock, FetchImageError, formatTime, type Logger, type ScopeFact } from "@fetch-image/core/fetching";
import { toFailure } from "./failure.ts";
import { askerOf, factsOf, type Outcome, type ScopeQuestion } from "./scope-answers.ts";
import type { ScopeLog } from "./scope-log.ts";

interface ScopeClaimsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether nothing is recorded any more. */
  readonly isOver: () => boolean;
}

/** A question, and until when its claim stands; milliseconds since the epoch. */
export interface Claimed {
  readonly question: ScopeQuestion;
  readonly until: number;
}

/** How a question's claim stands in its scope's stream, and how it ends: with an answer, or given back. */
export class ScopeClaims {
  readonly #options: ScopeClaimsOptions;

  constructor(options: ScopeClaimsOptions) {
    this.#options = options;
  }

  /** False, with the fold read on, where another writer was first. */
  make(log: ScopeLog, { question, until }: Claimed): Promise<boolean> {
    const { scope, repository, tag, publicSource, credential, asker } = question;
    const claim: ScopeFact = {
      type: "CheckClaimed",
      data: {
        scope,
        type: "registry-image",
        repository,
        ...(tag === undefined ? {} : { tag }),
        source: publicSource,
        credential,
        ...askerOf(question),
        until: formatTime(until),
      },
    };
    return log.append(() => [claim], asker.buildId, this.#options.clock.now());
  }

  /** A claim that is not used after all: another node met a failure meanwhile, or whoever waited has gone. */
  async release(log: ScopeLog, claimed: Claimed, why: string): Promise<void> {
    const error = new FetchImageError("FI_ABORTED", { message: `not asked: ${why}` });
    await this.end(log, claimed, { outcome: { ok: false, error }, at: this.#options.clock.now() });
  }

  /** Writes the answer to the scope. A newer answer of another node stands; a store that is away loses only the memory. */
  async end(
    log: ScopeLog,
    { question, until }: Claimed,
    { outcome, at }: { readonly outcome: Outcome; readonly at: number },
  ): Promise<void> {
    if (this.#options.isOver()) return;
    try {
      // Who was called off frees his claim, not the next one of the same fetch.
      while (!isCalledOff(outcome) || log.state.claim?.until === until) {
        if (await log.append((state) => factsOf(state, question, outcome), question.asker.buildId, at)) return;
        if ((log.state.checkedAt ?? 0) >= at) return;
      }
    } catch (error) {
      const { code } = toFailure(error, "FI_INTERNAL", question.redact);
      this.#options.logger.warn("an observation could not be recorded", { scope: question.scope, code });
    }
  }
}

function isCalledOff(outcome: Outcome): boolean {
  return !outcome.ok && FetchImageError.is(outcome.error) && outcome.error.code === "FI_ABORTED";
}
