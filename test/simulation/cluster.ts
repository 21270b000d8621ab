import { createFetchImageEngine, type FetchImageEngine } from "@fetch-image/engine";
import { credentialKeyOf } from "./credentials.ts";
import type { SimulatedHost } from "./host.ts";
import { SimulatedNode } from "./node.ts";
import type { SimulationPlan } from "./plan.ts";
import type { SimulatedRegistry } from "./registry.ts";
import type { SimulatedStore } from "./store.ts";
import type { World } from "./world.ts";

export interface Member {
  readonly node: SimulatedNode;
  readonly engine: FetchImageEngine;
}

export interface ClusterParts {
  readonly plan: SimulationPlan;
  readonly store: SimulatedStore;
  readonly registry: SimulatedRegistry;
  readonly host: SimulatedHost;
}

/** The processes that run engines. One that died is replaced by another under a new name. */
export class Cluster {
  readonly #world: World;
  readonly #parts: ClusterParts;
  readonly #members: Member[] = [];
  /** Whose engine has closed. */
  readonly #closed = new Set<Member>();
  #started = 0;
  #clockErrorMs = 0;

  constructor(world: World, parts: ClusterParts) {
    this.#world = world;
    this.#parts = parts;
    for (let count = 0; count < parts.plan.nodes; count++) this.start();
  }

  /** How far any clock was from the world's so far, at most; milliseconds. */
  get clockErrorMs(): number {
    return this.#clockErrorMs;
  }

  get alive(): readonly Member[] {
    return this.#members.filter((member) => this.isRunning(member));
  }

  isRunning(member: Member): boolean {
    return member.node.alive && !this.#closed.has(member);
  }

  isAlive(name: string): boolean {
    return this.alive.some(({ node }) => node.name === name);
  }

  start(): Member {
    const { plan, store, registry, host } = this.#parts;
    const { random } = this.#world;
    const node = new SimulatedNode(this.#world, `node-${++this.#started}`, random.between(-plan.skewMs, plan.skewMs));
    const { eventLog, readModel } = store.connect(node);
    const engine = createFetchImageEngine({
      eventLog,
      ...(plan.readModel ? { readModel } : {}),
      registry: registry.connect(node),
      stepRunner: host.stepRunner(node),
      ...(plan.policy ? { policy: host.policy(node) } : {}),
      nativeImageFetch: true,
      soleNode: plan.soleNode,
      settings: plan.settings,
      clock: node.clock,
      node: node.name,
      credentialKey: credentialKeyOf(node.name, plan.sharesCredentialKey),
    });
    const member = { node, engine };
    this.#members.push(member);
    this.#rememberClock(node);
    this.#world.tell(node.name, "starts");
    return member;
  }

  /** Kills the process; another takes its place after a while. */
  kill({ node }: Member, replacedAfterMs: number): void {
    this.#world.fault(node.name, "is killed");
    node.kill();
    this.#world.after(replacedAfterMs, () => {
      this.start();
    });
  }

  /** Asks the process to end, and ends it where it does not; a host goes on for a while without its engine. */
  close(member: Member, replacedAfterMs: number): void {
    const { node, engine } = member;
    this.#world.tell(node.name, "is asked to end");
    const closed = (): void => {
      if (!node.alive) return;
      this.#world.tell(node.name, "has ended");
      node.closed();
      this.#closed.add(member);
      this.#world.after(replacedAfterMs, () => {
        this.start();
      });
      this.#world.after(60_000, () => {
        node.kill();
      });
    };
    engine.close().then(closed, closed);
    this.#world.after(5000, () => {
      if (this.isRunning(member)) this.kill(member, replacedAfterMs);
    });
  }

  jump({ node }: Member, ms: number): void {
    this.#world.fault(node.name, `clock jumps by ${ms}`);
    node.jump(ms);
    this.#rememberClock(node);
  }

  #rememberClock(node: SimulatedNode): void {
    this.#clockErrorMs = Math.max(this.#clockErrorMs, Math.abs(node.offset));
  }
}
