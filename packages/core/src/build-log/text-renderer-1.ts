import type { FetchRequest, RecordedBuildFact, UnknownFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { type BuildState, replayBuild } from "../fetch-image/replay.ts";
import { type FetchState, isFinished } from "../fetch-image/step.ts";
import { isBuildFact } from "../projections/decode-fact.ts";
import { planOfEvent } from "./event-words.ts";
import { factWords, unfinishedWords, unknownWords, type Words } from "./fact-words.ts";
import { paint, type RenderOptions } from "./paint.ts";
import { type PlanNames, planNames } from "./plan-names.ts";
import { dateAndTime, span, timeOfDay } from "./times.ts";
import { visible } from "./visible.ts";

/**
 * Version 1 of the build log as text: the build, then each fetch and each step of the scheduler's in the order in which
 * they began, a line for each fact.
 */
export function renderLog1(
  facts: readonly (RecordedBuildFact | UnknownFact)[],
  { color = false }: RenderOptions,
): string {
  const { build, openedAt, node, lines, sections } = read(facts);
  const names = planNames(
    build.plan,
    [...sections.values()].flatMap(({ fetch }) => (fetch === undefined ? [] : [fetch.request])),
  );
  const show = (line: Line) => showLine(line, openedAt, color);
  const title = (text: string) => paint(visible(text), "heading", color);

  const blocks = [
    [title(buildTitle(build)), visible(`opened ${dateAndTime(openedAt)} on ${node}`), ...lines.flatMap(show)],
    ...[...sections.values()].map(({ planId, lines: own, fetch }) => [
      title(`${fetch === undefined ? names.of(planId) : fetchTitle(fetch.request, names)} (${planId})`),
      ...own.flatMap(show),
      ...(fetch === undefined || isFinished(fetch.state) ? [] : show(unfinishedWords(fetch.state, openedAt))),
    ]),
    ...(sections.size === 0 ? [[paint("no image was requested", "muted", color)]] : []),
  ];
  return blocks.map((block) => block.map((line) => `${line}\n`).join("")).join("\n");
}

/** Without `at` where it is not about one moment. */
interface Line extends Words {
  readonly at?: number;
  /** Milliseconds since the image was requested, or the step began; of the build's own facts, since it was opened. */
  readonly since?: number;
}

interface Section {
  /** Of the get of an image, or of a step. */
  readonly planId: string;
  readonly beganAt: number;
  readonly lines: Line[];
  readonly fetch?: Fetch;
}

interface Fetch {
  readonly request: FetchRequest;
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
    if (after !== undefined && fact.type === "FetchRequested") {
      sections.set(`fetch ${fact.data.fetchId}`, open(after, at));
    }
    const section = sectionOf(fact, at);
    if (section === undefined) {
      const words = factWords(fact);
      lines.push({ at, since: at - openedAt, revision: fact.revision, ...words });
      if (fact.type !== "BuildAdopted") return;
      for (const { fetch, lines: own, beganAt } of sections.values()) {
        if (fetch !== undefined && !isFinished(fetch.state)) own.push({ at, since: at - beganAt, ...words });
      }
      return;
    }
    const { fetch, beganAt } = section;
    const paused = fetch === undefined ? undefined : at - fetch.pausedAt;
    section.lines.push({ at, since: at - beganAt, ...factWords(fact, after, paused) });
    if (after === undefined || fetch === undefined) return;
    fetch.state = after;
    if (after.timer !== null) fetch.pausedAt = at;
  });

  function sectionOf(fact: RecordedBuildFact, at: number): Section | undefined {
    if ("fetchId" in fact.data) return sections.get(`fetch ${fact.data.fetchId}`);
    const planId = fact.type === "BuildEventSaved" ? planOfEvent(fact.data) : undefined;
    if (planId === undefined) return undefined;
    const key = `step ${planId}`;
    const section = sections.get(key) ?? { planId, beganAt: at, lines: [] };
    sections.set(key, section);
    return section;
  }

  for (const fact of facts) {
    if (!isBuildFact(fact)) lines.push({ ...unknownWords(fact), revision: fact.revision });
  }
  lines.sort((a, b) => (a.revision < b.revision ? -1 : 1));
  return { build, openedAt, node, lines, sections };
}

function open(state: FetchState, at: number): Section {
  const { request } = state.snapshot.context;
  return { planId: request.fetchId, beganAt: at, lines: [], fetch: { request, state, pausedAt: at } };
}

export function buildTitle({ opened }: BuildState): string {
  const { buildId, team, pipeline, job } = opened ?? { buildId: "" };
  const whose = [team, pipeline, job].filter((name) => name !== undefined).join("/");
  return `build ${buildId}${whose === "" ? "" : `: ${whose}`}`;
}

export function fetchTitle(request: FetchRequest, names: PlanNames): string {
  return `${names.wantedBy(request)}, ${imageTitle(request)}`;
}

function imageTitle({ repository, tag, type }: FetchRequest): string {
  if (repository === undefined) return `an image of type ${type}`;
  return `${repository}${tag === undefined ? "" : `:${tag}`}`;
}

export function showLine({ at, since, text, tone, notes = [] }: Line, day: number, color: boolean): readonly string[] {
  const when = at === undefined ? "" : timeOfDay(at, day);
  const after = since === undefined ? "" : `+${span(since)}`;
  const columns = `  ${when.padEnd(12)} ${after.padStart(7)}  `;
  return [
    `${paint(columns, "muted", color)}${paint(visible(text), tone, color)}`,
    ...notes.map((note) => `${" ".repeat(columns.length)}${paint(visible(note), tone, color)}`),
  ];
}
