/** What a registry said of its rate limit, and how it fares. Times are ISO 8601, UTC. */
export interface RegistryAnswer {
  readonly host: string;
  readonly limit?: number;
  readonly remaining?: number;
  readonly windowS?: number;
  /** When it was last heard of. */
  readonly observedAt: string;
  /** Until when nobody asks it, by the default back-off where it named no time. */
  readonly pausedUntil?: string;
  readonly failing?: { readonly code: string; readonly message: string; readonly failures: number };
  /** What it said before, oldest first. */
  readonly points: readonly BudgetPoint[];
}

interface BudgetPoint {
  readonly at: string;
  readonly remaining: number;
  readonly limit?: number;
}
