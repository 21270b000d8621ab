import type { BuildImageRow } from "../ports/read-model.ts";
import { explainImage, type VersionCandidate, type VersionExplanation } from "./explain.ts";
import { paint, type RenderOptions, type Tone } from "./paint.ts";
import { visible } from "./visible.ts";

/**
 * Why a build's image is the one it is, as text: candidates in order, each with its reason; the evidence; how it ended.
 * From the read model's row alone, so that it works after the log is gone, and says the same from a log that is there.
 * Throws `FI_FACT_UNREADABLE` as {@link explainImage} does.
 */
export function renderExplanation(row: BuildImageRow, { color = false }: RenderOptions = {}): string {
  const explanation = explainImage(row);
  const named = row.name === undefined ? "" : `: ${row.name}${row.type === undefined ? "" : ` (${row.type})`}`;
  const blocks: (readonly Line[])[] = [
    [["heading", `build ${row.buildId}, image ${row.fetchId}${named}`]],
    ...(explanation === undefined ? [[["plain", unchosen(row)]] as const] : explained(explanation)),
    ended(row),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(([tone, text]) => `${paint(visible(text), tone, color)}\n`).join(""))
    .join("\n");
}

/** No version was chosen for what a task runs in whose `image:` is an artifact. */
function unchosen({ via }: BuildImageRow): string {
  if (via === "push") return "a step of the build has built it, and it was pushed for nodes to pull";
  if (via === "artifact") return "a fetch of the build has brought its bytes, and nodes pull the same digest";
  return "no version was chosen";
}

type Line = readonly [tone: Tone, text: string];

function explained({
  chosen,
  because,
  digestKnown,
  candidates,
  evidence,
}: VersionExplanation): readonly (readonly Line[])[] {
  const width = Math.max(...evidence.map(({ name }) => name.length));
  return [
    [
      ["plain", chosen],
      ["plain", `because ${because}`],
      ...(digestKnown ? [] : [["warning", "warning: no digest: it may be another image at the next pull"] as const]),
    ],
    [["heading", "candidates, in order"], ...candidates.map(candidateLine)],
    [
      ["heading", "evidence"],
      ...evidence.map(({ name, value }) => ["plain", `  ${name.padEnd(width)}  ${value}`] as const),
    ],
  ];
}

function candidateLine({ candidate, taken, reason }: VersionCandidate): Line {
  return taken ? ["good", `  taken      ${candidate}: ${reason}`] : ["muted", `  not taken  ${candidate}: ${reason}`];
}

function ended({ state, imageURL, artifact, failure }: BuildImageRow): readonly Line[] {
  if (failure !== undefined) {
    const hint = failure["hint"];
    const failed: Line = ["bad", `${state ?? "failed"}: ${text(failure["message"])} (${text(failure["code"])})`];
    return typeof hint === "string" ? [failed, ["bad", `hint: ${hint}`]] : [failed];
  }
  const result = imageURL ?? (artifact === undefined ? undefined : `artifact ${artifact}`);
  return state === undefined ? [] : [["plain", `${state}${result === undefined ? "" : `: ${result}`}`]];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
