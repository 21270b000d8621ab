import {
  buildStream,
  buildStreamPrefix,
  decodeBuildFact,
  type EventLog,
  formatTime,
  isFinished,
  type ReadModel,
  type RecordedBuildFact,
  type RecordedFact,
  renderBuildLog,
  silentLogger,
} from "@fetch-image/core";
import { createProjector, systemClock } from "@fetch-image/engine";
import { BuildJudge } from "../simulation/build-judge.ts";
import type { Report } from "./protocol.ts";
import type { RunRecord } from "./run.ts";
import type { OpenStore } from "./stores.ts";

export interface Witness {
  /** How often the manifests of a repository were asked for. */
  readonly manifestRequests: (repository: string) => number;
  /** The digest that the registry has for a repository's tag. */
  readonly digestOf: (repository: string) => string;
}

/** What does not hold of these runs, each with its seed, which is -1 for what concerns them all. */
export async function judgeRuns(
  store: OpenStore,
  records: readonly RunRecord[],
  witness: Witness,
): Promise<readonly { readonly seed: number; readonly problem: string }[]> {
  const problems: { seed: number; problem: string }[] = [];
  for (const record of records) {
    await judgeRun(store.eventLog, record, witness, (problem) => problems.push({ seed: record.seed, problem }));
  }
  const builds = records.map(({ plan }) => plan.run.buildId);
  const differs = await differenceFromRebuild(store, builds);
  if (differs !== undefined) problems.push({ seed: records.at(-1)?.seed ?? -1, problem: differs });
  return problems;
}

async function judgeRun(
  eventLog: EventLog,
  record: RunRecord,
  { manifestRequests, digestOf }: Witness,
  broken: (problem: string) => void,
): Promise<void> {
  if (record.failure !== undefined) broken(record.failure);
  const { plan, lives, kills } = record;
  const { buildId } = plan.run;
  const stored = await eventLog.read(buildStream(buildId));
  stored.forEach(({ revision }, index) => {
    if (revision !== BigInt(index)) broken(`the build's stream has a gap before ${revision}`);
  });
  const judge = new BuildJudge({ broken }, () => {});
  judge.stored(stored);
  await judgeAcknowledged(eventLog, lives, broken);
  lives.forEach((said) => judgeSteps(said, { buildId, stored, broken }));

  const { fetches } = judge.state(buildId);
  for (const { which } of judge.unfinished()) broken(`nobody goes on with ${which}`);
  for (const { fetchId } of plan.run.fetches) if (!fetches.has(fetchId)) broken(`${fetchId} was never requested`);
  for (const report of lives.flat()) {
    if (report.say !== "image") continue;
    const state = fetches.get(report.fetchId);
    const image = state?.imageURL ?? state?.snapshot.context.artifact;
    if (state === undefined || !isFinished(state) || image !== report.image) {
      broken(`${report.fetchId} was given ${report.image}, and its stream says ${image}`);
    }
  }
  const digest = digestOf(plan.repository);
  for (const [fetchId, { resolved, snapshot }] of fetches) {
    const { request } = snapshot.context;
    const expected = request.version?.["digest"] ?? (request.checker === "registry" ? digest : undefined);
    if (resolved?.version["digest"] !== expected)
      broken(`${fetchId} has ${resolved?.version["digest"]}, not ${expected}`);
  }
  const requests = manifestRequests(plan.repository);
  if (requests > 1 + kills) broken(`the registry was asked ${requests} times, and ${kills} processes were killed`);
  await judgeLog(eventLog, buildId, broken);
}

/** What a process knew to be stored stands there, once, as it was handed over. */
async function judgeAcknowledged(
  eventLog: EventLog,
  lives: readonly (readonly Report[])[],
  broken: (problem: string) => void,
): Promise<void> {
  const streams = new Map<string, readonly RecordedFact[]>();
  for (const report of lives.flat()) {
    if (report.say !== "acknowledged") continue;
    const { stream, revision, facts } = report;
    const stored = streams.get(stream) ?? (await eventLog.read(stream));
    streams.set(stream, stored);
    const first = Number(revision) - facts.length + 1;
    facts.forEach(({ id, data }, index) => {
      const found = stored[first + index];
      if (found?.id !== id || JSON.stringify(found.data) !== data) {
        broken(`lost: ${data} was acknowledged at ${stream}@${first + index}, where ${found?.type} stands`);
      }
      if (stored.filter((fact) => fact.id === id).length !== 1) broken(`doubled: ${id} in ${stream}`);
    });
  }
}

/** Append first, act after: when a step began, its process knew that the fact which owes it is stored. */
function judgeSteps(
  said: readonly Report[],
  run: { readonly buildId: string; readonly stored: readonly RecordedFact[]; readonly broken: (what: string) => void },
): void {
  const { buildId, stored, broken } = run;
  const known = new Set<string>();
  const written = new Set(
    said.flatMap((report) => (report.say === "acknowledged" ? report.facts : [])).map(({ id }) => id),
  );
  for (const report of said) {
    if (report.say === "acknowledged") for (const { id } of report.facts) known.add(id);
    if (report.say !== "step") continue;
    const [, fetchId = "", since = ""] = /^(.*)\/(\d+)$/.exec(report.effectKey.slice(buildId.length + 1)) ?? [];
    const facts = stored.filter(({ type, data }) => data["fetchId"] === fetchId && type !== "OutputWritten");
    const owing = facts[Number(since)];
    // What this process did not write itself, it has read.
    if (owing === undefined || (written.has(owing.id) && !known.has(owing.id))) {
      broken(`the ${report.kind} step ${report.effectKey} ran before the fact that owes it was stored`);
    }
  }
}

async function judgeLog(eventLog: EventLog, buildId: string, broken: (problem: string) => void): Promise<void> {
  const render = async () => {
    const facts: RecordedBuildFact[] = [];
    for (const recorded of await eventLog.read(`${buildStreamPrefix}${buildId}`)) {
      const decoded = decodeBuildFact(recorded);
      if (decoded.known) facts.push(decoded.fact);
    }
    return renderBuildLog(facts);
  };
  try {
    const log = await render();
    if (log === "" || log !== (await render())) broken("the build's log differs from itself");
  } catch (error) {
    broken(`the build has no log: ${String(error)}`);
  }
}

async function differenceFromRebuild(
  { eventLog, readModel }: OpenStore,
  builds: readonly string[],
): Promise<string | undefined> {
  const projector = createProjector({ eventLog, readModel, clock: systemClock, logger: silentLogger });
  await projector.catchUp();
  const kept = await dump(readModel, builds);
  await projector.rebuild();
  const rebuilt = await dump(readModel, builds);
  if (kept === rebuilt) return undefined;
  return `the read model differs from a rebuild at ${formatTime(systemClock.now())}:\n${kept}\n${rebuilt}`;
}

async function dump(readModel: ReadModel, builds: readonly string[]): Promise<string> {
  const images = await Promise.all(builds.map((buildId) => readModel.imagesOfBuild(buildId)));
  const scopes = [...new Set(images.flat().flatMap(({ scope }) => scope ?? []))];
  const rows = [
    await readModel.builds({ limit: 100_000 }),
    images,
    await Promise.all(scopes.map((scope) => readModel.versions(scope))),
    await readModel.observations({}, { limit: 100_000, first: "oldest" }),
  ];
  return JSON.stringify(rows, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}
