import type { Clock } from "@fetch-image/core";
import type { World } from "./world.ts";

/**
 * A process of the cluster, as far as it can stand still, die, and be wrong about the time. Whatever reaches it comes
 * by `arrival`: late where the process stands still, and never once it is dead.
 */
export class SimulatedNode {
  readonly name: string;
  readonly clock: Clock;
  readonly #world: World;
  readonly #onDeath = new Set<() => void>();
  #alive = true;
  #hasClosed = false;
  #standsStill = false;
  #backlog: (() => void)[] = [];
  #offset: number;
  #lookedAt = -Infinity;
  #looks = 0;

  constructor(world: World, name: string, offset: number) {
    this.#world = world;
    this.name = name;
    this.#offset = offset;
    this.clock = {
      now: () => {
        this.#looked();
        return Math.floor(world.now() + this.#offset);
      },
      after: (ms, callback) => this.#after(ms, callback),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Its engine was closed, and said so: it asks nobody for anything any more. */
  closed(): void {
    this.#hasClosed = true;
  }

  /** For whoever it asks for something. */
  asks(whom: string): void {
    if (this.#hasClosed) this.#world.broken(`${this.name} asks ${whom} for something after its engine was closed`);
  }

  /** How far its clock is ahead of the world's; milliseconds. */
  get offset(): number {
    return this.#offset;
  }

  /** Resolves in the process, `ms` from now. */
  arrival(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#after(ms, resolve);
    });
  }

  /** Resolves once the process is dead; anybody may wait for that. */
  death(): Promise<void> {
    if (!this.#alive) return Promise.resolve();
    return new Promise((resolve) => this.#onDeath.add(resolve));
  }

  /** It runs no further instruction: nothing is let go of, and nothing is said. */
  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#backlog = [];
    for (const resolve of this.#onDeath) resolve();
  }

  /** Stands still for `ms`, then finds all at once what came meanwhile. */
  standStill(ms: number): void {
    if (this.#standsStill) return;
    this.#standsStill = true;
    this.#world.after(ms, () => {
      this.#standsStill = false;
      const backlog = this.#backlog;
      this.#backlog = [];
      for (const callback of backlog) this.#after(0, callback);
    });
  }

  jump(ms: number): void {
    this.#offset += ms;
  }

  /** Whatever it does, it looks at its clock: time and again at one moment, where it goes round in circles. */
  #looked(): void {
    this.#world.touch();
    const now = this.#world.now();
    if (now !== this.#lookedAt) {
      this.#lookedAt = now;
      this.#looks = 0;
    }
    if (++this.#looks === mostLooks) this.#world.broken(`${this.name} goes round in circles`);
  }

  #after(ms: number, callback: () => void): () => void {
    let cancelled = false;
    const run = (): void => {
      if (cancelled || !this.#alive) return;
      if (this.#standsStill) this.#backlog.push(run);
      else callback();
    };
    const cancel = this.#world.after(ms, run);
    return () => {
      cancelled = true;
      cancel();
    };
  }
}

/** At one moment; what there is to do takes a hundred. */
const mostLooks = 2000;
