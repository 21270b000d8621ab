import type { ImageRegistry } from "@fetch-image/core/fetching";
import type { EffectiveSettings } from "./engine-settings.ts";
import { RegistryBudgets } from "./registry-budgets.ts";
import { RegistryPauses } from "./registry-pauses.ts";
import type { ScopeQuestion } from "./scope-answers.ts";
import { ScopeClaims } from "./scope-claims.ts";
import type { Inflight, ScopeEntry } from "./scope-entry.ts";
import { Inquiry, type InquiryOptions } from "./scope-inquiry.ts";
import { ScopeRulings } from "./scope-rulings.ts";
import type { StreamOptions } from "./scope-stream.ts";

export interface ScopeAskerOptions extends StreamOptions {
  readonly registry: Pick<ImageRegistry, "check">;
  readonly soleNode: boolean;
  readonly settings: EffectiveSettings;
}

/** Asks scopes' questions of their registries, once for all who want to know and only where it may be asked. */
export class ScopeAsker {
  /** What becomes of a question before it is asked, and of its answer. */
  readonly rulings: ScopeRulings;
  readonly #options: InquiryOptions;
  #closed = false;

  constructor(options: ScopeAskerOptions) {
    const { clock, settings } = options;
    const isOver = () => this.#closed;
    const budgets = new RegistryBudgets({ clock, reserve: settings.rateLimitReserve });
    const pauses = new RegistryPauses({ ...options, isOver });
    const claims = new ScopeClaims({ ...options, isOver });
    this.rulings = new ScopeRulings({ ...options, budgets, pauses });
    this.#options = { ...options, isOver, budgets, pauses, claims, rulings: this.rulings };
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Records nothing any more. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves once the question is answered and the answer stored, as far as the store takes it; never rejects. */
  ask(entry: ScopeEntry, inflight: Inflight, question: ScopeQuestion): Promise<void> {
    return new Inquiry(this.#options, entry, inflight, question).run();
  }
}
