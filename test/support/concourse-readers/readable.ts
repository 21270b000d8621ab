import {
  concoursePlan,
  decodeBuildFact,
  type EventLog,
  goJson,
  type RecordedBuildFact,
  renderConcourseLog,
  type UnknownFact,
} from "@fetch-image/core";
import { flyWatch } from "./fly-watch.ts";
import { webPage } from "./web-page.ts";

/** What Concourse's own clients would stumble over in a build's log; nothing where they read all of it. */
export function readersProblems(facts: readonly (RecordedBuildFact | UnknownFact)[]): readonly string[] {
  const text = renderConcourseLog(facts);
  const planned = facts.find((fact) => fact.type === "BuildPlanned") as
    { readonly data: { readonly plan: object } } | undefined;
  const plan = planned?.data.plan as Parameters<typeof concoursePlan>[0] | undefined;
  const document = plan === undefined ? undefined : goJson({ schema: "exec.v2", plan: concoursePlan(plan) });
  const { dropped, orphans, wiped } = webPage(document, text);
  return [
    ...(flyWatch(text).exitStatus === 255 ? ["fly stops"] : []),
    ...dropped.map(({ events, why }) => `the page drops ${events} events: ${why}`),
    ...wiped.map((id) => `the page wipes the log of ${id}`),
    // Of a build whose plan nobody knows the page has no steps.
    ...(document === undefined ? [] : orphans.map((event) => `the page has no step for: ${event}`)),
  ];
}

/** Throws where Concourse's clients would stumble over the log of any build that is in there. */
export async function assertReadable(eventLog: EventLog): Promise<void> {
  const builds = new Map<string, (RecordedBuildFact | UnknownFact)[]>();
  for (let after: string | undefined, end = false; !end;) {
    const filter = { streamPrefixes: ["build-"] };
    const page = await eventLog.readAll({ filter, limit: 1000, ...(after === undefined ? {} : { after }) });
    for (const fact of page.facts) {
      builds.set(fact.stream, [...(builds.get(fact.stream) ?? []), decodeBuildFact(fact).fact]);
    }
    [after, end] = [page.next, page.end];
  }
  for (const [stream, facts] of builds) {
    const problems = readersProblems(facts);
    if (problems.length > 0) throw new Error(`the log of ${stream}: ${problems.join("; ")}`);
  }
}
