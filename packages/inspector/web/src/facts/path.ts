// Which transitions a fact took: read off the chart, which knows them all by their ends.
import type { FetchInput, FetchStateName, RecordedBuildFact } from "@fetch-image/core";

/** A transition as the chart has it. `event`: empty for one that is taken at once. */
export interface ChartEdge {
  readonly id: string;
  /** Of a state, or of the machine. */
  readonly source: string;
  readonly target: string;
  readonly event: string;
}

export interface ChartEdges {
  readonly machine: string;
  /** The transition into the first state. */
  readonly initial: { readonly id: string; readonly target: string };
  readonly all: readonly ChartEdge[];
}

/** The transitions from one state to another that a fact caused: its own, and those that were taken at once behind it. */
export function edgesTaken(
  chart: ChartEdges,
  before: FetchStateName | undefined,
  fact: Pick<RecordedBuildFact, "type" | "data">,
  after: FetchStateName,
): readonly string[] {
  const end = stateId(chart, after);
  if (before === undefined) {
    const path = throughAlways(chart, chart.initial.target, end);
    return path === undefined ? [] : [chart.initial.id, ...path];
  }
  const paths = eventEdges(chart, before)
    .filter((edge) => concerns(edge, fact))
    .flatMap((edge) => {
      const rest = throughAlways(chart, edge.target, end);
      return rest === undefined ? [] : [[edge.id, ...rest]];
    });
  return paths.toSorted((one, other) => one.length - other.length)[0] ?? [];
}

/** What may happen next: transitions that wait for an event or a timer. */
export function eventEdges(chart: ChartEdges, state: FetchStateName): readonly ChartEdge[] {
  const from = new Set([stateId(chart, state), chart.machine]);
  return chart.all.filter(({ source, event }) => from.has(source) && event !== "");
}

export function stateId({ machine }: ChartEdges, state: FetchStateName): string {
  return `${machine}.${state}`;
}

function concerns({ event }: ChartEdge, { type, data }: Pick<RecordedBuildFact, "type" | "data">): boolean {
  if (type !== "TimerFired") return event === type;
  return event.startsWith(`xstate.after.${(data as Extract<FetchInput, { type: "TimerFired" }>["data"]).timer}.`);
}

/** The shortest way over transitions that nothing has to happen for; none at all where the state is reached already. */
function throughAlways(chart: ChartEdges, from: string, to: string): readonly string[] | undefined {
  const seen = new Set([from]);
  let ways: { readonly at: string; readonly path: readonly string[] }[] = [{ at: from, path: [] }];
  while (ways.length > 0) {
    const arrived = ways.find(({ at }) => at === to);
    if (arrived !== undefined) return arrived.path;
    ways = ways.flatMap(({ at, path }) =>
      chart.all
        .filter(({ source, event, target }) => source === at && event === "" && !seen.has(target))
        .map(({ id, target }) => {
          seen.add(target);
          return { at: target, path: [...path, id] };
        }),
    );
  }
  return undefined;
}
