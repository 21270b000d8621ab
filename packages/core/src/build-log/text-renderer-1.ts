import type { FetchRequest, RecordedBuildFact, UnknownFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { type BuildState, replayBuild } from "../fetch-image/replay.ts";
import { type FetchState, isFinished } from "../fetch-image/step.ts";
import { isBuildFact } from "../projections/decode-fact.ts";
import { factWords, unfinishedWords, unknownWords, type Words } from "./fact-words.ts";
import { paint, type RenderOptions } from "./paint.ts";
import { planNames } from "./plan-names.ts";
import { dateAndTime, span, timeOfDay } from "./times.ts";
import { visible } from "./visible.ts";

/** Version 1 of the build log as text: the build, then each fetch in the order requested, a line for each fact. */
export function renderLog1(
  facts: readonly (RecordedBuildFact | UnknownFact)[],
  { color = false }: RenderOptions,
): string {
  const { build, openedAt, node, lines, sections } = read(facts);
  const names = planNames(
    build.plan,
    [...sections.values()].map(({ request }) => request),
  );
  const show = (line: Line) => showLine(line, openedAt, color);
  const title = (text: string) => paint(visible(text), "heading", color);

  const blocks = [
    [title(buildTitle(build)), visible(`opened ${dateAndTime(openedAt)} on ${node}`), ...lines.flatMap(show)],
    ...[...sections.values()].map((section) => [
      title(`${names.wantedBy(section.request)}, ${imageTitle(section.request)} (${section.request.fetchId})`),
      ...section.lines.flatMap(show),
      ...(isFinished(section.state) ? [] : show(unfinishedWords(section.state, openedAt))),
    ]),
    ...(sections.size === 0 ? [[paint("no image was requested", "muted", color)]] : []),
  ];
  return blocks.map((block) => block.map((line) => `${line}\n`).join("")).join("\n");
}

/** Without `at` where it is not about one moment. */
interface Line extends Words {
  readonly at?: number;
  /** Milliseconds since the image was requested; of the build's own facts, since it was opened. */
  readonly since?: number;
}

interface Section {
  readonly request: FetchRequest;
  readonly requestedAt: number;
  readonly lines: Line[];
  state: FetchState;
  /** When the state was entered that a timer ends. */
  pausedAt: number;
}

function read(facts: readonly (RecordedBuildFact | UnknownFact)[]) {
  const lines: (Line & { readonly revision: bigint })[] = [];
  const sections = new Map<string, Section>();
  let [openedAt, node] = [0, ""];

  const build = replayBuild(facts.filter(isBuildFact), ({ fact, after }) => {
    const at = parseTime(fact.metadata.time);
    if (fact.type === "BuildOpened") {
      [openedAt, node] = [at, fact.metadata.node];
      return;
    }
    if (after !== undefined && fact.type === "FetchRequested") sections.set(fact.data.fetchId, open(after, at));
    const section = "fetchId" in fact.data ? sections.get(fact.data.fetchId) : undefined;
    if (section === undefined) {
      const words = factWords(fact);
      lines.push({ ...words, at, since: at - openedAt, revision: fact.revision });
      if (fact.type !== "BuildAdopted") return;
      for (const fetch of sections.values()) {
        if (!isFinished(fetch.state)) fetch.lines.push({ ...words, at, since: at - fetch.requestedAt });
      }
      return;
    }
    section.lines.push({ ...factWords(fact, after, at - section.pausedAt), at, since: at - section.requestedAt });
    if (after === undefined) return;
    section.state = after;
    if (after.timer !== null) section.pausedAt = at;
  });
  for (const fact of facts) {
    if (!isBuildFact(fact)) lines.push({ ...unknownWords(fact), revision: fact.revision });
  }
  lines.sort((a, b) => (a.revision < b.revision ? -1 : 1));
  return { build, openedAt, node, lines, sections };
}

function open(state: FetchState, at: number): Section {
  return { request: state.snapshot.context.request, requestedAt: at, lines: [], state, pausedAt: at };
}

function buildTitle({ opened }: BuildState): string {
  const { buildId, team, pipeline, job } = opened ?? { buildId: "" };
  const whose = [team, pipeline, job].filter((name) => name !== undefined).join("/");
  return `build ${buildId}${whose === "" ? "" : `: ${whose}`}`;
}

function imageTitle({ repository, tag, type }: FetchRequest): string {
  if (repository === undefined) return `an image of type ${type}`;
  return `${repository}${tag === undefined ? "" : `:${tag}`}`;
}

function showLine({ at, since, text, tone, notes = [] }: Line, day: number, color: boolean): readonly string[] {
  const when = at === undefined ? "" : timeOfDay(at, day);
  const after = since === undefined ? "" : `+${span(since)}`;
  const columns = `  ${when.padEnd(12)} ${after.padStart(7)}  `;
  return [
    `${paint(columns, "muted", color)}${paint(visible(text), tone, color)}`,
    ...notes.map((note) => `${" ".repeat(columns.length)}${paint(visible(note), tone, color)}`),
  ];
}
