import type { Bundle } from "../support/bundle.ts";
import type { Command, Report, RunOrder } from "./protocol.ts";
import { startWorker, type WorkerProcess } from "./worker-process.ts";

interface Member {
  readonly worker: WorkerProcess;
  readonly said: Report[];
  /** What it was told to do and has not done, by build. */
  readonly orders: Map<string, RunOrder>;
}

/** Processes that work beside each other on one store, each with many builds. */
export class Crew implements AsyncDisposable {
  readonly #alive: Member[];
  readonly #all: readonly Member[];
  #heard: () => void = () => {};
  #failure: Error | undefined;

  private constructor(members: readonly Member[]) {
    this.#all = members;
    this.#alive = [...members];
  }

  static async of(size: number, program: Bundle, open: Omit<Extract<Command, { do: "open" }>, "do">): Promise<Crew> {
    const workers = Array.from({ length: size }, () => startWorker(program));
    const crew = new Crew(workers.map((worker) => ({ worker, said: [], orders: new Map() })));
    for (const { worker } of crew.#all) worker.tell({ do: "open", ...open });
    for (const member of crew.#all) void crew.#listen(member);
    await crew.#until(() => crew.#all.every(({ said }) => said.some(({ say }) => say === "opened")));
    return crew;
  }

  /** How many are alive. */
  get size(): number {
    return this.#alive.length;
  }

  /** By process, in the order in which they said it. */
  get said(): readonly (readonly Report[])[] {
    return this.#all.map(({ said }) => said);
  }

  give(run: RunOrder, to: number): void {
    const member = this.#member(to);
    member.orders.set(run.buildId, run);
    member.worker.tell({ do: "run", run, kill: null });
  }

  ownerOf(buildId: string): number {
    return this.#alive.findIndex(({ orders }) => orders.has(buildId));
  }

  /** Kills it, and gives what it had not done. */
  async kill(index: number): Promise<readonly RunOrder[]> {
    const member = this.#member(index);
    this.#alive.splice(index, 1);
    await member.worker.kill();
    return [...member.orders.values()];
  }

  allDone(): Promise<void> {
    return this.#until(() => this.#alive.every(({ orders }) => orders.size === 0));
  }

  async countScopeReads(): Promise<number> {
    for (const { worker } of this.#alive) worker.tell({ do: "count" });
    const counts = (): number[] =>
      this.#alive.flatMap(({ said }) =>
        said.flatMap((report) => (report.say === "counted" ? [report.scopeReads] : [])),
      );
    await this.#until(() => counts().length === this.#alive.length);
    return counts().reduce((sum, count) => sum + count, 0);
  }

  async end(): Promise<void> {
    await Promise.all(this.#alive.splice(0).map(({ worker }) => worker.end()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#alive.splice(0).map(({ worker }) => worker.kill()));
  }

  async #listen(member: Member): Promise<void> {
    for (;;) {
      const report = await member.worker.next();
      if (report === undefined) break;
      member.said.push(report);
      if (report.say === "done") member.orders.delete(report.buildId);
      if (report.say === "failed") this.#failure ??= new Error(report.what);
      this.#heard();
    }
    if (this.#alive.includes(member) && member.orders.size > 0) {
      this.#failure ??= new Error(`a process ended by itself, with ${await member.worker.ended}`);
    }
    this.#heard();
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  #member(index: number): Member {
    const member = this.#alive[index];
    if (member === undefined) throw new Error(`there is no process ${index}`);
    return member;
  }
}
