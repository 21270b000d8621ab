// Many processes on one store, all of them wanting one image that nobody knows yet: one question, asked once; and by
// one more where the process that asks is killed meanwhile.
import { setTimeout as sleep } from "node:timers/promises";
import {
  decodeFact,
  type EventLog,
  type RecordedBuildFact,
  type RecordedFact,
  type RecordedScopeFact,
} from "@fetch-image/core";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import type { Bundle } from "../support/bundle.ts";
import { typePlans } from "../support/engine.ts";
import { judgeRuns } from "./judge-runs.ts";
import type { Report, RunOrder } from "./protocol.ts";
import type { RunRecord } from "./run.ts";
import type { StoreMaker } from "./store-makers.ts";
import { openStore } from "./stores.ts";
import { Crew } from "./crew.ts";

export interface ClusterOptions {
  /** Of a store that several processes can write. */
  readonly maker: StoreMaker;
  readonly program: Bundle;
  readonly processes: number;
  /** In all; each of a build of its own. */
  readonly fetches: number;
  /**
   * Whether the process that asks is killed before it is answered, and who goes on with its builds: `adopted`, another
   * process at once; `waited-out`, nobody before all others have their answer, which one of them asks for once the claim
   * of the dead has run out.
   */
  readonly death: "none" | "adopted" | "waited-out";
  /** How long a claim holds. */
  readonly claimMs: number;
}

export interface ClusterResult {
  readonly manifestRequests: number;
  /** Fetches by how they got their answer, as their facts say: `HEAD` asked, `joined` waited, `fresh` came when it was there. */
  readonly via: { readonly [via: string]: number };
  /** Reads of the scope's stream, by all processes that lived. */
  readonly scopeReads: number;
  /** From the kill to the next question. */
  readonly takeOverMs: number | undefined;
  readonly milliseconds: number;
  readonly problems: readonly string[];
}

const repository = "acme/wanted-by-all";
const manifests = /^\/v2\/acme\/wanted-by-all\/manifests\//;

export async function fetchInCluster(options: ClusterOptions): Promise<ClusterResult> {
  const { maker, program, processes, fetches, death, claimMs } = options;
  await using registry = await startEmbeddedRegistry();
  await using made = await maker.make();
  const { address } = made;
  await using store = await openStore(address);
  const { digest } = await registry.push(`${repository}:v1`);
  await using crew = await Crew.of(processes, program, { store: address, registryHost: registry.host, claimMs });

  // The answer comes when all have asked for it, or never.
  if (death === "none") registry.delay("*", manifests, 500);
  else registry.hang("*", manifests);
  const orders = Array.from({ length: fetches }, (_, n) => order(n, registry.host));
  const started = performance.now();
  orders.forEach((run, n) => crew.give(run, n % processes));

  let takeOverMs: number | undefined;
  if (death !== "none") {
    const leader = await everyoneWaitsFor(store.eventLog, fetches);
    const orphans = await crew.kill(crew.ownerOf(leader));
    registry.clearFaults();
    registry.delay("*", manifests, 200);
    const killed = performance.now();
    if (death === "waited-out") await crew.allDone();
    for (const [n, run] of orphans.entries()) crew.give(run, n % crew.size);
    await until(() => questions(registry) > 1);
    takeOverMs = performance.now() - killed;
  }
  await crew.allDone();
  const milliseconds = performance.now() - started;
  const scopeReads = await crew.countScopeReads();
  await crew.end();

  const kills = death === "none" ? 0 : 1;
  const records = orders.map((run, n) => recordOf(run, { said: crew.said, kills, isFirst: n === 0 }));
  const problems = await judgeRuns(store, records, {
    manifestRequests: () => questions(registry),
    digestOf: () => digest,
  });
  const images = crew.said.flat().flatMap((report) => (report.say === "image" ? [report.buildId] : []));
  const lost = orders.filter(({ buildId }) => !images.includes(buildId));
  return {
    manifestRequests: questions(registry),
    via: countVia(await everything(store.eventLog)),
    scopeReads,
    takeOverMs,
    milliseconds,
    problems: [
      ...problems.map(({ problem }) => problem),
      ...lost.map(({ buildId }) => `nobody was told what ${buildId} wanted`),
    ],
  };
}

function order(n: number, registryHost: string): RunOrder {
  const login = { username: "ci", password: "of all nodes" };
  const source = { repository: `${registryHost}/${repository}`, tag: "v1", ...login };
  const request = { ...typePlans("step", source), privileged: false };
  return { buildId: `wants-${n}`, fetches: [{ kind: "type", fetchId: "step/image-get", request }] };
}

function questions({ requests }: EmbeddedRegistry): number {
  return requests.filter(({ path }) => manifests.test(path)).length;
}

/** Resolves once all fetches but one have joined that one's question, with its build. */
async function everyoneWaitsFor(eventLog: EventLog, fetches: number): Promise<string> {
  const askers: string[] = [];
  const joined = new Set<string>();
  let after: string | undefined;
  await until(
    async () => {
      const { facts, next } = await eventLog.readAll({ ...(after === undefined ? {} : { after }), limit: 1_000_000 });
      after = next ?? after;
      for (const fact of facts.flatMap(known)) {
        if (fact.type === "CheckClaimed") askers.push(fact.data.asker.buildId);
        if (fact.type === "CheckJoined") joined.add(fact.metadata.$correlationId);
      }
      return joined.size >= fetches - 1;
    },
    () => `${joined.size} of ${fetches - 1} have joined; claimed by ${askers.join(", ") || "nobody"}`,
  );
  return askers.at(-1) ?? "";
}

async function everything(eventLog: EventLog): Promise<readonly (RecordedBuildFact | RecordedScopeFact)[]> {
  const { facts } = await eventLog.readAll({ limit: 1_000_000 });
  return facts.flatMap(known);
}

function known(fact: RecordedFact): readonly (RecordedBuildFact | RecordedScopeFact)[] {
  const decoded = decodeFact(fact);
  return decoded.known ? [decoded.fact] : [];
}

function countVia(facts: readonly (RecordedBuildFact | RecordedScopeFact)[]): { readonly [via: string]: number } {
  const counts: { [via: string]: number } = {};
  for (const fact of facts) {
    if (fact.type === "ImageVersionResolved") counts[fact.data.via] = (counts[fact.data.via] ?? 0) + 1;
  }
  return counts;
}

/** What was said of one build; what was said of the scope stands in the first record. */
function recordOf(
  run: RunOrder,
  { said, kills, isFirst }: { said: readonly (readonly Report[])[]; kills: number; isFirst: boolean },
): RunRecord {
  const isOf = (report: Report): boolean => {
    if (report.say === "acknowledged")
      return report.stream === `build-${run.buildId}` || (isFirst && !report.stream.startsWith("build-"));
    return "buildId" in report && report.buildId === run.buildId;
  };
  const lives = said.map((reports) => reports.filter(isOf));
  return { seed: -1, plan: { run, repository, deaths: [] }, lives, kills, failure: undefined };
}

async function until(done: () => boolean | Promise<boolean>, soFar = (): string => ""): Promise<void> {
  for (const deadline = Date.now() + 100_000; !(await done()); await sleep(50)) {
    if (Date.now() <= deadline) continue;
    throw new Error(`it never came to it: on a slow machine, claims have to hold longer. ${soFar()}`);
  }
}
