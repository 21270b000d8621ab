import { Cluster } from "./cluster.ts";
import { noHostFaults, SimulatedHost } from "./host.ts";
import { judgeTheEnd } from "./judge-the-end.ts";
import { Judge } from "./judge.ts";
import { type Happening, planOf, type SimulationPlan } from "./plan.ts";
import { noRegistryFaults, SimulatedRegistry } from "./registry.ts";
import { Scheduler } from "./scheduler.ts";
import { noStoreFaults, SimulatedStore } from "./store.ts";
import { ordersOf, repositories, tags } from "./workload.ts";
import { createWorld, type World } from "./world.ts";

export interface SimulationResult {
  readonly seed: number;
  /** What did not hold; empty where everything did. */
  readonly problems: readonly string[];
  readonly faults: number;
  readonly events: number;
  /** Of the whole trace: the same seed gives the same one. */
  readonly hash: string;
  readonly trace: readonly string[];
}

export interface SimulationOptions {
  /** Keeps the trace's lines, and not only their hash. */
  readonly keepTrace?: boolean;
  /** Breaks what the engines rest on, so that a test can tell whether that is noticed. */
  readonly spoil?: (parts: { readonly store: SimulatedStore; readonly registry: SimulatedRegistry }) => void;
}

/** How long everything may take to end once nothing goes wrong any more, clocks apart; milliseconds. */
const longestEndMs = 600_000;

/**
 * Lets processes, a store, registries and clocks fail as the seed has it while builds ask for images; then heals it all.
 * Every append, question and step is held against the promises as it happens, and everything once it has ended.
 */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  const { keepTrace = false, spoil = () => {} } = options;
  const world = createWorld({ seed, keepTrace });
  await runSimulation(world, { seed, spoil });
  const { problems, faults, events, trace } = world;
  return { seed, problems, faults, events, hash: world.hash(), trace };
}

async function runSimulation(
  world: World,
  { seed, spoil }: { readonly seed: number; readonly spoil: NonNullable<SimulationOptions["spoil"]> },
): Promise<void> {
  const plan = planOf(seed, world.random);
  world.tell("plan", JSON.stringify(plan));
  const orders = ordersOf(world.random, plan.faultyMs);
  const judge = new Judge(world, plan, orders);
  const store = new SimulatedStore(world, judge);
  const registry = new SimulatedRegistry(world, judge, 2 * (plan.settings.claimMs ?? 0));
  const host = new SimulatedHost(world, (start) => judge.stepBegun(start));
  spoil({ store, registry });
  for (const repository of repositories) for (const tag of tags) registry.push(repository, tag);
  const cluster = new Cluster(world, { plan, store, registry, host });
  judge.watch(cluster);
  const scheduler = new Scheduler(world, cluster, judge);

  store.faults = plan.store;
  registry.faults = plan.registry;
  host.faults = plan.host;
  const parts = { plan, cluster, scheduler, store, registry };
  const untilMs = world.now() + plan.faultyMs;
  for (const [happening, meanMs] of Object.entries(plan.happenings)) {
    repeat(world, { meanMs, untilMs }, () => happen(world, happening as Happening, parts));
  }
  for (const order of orders) {
    world.tell("order", JSON.stringify(order));
    scheduler.order(order);
  }
  await world.run(plan.faultyMs, () => false);
  if (world.problems.length > 0) return;

  world.tell("world", "is healed");
  store.faults = noStoreFaults;
  store.comeBack();
  registry.faults = noRegistryFaults;
  host.faults = noHostFaults;
  for (const repository of repositories) for (const tag of tags) registry.push(repository, tag);
  const boundMs = longestEndMs + 2 * cluster.clockErrorMs;
  const isDone = await world.run(boundMs, () => scheduler.isDone);
  if (world.problems.length > 0) return;
  if (!isDone) {
    world.broken(`not every fetch has ended ${boundMs} ms after all was well again`);
  } else await judgeTheEnd(world, { ...parts, judge });
}

function repeat(
  world: World,
  { meanMs, untilMs }: { readonly meanMs: number; readonly untilMs: number },
  happens: () => void,
): void {
  world.after(world.random.between(1, 2 * meanMs), () => {
    if (world.now() >= untilMs) return;
    happens();
    repeat(world, { meanMs, untilMs }, happens);
  });
}

interface Parts {
  readonly plan: SimulationPlan;
  readonly cluster: Cluster;
  readonly scheduler: Scheduler;
  readonly store: SimulatedStore;
  readonly registry: SimulatedRegistry;
}

function happen(world: World, happening: Happening, { plan, cluster, scheduler, store, registry }: Parts): void {
  const { random } = world;
  const [member] = cluster.alive.length === 0 ? [] : [random.pick(cluster.alive)];
  switch (happening) {
    case "kill":
      if (member !== undefined) cluster.kill(member, random.between(1, 5000));
      return;
    case "close":
      if (member !== undefined) cluster.close(member, random.between(1, 5000));
      return;
    case "stand-still": {
      const ms = random.between(100, 30_000);
      world.fault(member?.node.name ?? "nobody", `stands still for ${ms}`);
      member?.node.standStill(ms);
      return;
    }
    case "jump":
      if (member !== undefined) cluster.jump(member, random.pick([-3_600_000, -10_000, -500, 500, 10_000, 3_600_000]));
      return;
    case "move-build":
      scheduler.moveABuild();
      return;
    case "store-away": {
      const ms = random.between(100, 30_000);
      world.fault("store", `is away for ${ms}`);
      store.goAway(ms);
      return;
    }
    case "push":
      registry.push(random.pick(repositories), random.pick(tags));
      return;
    case "remove":
      registry.remove(random.pick(repositories), random.pick(tags));
      return;
    case "upgrade":
      store.upgrade();
      return;
    case "registry-away": {
      const ms = random.between(1000, 20_000);
      world.fault("registry", `is away for ${ms}`);
      registry.faults = { ...plan.registry, unavailable: 1000 };
      world.after(ms, () => {
        if (registry.faults !== noRegistryFaults) registry.faults = plan.registry;
      });
    }
  }
}
