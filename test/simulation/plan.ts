import type { EngineSettings } from "@fetch-image/engine";
import type { HostFaults } from "./host.ts";
import type { RegistryFaults } from "./registry.ts";
import type { StoreFaults } from "./store.ts";
import type { Chance } from "./world.ts";

/** What a seed decides before anything happens. Each simulation has few kinds of faults, so that some run deep. */
export interface SimulationPlan {
  /** One process, that may restart, which knows that it is alone. */
  readonly soleNode: boolean;
  readonly nodes: number;
  /** Whether they have one key to tell secrets apart with, rather than each its own. */
  readonly sharesCredentialKey: boolean;
  readonly settings: Partial<EngineSettings>;
  readonly policy: boolean;
  readonly readModel: boolean;
  /** How far the processes' clocks differ at most from the world's, in milliseconds. */
  readonly skewMs: number;
  readonly store: StoreFaults;
  readonly registry: RegistryFaults;
  readonly host: HostFaults;
  /** Milliseconds until everything heals. */
  readonly faultyMs: number;
  /** What happens now and then, with the mean time between two of each in milliseconds. */
  readonly happenings: Readonly<Partial<Record<Happening, number>>>;
}

export type Happening =
  | "kill"
  | "close"
  | "stand-still"
  | "move-build"
  | "jump"
  | "store-away"
  | "push"
  | "remove"
  | "registry-away"
  | "upgrade";

/** The cluster is being upgraded in every eighth of them. Nothing else hangs on that: the others are as they would be without. */
export function planOf(seed: number, random: Chance): SimulationPlan {
  const plan = planWithoutUpgrade(random);
  if (seed % 8 !== upgraded) return plan;
  return { ...plan, happenings: { ...plan.happenings, upgrade: random.between(3000, 30_000) } };
}

const upgraded = 3;

function planWithoutUpgrade(random: Chance): SimulationPlan {
  const soleNode = random.rarely(200);
  const some = (perThousand: number) => (random.rarely(350) ? random.between(1, perThousand) : 0);
  const often = (ms: number) => random.between(Math.ceil(ms / 3), ms * 2);
  const now = (chance: number, happening: Happening, meanMs: number) =>
    random.rarely(chance) ? { [happening]: often(meanMs) } : {};
  return {
    soleNode,
    nodes: soleNode ? 1 : random.between(1, 4),
    sharesCredentialKey: !random.rarely(250),
    settings: {
      claimMs: random.pick([3000, 10_000]),
      checkIntervalMs: random.pick([0, 5000, 20_000]),
      attempts: random.between(1, 5),
      backoffBaseMs: random.pick([100, 500]),
      backoffCapMs: 5000,
      retryAfterPatienceMs: random.pick([2000, 20_000]),
      storePatienceMs: random.pick([500, 5000, 20_000]),
      staleWhileRevalidateMs: random.pick([0, 0, 15_000]),
      stalenessBoundMs: random.pick([0, 20_000, 3_600_000]),
      failureBackoffBaseMs: random.pick([100, 1000]),
      failureBackoffCapMs: random.pick([2000, 20_000]),
      refusalMemoryMs: random.pick([0, 3000]),
    },
    policy: random.rarely(250),
    readModel: random.rarely(500),
    skewMs: random.pick([0, 0, 50, 2000]),
    store: {
      slow: some(200),
      refused: some(150),
      answerLost: some(200),
      requestLost: some(100),
      late: some(100),
      doubled: some(300),
      full: some(30),
    },
    registry: {
      slow: some(500),
      unavailable: some(400),
      timeout: some(200),
      rateLimited: some(300),
      refused: some(60),
    },
    host: {
      slowStep: some(500),
      failedStep: some(100),
      unavailableStep: some(300),
      denied: some(200),
      policyAway: some(60),
    },
    faultyMs: random.between(5000, 60_000),
    happenings: {
      ...now(500, "kill", 8000),
      ...now(150, "close", 20_000),
      ...(soleNode ? {} : now(300, "stand-still", 15_000)),
      ...(soleNode ? {} : now(400, "move-build", 6000)),
      ...now(250, "jump", 20_000),
      ...now(250, "store-away", 25_000),
      ...now(700, "push", 4000),
      ...now(250, "remove", 30_000),
      ...now(150, "registry-away", 30_000),
    },
  };
}
