import { dateAndTime } from "../build-log/times.ts";
import { visible } from "../build-log/visible.ts";
import { shadowClasses } from "./explain-difference.ts";
import type { ShadowDifference, ShadowReport } from "./tally.ts";

/** The report for people, at most `limit` differences of it. */
export function renderShadowReport(report: ShadowReport, { limit = 20 }: { readonly limit?: number } = {}): string {
  const { comparisons, firstAt, lastAt, counts, differences, verdict } = report;
  if (firstAt === undefined || lastAt === undefined) return `Nothing was compared.\n\n${verdict.says}\n`;
  const lines = [`${comparisons} compared, from ${dateAndTime(firstAt)} to ${dateAndTime(lastAt)}`, ""];
  for (const [name, number] of Object.entries(counts)) {
    const says = shadowClasses[name as keyof typeof shadowClasses];
    lines.push(`${String(number).padStart(8)}  ${name.padEnd(11)}  ${says}`);
  }
  lines.push("", ...costs(report));
  if (differences.length > 0) lines.push("", ...differences.slice(0, limit).flatMap(show));
  if (differences.length > limit) lines.push(`and ${differences.length - limit} more: --json has them all`);
  lines.push("", verdict.says, "");
  return lines.join("\n");
}

function costs({ requests, time, dropped }: ShadowReport): readonly string[] {
  const { ours, explaining, theirs, told } = requests;
  const extra = explaining === 0 ? "" : `, and ${explaining} more to explain differences`;
  const old = told === 0 ? "" : `; the scheduler asked ${theirs} in the ${told} fetches that told`;
  const lines = [`requests to registries: ${ours}${extra}${old}`];
  if (time.told > 0) {
    const mean = (ms: number) => `${Math.round(ms / time.told)} ms`;
    lines.push(`time of a fetch: ${mean(time.ours)}; the scheduler's ${mean(time.theirs)}, of ${time.told} that told`);
  }
  if (dropped > 0) lines.push(`not compared, too many at once: ${dropped}`);
  return lines;
}

function show(difference: ShadowDifference): readonly string[] {
  const { name, repository, tag, times, build, fetchId, because, proof, lastAt } = difference;
  const image = repository === undefined ? name : `${repository}${tag === undefined ? "" : `:${tag}`}`;
  const often = times === 1 ? "" : `, ${times} times`;
  const last = `last in build ${build} (${fetchId}) at ${dateAndTime(lastAt)}`;
  const how = proof === "inferred" ? " (inferred)" : "";
  return [`${difference.class}: ${visible(image)}${often}, ${visible(last)}`, `  ${visible(because)}${how}`];
}
