import {
  buildStream,
  buildStreamPrefix,
  decodeBuildFact,
  type EventLog,
  isFinished,
  parseRegistryImageSource,
  type ReadModel,
  type RecordedBuildFact,
  renderBuildLog,
  silentLogger,
} from "@fetch-image/core";
import { createProjector, systemClock } from "@fetch-image/engine";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import { pinnedPlan, typePlans } from "../support/engine.ts";
import type { UnfinishedFetch } from "./build-judge.ts";
import type { Cluster } from "./cluster.ts";
import type { Judge } from "./judge.ts";
import type { SimulationPlan } from "./plan.ts";
import type { SimulatedRegistry } from "./registry.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedStore } from "./store.ts";
import { repositories } from "./workload.ts";
import type { World } from "./world.ts";

export interface TheEnd {
  readonly plan: SimulationPlan;
  readonly judge: Judge;
  readonly cluster: Cluster;
  readonly scheduler: Scheduler;
  readonly store: SimulatedStore;
  readonly registry: SimulatedRegistry;
}

/** No registry's pause is longer. */
const longestPauseMs = 60_000;

/** What must hold once everything has ended, and was well for a while. */
export async function judgeTheEnd(world: World, end: TheEnd): Promise<void> {
  const { judge, cluster, scheduler, registry } = end;
  // A question from before all was well may be refused after it, with a pause: it is slow on its way there and back.
  const restMs = 2 * registry.slowestMs + longestPauseMs + 2 * cluster.clockErrorMs;
  await world.run(restMs, () => false);
  const unfinished = judge.builds
    .unfinished()
    .filter((fetch) => !scheduler.neverBegun.has(orderOf(fetch)) && !judge.isNewer(buildStream(fetch.buildId)));
  const wanted = unfinished.filter((fetch) => !isLeftBehind(judge, fetch));
  if (wanted.length > 0) world.broken(`nobody goes on with ${wanted.map(({ which }) => which).join(", ")}`);
  if (world.problems.length > 0) return;
  await judgeLeftBehind(world, end, unfinished);
  if (world.problems.length > 0) return;
  judgeClaims(world, end);
  if (world.problems.length > 0) return;
  await judgeHealth(world, end);
  if (world.problems.length > 0) return;
  await judgeProjection(world, end);
  await judgeLogs(world, end);
}

/** The fetch that the scheduler asked for: an image for a step of its is asked for with it, and called off with it. */
function orderOf({ buildId, fetchId }: UnfinishedFetch): string {
  const [stepId = ""] = fetchId.split("/", 1);
  return `${buildId}/${stepId}/image-get`;
}

/**
 * An image for a step whose fetch has ended, called off as a rule: the scheduler wants neither, and asks for the build no more.
 * Where the process died before it could end that too, it waits for whoever opens the build next.
 */
function isLeftBehind({ builds }: Judge, { buildId, fetchId }: UnfinishedFetch): boolean {
  const step = fetchId.replace(/\/image-(?:check|get)\/image-get$/, "/image-get");
  const state = step === fetchId ? undefined : builds.state(buildId).fetches.get(step);
  return state !== undefined && isFinished(state);
}

/** Who opens the build next ends it. */
async function judgeLeftBehind(
  world: World,
  { judge, cluster }: TheEnd,
  left: readonly UnfinishedFetch[],
): Promise<void> {
  for (const buildId of new Set(left.map((fetch) => fetch.buildId))) {
    await settledIn(world, cluster.alive[0]?.engine.openBuild({ id: buildId }));
    const unfinished = () => judge.builds.unfinished().filter((fetch) => fetch.buildId === buildId);
    const areEnded = () => !unfinished().some((fetch) => isLeftBehind(judge, fetch));
    if (!(await world.run(10_000, areEnded)))
      world.broken(`build ${buildId} was opened again, and not all of it ended`);
  }
}

/**
 * Whoever claimed, and lives, has ended his claim: with an answer, or by giving it back. A store that refuses may leave one, for
 * as long as it was to stand.
 */
function judgeClaims(world: World, { plan, judge, cluster }: TheEnd): void {
  const { slow: _slow, doubled: _doubled, ...refusing } = plan.store;
  if (plan.happenings["store-away"] !== undefined || Object.values(refusing).some((often) => often > 0)) return;
  for (const { node, what } of judge.scopes.standing()) {
    if (cluster.isAlive(node)) world.broken(`${node} has left a claim on ${what}`);
  }
}

/** After all that, a build gets what the registry has, as if nothing had happened. */
async function judgeHealth(world: World, { cluster, registry }: TheEnd): Promise<void> {
  const [member] = cluster.alive;
  if (member === undefined) return world.broken("there is no process");
  const build = await settledIn(world, member.engine.openBuild({ id: "probe" }));
  for (const [index, repository] of repositories.entries()) {
    for (const tag of [{ tag: "v3" }, {}]) {
      const source = { repository, ...tag };
      const parsed = parseRegistryImageSource(source);
      const newest = parsed.ok ? registry.newest(parsed.source) : undefined;
      const plans = typePlans(`probe-${index}-${tag.tag}`, source, { skip: true });
      const spec = await settledIn(world, build?.fetchImage({ ...plans, privileged: false }));
      if (newest === undefined || spec?.imageURL?.endsWith(`@${newest}`) !== true) {
        const asked = `${repository}:${tag.tag ?? "*"}`;
        return world.broken(`${asked} is ${newest}, and a healthy cluster says ${JSON.stringify(spec)}`);
      }
    }
  }
  const digest = `sha256:${"6".repeat(64)}`;
  const getPlan = pinnedPlan("probe-pinned", { repository: repositories[0] ?? "" }, { digest });
  const pinned = await settledIn(world, build?.fetchImage({ getPlan, privileged: false }));
  if (pinned?.imageURL?.endsWith(digest) !== true) world.broken("a healthy cluster does not give a pinned image");
}

/** What the promise gives; undefined where it rejects, or takes too long. */
async function settledIn<T>(world: World, promise: Promise<T> | undefined): Promise<T | undefined> {
  const outcome: { isSettled: boolean; value?: T } = { isSettled: false };
  void (async () => {
    try {
      const value = await promise;
      if (value !== undefined) outcome.value = value;
    } catch (error) {
      world.tell("probe", `is refused: ${String(error)}`);
    }
    outcome.isSettled = true;
  })();
  await world.run(120_000, () => outcome.isSettled);
  return outcome.value;
}

async function judgeProjection(world: World, { store, judge }: TheEnd): Promise<void> {
  const parts = { eventLog: store.log, clock: systemClock, logger: silentLogger };
  const fromZero = createMemoryReadModel();
  await createProjector({ ...parts, readModel: store.readModel }).catchUp();
  await createProjector({ ...parts, readModel: fromZero }).rebuild();
  const builds = [...judge.builds.builds.keys()];
  const [kept, rebuilt] = [await dump(store.readModel, builds), await dump(fromZero, builds)];
  if (kept !== rebuilt) world.broken(`the read model differs from a rebuild:\n${kept}\n${rebuilt}`);
}

async function dump(readModel: ReadModel, builds: readonly string[]): Promise<string> {
  const scopes = (await Promise.all(repositories.map((repository) => readModel.scopes({ repository })))).flat();
  const rows = [
    await readModel.checkpoint(),
    await readModel.builds({ limit: 1000 }),
    await Promise.all(builds.map((buildId) => readModel.imagesOfBuild(buildId))),
    scopes,
    await Promise.all(scopes.map(({ scope }) => readModel.versions(scope))),
    await readModel.observations({}, { limit: 10_000, first: "oldest" }),
    await Promise.all(scopes.map(({ scope }) => readModel.stays(scope, { limit: 1000 }))),
  ];
  return JSON.stringify(rows, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}

/** The build log is made of what is stored alone: read again, it is the same. */
async function judgeLogs(world: World, { store, judge }: TheEnd): Promise<void> {
  for (const buildId of judge.builds.builds.keys()) {
    try {
      const [log, again] = [await logOf(store.log, buildId), await logOf(store.log, buildId)];
      if (log === "" || log !== again) world.broken(`the log of build ${buildId} differs from itself`);
      world.tell("log", log);
    } catch (error) {
      world.broken(`build ${buildId} has no log: ${String(error)}`);
    }
  }
}

async function logOf(eventLog: EventLog, buildId: string): Promise<string> {
  const facts: RecordedBuildFact[] = [];
  for (const recorded of await eventLog.read(`${buildStreamPrefix}${buildId}`)) {
    const decoded = decodeBuildFact(recorded);
    if (decoded.known) facts.push(decoded.fact);
  }
  return renderBuildLog(facts);
}
