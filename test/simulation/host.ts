import {
  FetchImageError,
  type GetPlan,
  type Plan,
  type Policy,
  type StepContext,
  type StepRunner,
} from "@fetch-image/core";
import type { SimulatedNode } from "./node.ts";
import { inTime } from "./registry.ts";
import type { World } from "./world.ts";

/** How often the scheduler's own parts go wrong, of a thousand calls each. */
export interface HostFaults {
  readonly slowStep: number;
  /** A step that fails for good. */
  readonly failedStep: number;
  /** A step whose failure may pass. */
  readonly unavailableStep: number;
  readonly denied: number;
  readonly policyAway: number;
}

export const noHostFaults: HostFaults = { slowStep: 0, failedStep: 0, unavailableStep: 0, denied: 0, policyAway: 0 };

export interface StepStart {
  readonly by: SimulatedNode;
  readonly kind: "check" | "get";
  readonly buildId: string;
  readonly effectKey: string;
}

/** The scheduler's own parts: how it runs steps, and its policy. */
export class SimulatedHost {
  faults: HostFaults = noHostFaults;
  readonly #world: World;
  readonly #onStep: (start: StepStart) => void;

  constructor(world: World, onStep: (start: StepStart) => void) {
    this.#world = world;
    this.#onStep = onStep;
  }

  stepRunner(by: SimulatedNode): StepRunner {
    return {
      check: async (plan, context) => {
        await this.#step({ by, kind: "check", plan, context });
        return [{ ref: "0" }, { ref: String(Math.floor(this.#world.now() / 60_000)) }];
      },
      get: async (plan: GetPlan, context) => {
        await this.#step({ by, kind: "get", plan, context });
        return { handle: `volume-of-${plan.id}` };
      },
    };
  }

  policy(by: SimulatedNode): Policy {
    const { random } = this.#world;
    return {
      decide: async ({ name, phase }, { signal }) => {
        this.#world.touch();
        await inTime(by.arrival(random.between(0, 30)), by, signal);
        this.#world.touch();
        if (random.rarely(this.faults.policyAway)) {
          this.#world.fault(by.name, "the policy is away");
          throw new Error("the policy is away");
        }
        if (!random.rarely(this.faults.denied)) return { decision: "allowed" };
        const enforcement = random.pick(["hard", "soft"] as const);
        this.#world.tell("policy", `denies ${name} (${phase}, ${enforcement})`);
        return { decision: "denied", enforcement, reasons: ["not on the list"] };
      },
    };
  }

  async #step(step: {
    readonly by: SimulatedNode;
    readonly kind: "check" | "get";
    readonly plan: Plan;
    readonly context: StepContext;
  }): Promise<void> {
    const { by, kind, plan, context } = step;
    const { buildId, effectKey, signal, output } = context;
    const { random } = this.#world;
    this.#world.touch();
    this.#world.tell(by.name, `runs ${kind} ${plan.id} (${effectKey})`);
    this.#onStep({ by, kind, buildId, effectKey });
    const slow = random.rarely(this.faults.slowStep);
    void output(`${kind} of ${plan.id}\n`, "stderr");
    await inTime(by.arrival(random.between(1, slow ? 20_000 : 300)), by, signal);
    this.#world.touch();
    void output("half a line", "stdout");
    if (random.rarely(this.faults.failedStep)) {
      this.#world.fault(by.name, `${kind} failed`);
      throw new Error("exit status 1");
    }
    if (random.rarely(this.faults.unavailableStep)) {
      this.#world.fault(by.name, `${kind} failed for now`);
      throw new FetchImageError("FI_REGISTRY_UNAVAILABLE");
    }
  }
}
