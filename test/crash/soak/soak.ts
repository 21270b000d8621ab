import { fork } from "node:child_process";
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildStream, FetchImageError, isFinished, type StepRunner } from "@fetch-image/core";
import { createFetchImageEngine, type FetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry } from "@fetch-image/registry";
import { type Random, randomOf } from "../../fuzz/random.ts";
import { BuildJudge } from "../../simulation/build-judge.ts";
import { storeMakers } from "../store-makers.ts";
import { openStore, type OpenStore, type StoreKind } from "../stores.ts";
import { boundsAt, judgeSoak, mebibytes, type Sample } from "./judge-soak.ts";
import { type SoakFetch, soakBuild } from "./mix.ts";

export interface SoakOptions {
  readonly store: StoreKind;
  readonly minutes: number;
  /** Fetches a second. */
  readonly rate: number;
  readonly seed: number;
  /** New scopes that are asked for before it begins: what the engine keeps of scopes is full then. */
  readonly scopesBefore: number;
  /** Told a line a minute, and the verdict. */
  readonly tell: (line: string) => void;
}

export interface SoakResult {
  readonly fetches: number;
  readonly samples: readonly Sample[];
  /** What does not hold. */
  readonly problems: readonly string[];
}

/** Fetches at a constant rate through one engine and its projector, looking at this process all the while. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { minutes, rate, seed, scopesBefore, tell } = options;
  await using maker = await storeMakers[options.store]();
  await using made = await maker.make();
  await using store = await openStore(made.address);
  await using host = await startRegistry();
  const registry = createImageRegistry({ endpoints: { [host.name]: `http://${host.name}` } });
  const { eventLog, readModel, soleNode } = store;
  const engine = createFetchImageEngine({
    eventLog,
    readModel,
    soleNode,
    registry,
    stepRunner,
    nativeImageFetch: true,
  });
  const load = new Load({ engine, store, host: host.name, random: randomOf(seed) });
  const began = performance.now();
  for (let n = 0; n < scopesBefore; n += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, each) => load.open(`before-${n + each}`, `before-${n + each}`)));
  }
  tell(`${scopesBefore} scopes were asked for in ${seconds(performance.now() - began)}`);

  const samples = await underLoad(load, { store, minutes, rate, tell });
  await load.drained();
  await engine.close();
  await registry.close();
  const problems = [...load.problems, ...judgeSoak(samples, boundsAt(rate))];
  return { fetches: load.fetches, samples, problems };
}

async function underLoad(
  load: Load,
  { store, minutes, rate, tell }: Pick<SoakOptions, "minutes" | "rate" | "tell"> & { readonly store: OpenStore },
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const began = performance.now();
  const lasts = minutes * 60_000;
  const passed = (): number => performance.now() - began;
  const pace = async (): Promise<void> => {
    while (passed() < lasts) {
      while (load.fetches - load.fetchesBefore < (passed() * rate) / 1000) load.next();
      await sleep(10);
    }
  };
  load.mark();
  const paced = pace();
  const everyMs = Math.min(5000, lasts / 60);
  let told = 0;
  while (passed() < lasts) {
    await sleep(everyMs);
    samples.push({ ...(await look(load, store)), atMs: passed(), delayMs: delay.max / 1e6 });
    delay.reset();
    const minute = Math.floor(passed() / 60_000);
    const last = samples.at(-1);
    if (minute > told && last !== undefined) tell(show((told = minute), load, last));
  }
  await paced;
  return samples;
}

async function look(load: Load, { readModel }: OpenStore): Promise<Omit<Sample, "atMs" | "delayMs">> {
  const newest = load.newestEnded;
  const asked = performance.now();
  const isThere = async (): Promise<boolean> =>
    newest === undefined || (await readModel.imagesOfBuild(newest)).some(({ endedAt }) => endedAt !== undefined);
  while (!(await isThere()) && performance.now() - asked < 60_000) await sleep(10);
  const lagMs = performance.now() - asked;
  globalThis.gc?.();
  const { heapUsed: heap, rss } = process.memoryUsage();
  return { heap, rss, lagMs, handles: process.getActiveResourcesInfo().length, openBuilds: load.openBuilds };
}

function show(minute: number, load: Load, { heap, rss, handles, lagMs, delayMs, openBuilds }: Sample): string {
  return [
    `minute ${minute}: ${load.fetches - load.fetchesBefore} fetches`,
    `heap ${mebibytes(heap)}`,
    `rss ${mebibytes(rss)}`,
    `${handles} handles`,
    `${openBuilds} open builds`,
    `read model ${Math.round(lagMs)} ms behind`,
    `event loop held up ${Math.round(delayMs)} ms at most`,
  ].join(", ");
}

interface LoadOptions {
  readonly engine: FetchImageEngine;
  readonly store: OpenStore;
  readonly host: string;
  readonly random: Random;
}

/** The builds of a soak, each judged by its stream when it has ended. */
class Load {
  readonly problems: string[] = [];
  readonly #options: LoadOptions;
  readonly #open = new Set<Promise<void>>();
  #builds = 0;
  fetches = 0;
  fetchesBefore = 0;
  newestEnded: string | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  get openBuilds(): number {
    return this.#open.size;
  }

  /** Counts from here. */
  mark(): void {
    this.fetchesBefore = this.fetches;
  }

  /** One more build of the mix. */
  next(): void {
    const { random, host } = this.#options;
    const number = this.#builds++;
    void this.#begin(`soak-${number}`, soakBuild(random, host, number));
  }

  /** A build that wants one image, by its tag. */
  open(buildId: string, tag: string): Promise<void> {
    const { host } = this.#options;
    const getPlan = {
      id: "step/image-get",
      get: { name: "t", type: "registry-image", source: { repository: `${host}/acme/image`, tag } },
    };
    return this.#begin(buildId, [{ request: { getPlan, privileged: false }, ends: "image" }]);
  }

  async drained(): Promise<void> {
    const late = sleep(60_000, "late" as const, { ref: false });
    if ((await Promise.race([Promise.all(this.#open), late])) === "late") {
      this.problems.push(`${this.#open.size} builds never ended`);
    }
  }

  #begin(buildId: string, fetches: readonly SoakFetch[]): Promise<void> {
    this.fetches += fetches.length;
    const work = this.#fetch(buildId, fetches)
      .catch((error: unknown) => this.#broken(buildId, String(error)))
      .finally(() => this.#open.delete(work));
    this.#open.add(work);
    return work;
  }

  async #fetch(buildId: string, fetches: readonly SoakFetch[]): Promise<void> {
    const build = await this.#options.engine.openBuild({ id: buildId });
    const outcomes = await Promise.all(
      fetches.map(async ({ request, ends }) => {
        const asked = "getPlan" in request ? build.fetchImage(request) : build.fetchTaskImage(request);
        const outcome = await asked.then(
          () => "image",
          (error: unknown) => (FetchImageError.is(error) && error.code === "FI_ABORTED" ? "aborted" : "failed"),
        );
        if (!ends.includes(outcome))
          this.#broken(buildId, `a fetch that was to end with ${ends} ended with ${outcome}`);
        return outcome;
      }),
    );
    await build.close();
    await this.#judge(buildId, outcomes);
    if (!outcomes.includes("aborted")) this.newestEnded = buildId;
  }

  /** Each fetch stands in the stream, ended once. */
  async #judge(buildId: string, outcomes: readonly string[]): Promise<void> {
    const judge = new BuildJudge({ broken: (problem) => this.#broken(buildId, problem) }, () => {});
    const stored = await this.#options.store.eventLog.read(buildStream(buildId));
    judge.stored(stored);
    const fetches = [...judge.state(buildId).fetches.values()];
    // Who is gone before the build is open has asked for nothing.
    const wanted = outcomes.filter((outcome) => outcome !== "aborted").length;
    if (fetches.length < wanted) this.#broken(buildId, `lost: it has ${fetches.length} fetches`);
    if (!fetches.every(isFinished)) this.#broken(buildId, "a fetch has not ended");
    if (!stored.every(({ revision }, index) => revision === BigInt(index)))
      this.#broken(buildId, "its stream has gaps");
  }

  #broken(buildId: string, problem: string): void {
    if (this.problems.length < 20) this.problems.push(`${buildId}: ${problem}`);
  }
}

/** Steps that take a moment and say something. */
const stepRunner: StepRunner = {
  async check(_plan, { output }) {
    await output("checking\n", "stderr");
    await sleep(2);
    return [{ ref: "8d3f1c" }];
  },
  async get({ id }, { output }) {
    for (let line = 0; line < 5; line++) await output(`${"fetching ".repeat(50)}\n`, "stdout");
    await sleep(5);
    return { handle: `volume-of-${id}` };
  },
};

async function startRegistry(): Promise<AsyncDisposable & { readonly name: string }> {
  const script = fileURLToPath(new URL("registry.mjs", import.meta.url));
  const child = fork(script, { execArgv: [], stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const ended = once(child, "exit");
  const [line]: Buffer[] = await once(child.stdout ?? child, "data");
  return {
    name: `127.0.0.1:${String(line).trim()}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
