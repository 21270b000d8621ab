import {
  type Asker,
  type BuildState,
  buildStreamPrefix,
  type CheckEvidence,
  formatTime,
  parseTime,
  type RecordedBuildFact,
  sameAsker,
} from "@fetch-image/core";
import type { RegistryJudge } from "./registry-judge.ts";
import { type Delivered, keyOf, type ScopeJudge } from "./scope-judge.ts";
import { type FetchOrder, orderOf, sourceOf } from "./workload.ts";
import type { World } from "./world.ts";

export interface ResolutionJudgeOptions {
  readonly orders: readonly FetchOrder[];
  readonly checkIntervalMs: number;
  readonly claimMs: number;
  readonly scopes: ScopeJudge;
  readonly registries: RegistryJudge;
  readonly stalenessBoundMs: number;
  /** When the fetch was requested, by the clock of the process that did it. */
  readonly requestedAt: (buildId: string, fetchId: string) => number;
  /** How far any clock was from the world's so far, at most. */
  readonly clockErrorMs: () => number;
}

/** Whether a fetch may have the digest that it resolved to: the registry gave it, and not too long ago. */
export function judgeResolution(
  world: World,
  options: ResolutionJudgeOptions,
  fact: Extract<RecordedBuildFact, { type: "ImageVersionResolved" }>,
  build: BuildState,
): void {
  const { fetchId, via, version, evidence, observedAt } = fact.data;
  const buildId = fact.stream.slice(buildStreamPrefix.length);
  const where = `${buildId}/${fetchId}`;
  const state = build.fetches.get(fetchId);
  if (state === undefined) return;
  const { request } = state.snapshot.context;
  if (via === "pin") {
    if (version["digest"] !== request.version?.["digest"]) world.broken(`${where} is pinned to another digest`);
    return;
  }
  if (via === "step") return;
  if (observedAt === undefined || request.repository === undefined) {
    world.broken(`${where} resolves ${via}, and nobody says when that was observed`);
    return;
  }
  if (via === "stale-served") judgeStale(world, options, { where, evidence, repository: request.repository });
  const requestedAt = options.requestedAt(buildId, fetchId);
  const bound = via === "stale-served" ? (evidence?.stale?.boundMs ?? 0) : maxAge(options, { buildId, fetchId });
  const clockError = options.clockErrorMs();
  const oldest = requestedAt - bound - 2 * clockError;
  const password = sourceOf(options.orders, buildId, fetchId)?.["password"];
  const answers = options.scopes.delivered(
    keyOf(request.repository, request.tag, typeof password === "string" ? password : ""),
  );
  const given = answers.filter(({ digest }) => digest === version["digest"]);
  const says = `${where} resolves ${via} to ${version["digest"]}, observed ${observedAt}`;
  // Who joins a question in flight gets its answer, which may have come before it was stored, or a newer one: while the one
  // who asked was not told that his stands, another may have asked and been answered. So does a fetch whose stream did not
  // take it at first, where it comes back and joins the question that it asked itself.
  const { asker } = state.snapshot.context;
  const joins = via === "joined" || (asker !== null && sameAsker(asker, { buildId, fetchId }));
  const inFlight = ({ at, inFlightUntil }: Delivered) => inFlightUntil >= oldest && at >= oldest - options.claimMs;
  const joinable = joins ? answers.filter(inFlight).map(({ at }) => at) : [];
  const lately = given.filter(({ at }) => at >= Math.min(oldest, ...joinable));
  if (given.length === 0) world.broken(`${says}: no registry gave that`);
  else if (lately.length === 0) world.broken(`${says}: that is too old for one of ${formatTime(requestedAt)}`);
  else if (lately.every(({ at }) => Math.abs(at - parseTime(observedAt)) > clockError + 1)) {
    world.broken(`${says}: that was given at ${lately.map(({ at }) => formatTime(at)).join(", ")}`);
  }
}

/** What is stale says why, and within which bound; an error that it names was met. */
function judgeStale(
  world: World,
  { registries, stalenessBoundMs }: ResolutionJudgeOptions,
  stale: { readonly where: string; readonly evidence: CheckEvidence | undefined; readonly repository: string },
): void {
  const { where, evidence, repository } = stale;
  const { because = "", boundMs = Infinity, error } = evidence?.stale ?? {};
  if (!["budget", "retry-after", "failing", "revalidating"].includes(because) || boundMs > stalenessBoundMs) {
    world.broken(`${where} is served what is stale, because of ${because || "nothing"}, within ${boundMs} ms`);
  }
  if ((error !== undefined) !== (because === "failing")) world.broken(`${where} is stale, and names no error`);
  const host = repository.split("/", 1)[0] ?? "";
  if (error !== undefined && !registries.hasMet(host, error.code)) {
    world.broken(`${where} is stale because of ${error.code}, which ${host} never gave`);
  }
}

/** How old an observation may be for this fetch; milliseconds. */
export function maxAge(
  { orders, checkIntervalMs }: Pick<ResolutionJudgeOptions, "orders" | "checkIntervalMs">,
  { buildId, fetchId }: Asker,
): number {
  const order = orderOf(orders, buildId, fetchId);
  if (order === undefined) return checkIntervalMs;
  const { request } = order;
  if (request.kind === "task") return request.request.skipInterval === true ? 0 : 60_000;
  const check = request.request.checkPlan?.check;
  if (check?.skip_interval === true) return 0;
  const intervals: { readonly [interval: string]: number } = { "1s": 1000, "30s": 30_000, never: Infinity };
  return intervals[check?.interval ?? ""] ?? checkIntervalMs;
}
