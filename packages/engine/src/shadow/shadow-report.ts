import {
  decodeShadowFact,
  type EventLog,
  formatTime,
  parseTime,
  type ShadowReport,
  type ShadowRule,
  shadowStream,
  ShadowTally,
} from "@fetch-image/core/fetching";

export interface ShadowReportOptions {
  /** Milliseconds since the epoch: from `since` on, before `until`. */
  readonly since: number;
  readonly until: number;
  /** How much must have been compared. Default: 1000 comparisons over 7 days. */
  readonly rule?: ShadowRule;
}

/** What was compared in a time, added up, with a verdict on the switch. Reads the streams of its days. */
export async function shadowReport(eventLog: EventLog, options: ShadowReportOptions): Promise<ShadowReport> {
  const { since, until, rule } = options;
  const tally = new ShadowTally();
  for (let day = dayOf(since); day < until; day += dayMs) {
    const stream = shadowStream(formatTime(day).slice(0, 10));
    let from = 0n;
    for (;;) {
      const facts = await eventLog.read(stream, { from, limit: pageSize });
      for (const recorded of facts) {
        const decoded = decodeShadowFact(recorded);
        if (!decoded.known) continue;
        const at = parseTime(decoded.fact.metadata.time);
        if (at >= since && at < until) tally.add(decoded.fact);
      }
      if (facts.length < pageSize) break;
      from += BigInt(facts.length);
    }
  }
  return tally.report(rule);
}

function dayOf(at: number): number {
  return Math.floor(at / dayMs) * dayMs;
}

const dayMs = 86_400_000;
const pageSize = 5000;
