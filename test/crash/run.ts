import type { CrashPlan } from "./plan.ts";
import type { Report } from "./protocol.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** What a run said and did. */
export interface RunRecord {
  readonly seed: number;
  readonly plan: CrashPlan;
  /** By process, in the order in which it said them. */
  readonly lives: readonly (readonly Report[])[];
  readonly kills: number;
  /** What went wrong with a process itself. */
  readonly failure: string | undefined;
}

/** Gives processes that have opened the store. */
export interface Workers {
  /** The one that is alive, or a new one. */
  current(): Promise<WorkerProcess>;
  /** The process is dead. */
  bury(worker: WorkerProcess): void;
}

/** What no run comes near on any machine. */
const longestLifeMs = 120_000;

/** Has one build fetched by one process after the other, each killed as the plan has it, until one of them lives. */
export async function crashRun(seed: number, plan: CrashPlan, workers: Workers): Promise<RunRecord> {
  const lives: Report[][] = [];
  let kills = 0;
  for (;;) {
    const death = plan.deaths[kills] ?? null;
    const worker = await workers.current();
    const said: Report[] = [];
    lives.push(said);
    worker.tell({ do: "run", run: plan.run, kill: death !== null && "moment" in death ? death : null });
    const timer =
      death !== null && "afterMs" in death ? setTimeout(() => void worker.kill(), death.afterMs) : undefined;
    const end = await listen(worker, said);
    clearTimeout(timer);
    // It may have come so far before it died: then it dies at rest.
    if (end === "done" && death !== null) await worker.kill();
    if (end === "done" && death === null) return { seed, plan, lives, kills, failure: undefined };
    workers.bury(worker);
    if (end !== "done" && end !== "dead") return { seed, plan, lives, kills, failure: end };
    const how = await worker.ended;
    if (how !== "SIGKILL") return { seed, plan, lives, kills, failure: `a process ended by itself, with ${how}` };
    kills++;
  }
}

/** Until the process is done, is dead, or says what went wrong. */
async function listen(worker: WorkerProcess, said: Report[]): Promise<string> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void worker.kill();
  }, longestLifeMs);
  try {
    for (;;) {
      const report = await worker.next();
      if (report === undefined) return isLate ? `nothing came of it in ${longestLifeMs} ms` : "dead";
      said.push(report);
      if (report.say === "done") return "done";
      if (report.say === "failed") {
        await worker.kill();
        return report.what;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
