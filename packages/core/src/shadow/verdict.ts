import { duration } from "../scope/duration.ts";
import type { ShadowReport } from "./tally.ts";

/** How much must have been compared before a switch is called safe. */
export interface ShadowRule {
  readonly comparisons: number;
  /** From the first comparison to the last, in milliseconds. */
  readonly periodMs: number;
}

export const defaultShadowRule: ShadowRule = { comparisons: 1000, periodMs: 7 * 86_400_000 };

export interface ShadowVerdict {
  readonly verdict: "safe" | "not-safe" | "too-early";
  /** A sentence or two. */
  readonly says: string;
}

/** Whether the scheduler may be switched: nothing stands in the way, of enough comparisons over a time long enough. */
export function shadowVerdict(report: Omit<ShadowReport, "verdict">, rule: ShadowRule): ShadowVerdict {
  const { comparisons, counts, inferred, dropped, firstAt, lastAt } = report;
  const periodMs = firstAt === undefined || lastAt === undefined ? 0 : lastAt - firstAt;
  const done = `${count(comparisons, "comparison")} over ${duration(periodMs)}`;
  const obstacles = [
    obstacle(counts.unexplained, "unexplained difference"),
    obstacle(counts["we-failed"], "fetch would have failed", "fetches would have failed"),
    obstacle(counts.credentials, "fetch lacked credentials", "fetches lacked credentials"),
  ].filter((each) => each !== undefined);
  if (obstacles.length > 0) {
    return { verdict: "not-safe", says: `Not safe to switch: ${obstacles.join(", ")}, in ${done}.` };
  }
  if (comparisons < rule.comparisons || periodMs < rule.periodMs) {
    const wanted = `${count(rule.comparisons, "comparison")} over ${duration(rule.periodMs)}`;
    return {
      verdict: "too-early",
      says: `Too early to say: nothing stands in the way in ${done}; ${wanted} are wanted.`,
    };
  }
  const guessed = inferred === 0 ? "" : ` ${count(inferred, "explanation")} follow from times alone: read them.`;
  const missed = dropped === 0 ? "" : ` ${count(dropped, "fetch", "fetches")} were not compared.`;
  return { verdict: "safe", says: `Safe to switch: no unexplained difference in ${done}.${guessed}${missed}` };
}

function obstacle(number: number | undefined, one: string, many?: string): string | undefined {
  return number === undefined || number === 0 ? undefined : count(number, one, many);
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
