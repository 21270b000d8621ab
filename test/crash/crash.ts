import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import type { Bundle } from "../support/bundle.ts";
import { judgeRuns, type Witness } from "./judge-runs.ts";
import { leaveRecord } from "./leave-record.ts";
import { planOf } from "./plan.ts";
import { crashRun, type RunRecord, type Workers } from "./run.ts";
import { type StoreMaker, storeMakers } from "./store-makers.ts";
import { openStore, type StoreAddress, type StoreKind } from "./stores.ts";
import { bundleWorker, startWorker, type WorkerProcess } from "./worker-process.ts";

export interface CrashOptions {
  readonly store: StoreKind;
  readonly runs: number;
  /** Of the first run; the others have the ones that follow. */
  readonly seed: number;
  /** How many stores are worked on at the same time. Default: one. */
  readonly lanes?: number;
  /** Reads the packages' sources, instead of what is built of them. */
  readonly sources: boolean;
  readonly onProgress?: (runs: number, kills: number) => void;
}

export interface CrashResult {
  readonly runs: number;
  readonly kills: number;
  /** The first that was found. */
  readonly failure: { readonly seed: number; readonly problem: string } | undefined;
}

/** So many runs share a store before it is looked through. */
const batchSize = 25;

/** Kills processes at their work, as each seed has it, has others go on, and looks through what they leave. */
export async function crash(options: CrashOptions): Promise<CrashResult> {
  const { runs, seed, lanes = 1 } = options;
  await using registry = await startEmbeddedRegistry();
  await using maker = await storeMakers[options.store]();
  using program = await bundleWorker(options);
  const totals = { runs: 0, kills: 0 };
  let failure: CrashResult["failure"];
  const seeds = Array.from({ length: runs }, (_, index) => seed + index);
  const work = async (): Promise<void> => {
    for (;;) {
      const batch = seeds.splice(0, batchSize);
      if (failure !== undefined || batch.length === 0) return;
      const found = await crashBatch(batch, { ...options, registry, maker, program, onRun });
      failure ??= found;
    }
  };
  const onRun = ({ kills }: RunRecord): void => {
    totals.runs++;
    totals.kills += kills;
    options.onProgress?.(totals.runs, totals.kills);
  };
  await Promise.all(Array.from({ length: lanes }, work));
  return { ...totals, failure };
}

interface Batch extends CrashOptions {
  readonly registry: EmbeddedRegistry;
  readonly maker: StoreMaker;
  readonly program: Bundle;
  readonly onRun: (record: RunRecord) => void;
}

/** Runs on one store, one after the other, by processes that follow each other. */
async function crashBatch(seeds: readonly number[], batch: Batch): Promise<CrashResult["failure"]> {
  const { registry, maker, program, onRun } = batch;
  await using made = await maker.make();
  const { address } = made;
  const digests = new Map<string, string>();
  const records: RunRecord[] = [];
  const workers = new WorkerLine(address, { registryHost: registry.host, program });
  try {
    for (const seed of seeds) {
      const plan = planOf(seed, registry.host);
      const { digest } = await registry.push(`${plan.repository}:v1`);
      digests.set(plan.repository, digest);
      const record = await crashRun(seed, plan, workers);
      records.push(record);
      onRun(record);
      if (record.failure !== undefined) break;
    }
  } finally {
    await workers.end();
  }
  const witness: Witness = {
    manifestRequests: (repository) => manifestRequests(registry, repository),
    digestOf: (repository) => digests.get(repository) ?? "",
  };
  await using store = await openStore(address);
  const [first] = await judgeRuns(store, records, witness);
  if (first === undefined) return undefined;
  const file = await leaveRecord(store.eventLog, records, first);
  return { ...first, problem: `${first.problem}\nfacts, and what the processes said: ${file}` };
}

function manifestRequests({ requests }: EmbeddedRegistry, repository: string): number {
  return requests.filter(({ path }) => path.startsWith(`/v2/${repository}/manifests/`)).length;
}

/** The processes of a store, of which one has it at a time; the next one is there before it is needed. */
class WorkerLine implements Workers {
  readonly #address: StoreAddress;
  readonly #options: { readonly registryHost: string; readonly program: Bundle };
  #next: WorkerProcess | undefined;
  #current: WorkerProcess | undefined;

  constructor(address: StoreAddress, options: { readonly registryHost: string; readonly program: Bundle }) {
    this.#address = address;
    this.#options = options;
  }

  async current(): Promise<WorkerProcess> {
    if (this.#current !== undefined) return this.#current;
    const worker = this.#next ?? startWorker(this.#options.program);
    this.#current = worker;
    await hear(worker, "ready");
    worker.tell({ do: "open", store: this.#address, registryHost: this.#options.registryHost });
    await hear(worker, "opened");
    this.#next = startWorker(this.#options.program);
    return worker;
  }

  bury(worker: WorkerProcess): void {
    if (this.#current === worker) this.#current = undefined;
  }

  async end(): Promise<void> {
    await Promise.all([this.#current?.end(), this.#next?.end()]);
  }
}

async function hear(worker: WorkerProcess, what: "ready" | "opened"): Promise<void> {
  const report = await worker.next();
  if (report?.say === what) return;
  const instead = report === undefined ? `ended with ${await worker.ended}` : `said ${JSON.stringify(report)}`;
  throw new Error(`process ${worker.pid} was to say that it is ${what}, and ${instead}`);
}
