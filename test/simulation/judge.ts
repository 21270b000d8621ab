import {
  type Asker,
  buildStreamPrefix,
  newerPart,
  type RecordedFact,
  registryStreamPrefix,
  scopeStreamPrefix,
} from "@fetch-image/core";
import { BuildJudge } from "./build-judge.ts";
import type { Cluster } from "./cluster.ts";
import type { StepStart } from "./host.ts";
import type { SimulatedNode } from "./node.ts";
import type { SimulationPlan } from "./plan.ts";
import type { Answer, Question, RegistryWitness } from "./registry.ts";
import { RegistryJudge } from "./registry-judge.ts";
import { judgeResolution, maxAge } from "./resolution-judge.ts";
import { ScopeJudge } from "./scope-judge.ts";
import type { Acknowledged, StoreWitness } from "./store.ts";
import type { FetchOrder } from "./workload.ts";
import type { World } from "./world.ts";

/** Sees whatever is written, asked and begun, and holds it against the promises at once. */
export class Judge implements StoreWitness, RegistryWitness {
  readonly builds: BuildJudge;
  readonly scopes: ScopeJudge;
  readonly registries: RegistryJudge;
  readonly #world: World;
  readonly #streams = new Map<string, RecordedFact[]>();
  /** The last revision of each stream that each process knows of. */
  readonly #known = new Map<SimulatedNode, Map<string, bigint>>();
  /** Streams with a fact of a newer version. */
  readonly #newer = new Set<string>();
  #cluster: Cluster | undefined;

  constructor(
    world: World,
    { settings, soleNode, sharesCredentialKey, happenings }: SimulationPlan,
    orders: readonly FetchOrder[],
  ) {
    this.#world = world;
    const backOff = { baseMs: settings.failureBackoffBaseMs ?? 0, capMs: settings.failureBackoffCapMs ?? 0 };
    const isByHand = (asker: Asker) =>
      orders.some((order) => order.buildId === asker.buildId && isOrderByHand(order)) || asker.buildId === "probe";
    const isAlive = (name: string) => this.#cluster?.isAlive(name) === true;
    const claims = { claimMs: settings.claimMs ?? 0, clocksJump: happenings.jump !== undefined };
    const ages = { orders, checkIntervalMs: settings.checkIntervalMs ?? 0 };
    const isNewer = this.isNewer.bind(this);
    const common = { soleNode, backOff, isByHand };
    this.scopes = new ScopeJudge(world, {
      ...common,
      sharesCredentialKey,
      ...claims,
      isAlive,
      isNewer,
      maxAge: maxAge.bind(undefined, ages),
    });
    this.registries = new RegistryJudge(world, common);
    const options = {
      orders,
      scopes: this.scopes,
      registries: this.registries,
      stalenessBoundMs: settings.stalenessBoundMs ?? 0,
      checkIntervalMs: settings.checkIntervalMs ?? 0,
      claimMs: settings.claimMs ?? 0,
      clockErrorMs: () => this.#cluster?.clockErrorMs ?? 0,
      requestedAt: (buildId: string, fetchId: string) => this.builds.requestedAt(buildId, fetchId),
    };
    this.builds = new BuildJudge(world, (resolved, build) => judgeResolution(world, options, resolved, build));
  }

  /** Whose clocks and deaths count. */
  watch(cluster: Cluster): void {
    this.#cluster = cluster;
  }

  /** Whether a newer version has written to the stream: it is read, and not written any more. */
  isNewer(stream: string): boolean {
    return this.#newer.has(stream);
  }

  stored(facts: readonly RecordedFact[], by: SimulatedNode): void {
    for (const fact of facts) {
      const { stream, revision, type, data } = fact;
      this.#world.tell(by.name, `stores ${stream}@${revision} ${type} ${JSON.stringify(data)}`);
      const stored = this.#streams.get(stream) ?? [];
      this.#streams.set(stream, stored);
      if (revision !== BigInt(stored.length)) this.#world.broken(`${stream} has a gap before ${revision}`);
      stored.push(fact);
      if (newerPart(fact) !== undefined) this.#newer.add(stream);
      else if (this.isNewer(stream)) {
        this.#world.broken(`${by.name} writes ${type} at ${stream}@${revision}, behind what a newer version wrote`);
      }
    }
    if (facts.some((fact) => newerPart(fact) !== undefined)) return;
    const stream = facts[0]?.stream ?? "";
    if (stream.startsWith(buildStreamPrefix)) this.builds.stored(facts);
    else if (stream.startsWith(registryStreamPrefix)) this.registries.stored(facts, by);
    else this.scopes.stored(facts, by);
  }

  /** What was acknowledged stands there, all of it, as it was handed over. */
  acknowledged(append: Acknowledged): void {
    const { stream, facts, revision, by } = append;
    this.read(stream, revision, by);
    const first = Number(revision) - facts.length + 1;
    facts.forEach((fact, index) => {
      const stored = this.#streams.get(stream)?.[first + index];
      if (stored?.id !== fact.id || JSON.stringify(stored.data) !== JSON.stringify(fact.data)) {
        const what = `${fact.type} ${JSON.stringify(fact.data)}`;
        this.#world.broken(`${by.name} was told that ${what} stands at ${stream}@${first + index}, and it does not`);
      }
    });
    if (stream.startsWith(scopeStreamPrefix)) this.scopes.acknowledged(append);
  }

  read(stream: string, revision: bigint, by: SimulatedNode): void {
    const known = this.#known.get(by) ?? new Map<string, bigint>();
    this.#known.set(by, known);
    if (revision > (known.get(stream) ?? -1n)) known.set(stream, revision);
  }

  asked(question: Question): void {
    const asker = this.scopes.asked(question);
    const known = this.#known.get(question.by);
    this.registries.asked(question, asker, (stream) => known?.get(stream) ?? -1n);
  }

  answered(question: Question, answer: Answer): void {
    this.scopes.answered(question, answer);
    this.registries.answered(question, answer);
  }

  stepBegun(start: StepStart): void {
    const known = this.#known.get(start.by)?.get(`${buildStreamPrefix}${start.buildId}`) ?? -1n;
    this.builds.stepBegun(start, known);
  }
}

function isOrderByHand({ request }: FetchOrder): boolean {
  if (request.kind === "task") return request.request.skipInterval === true;
  return request.request.checkPlan?.check.skip_interval === true;
}
