import {
  explainDifference,
  FetchImageError,
  type ImageRegistry,
  type JsonObject,
  type Looks,
  parseGoDuration,
  parseRegistryImageSource,
  publicSource,
  type RegistryImageSource,
  secretsOf,
  type ShadowFactData,
  silentLogger,
} from "@fetch-image/core/fetching";
import { setMaxListeners } from "node:events";
import { createFetchImageEngine } from "../engine.ts";
import { codeOf } from "../failure.ts";
import { defaultSettings } from "../options.ts";
import { redactor } from "../redact.ts";
import { newIncarnation, nodeHash, systemClock } from "../system.ts";
import { BuildsInMemory } from "./builds-in-memory.ts";
import { ComparisonWriter } from "./comparison-writer.ts";
import { type Looked, lookAt } from "./look.ts";
import { readActual } from "./read-actual.ts";
import { resolveBeside } from "./resolve-beside.ts";
import type { Compared, Comparison, Shadow, ShadowOptions, ShadowQuestion } from "./shadow-api.ts";

/**
 * Resolves images beside a scheduler that fetches them another way, compares, and keeps what each comparison came to, with
 * its explanation. Changes nothing: no policy, step or fetch of the scheduler's depends on it, and what it resolves counts
 * nowhere as having run. One per process.
 */
export function createShadow(options: ShadowOptions): Shadow {
  const { eventLog, registry, policy, telemetry, concurrency = 16, waiting: mostWaiting = 1000 } = options;
  const clock = options.clock ?? systemClock;
  const hash = options.hash ?? nodeHash;
  const node = options.node ?? newIncarnation();
  const logger = options.logger ?? silentLogger;
  const settings = { ...defaultSettings, ...options.settings };
  const builds = new BuildsInMemory(eventLog);
  const asked = { requests: 0, explaining: 0 };
  const engine = createFetchImageEngine({
    eventLog: builds,
    registry: counted(registry, (questions) => (asked.requests += questions)),
    ...(policy === undefined ? {} : { policy }),
    ...(telemetry === undefined ? {} : { telemetry }),
    ...(options.scopes === undefined ? {} : { scopes: options.scopes }),
    nativeImageFetch: true,
    settings,
    clock,
    hash,
    logger,
    node,
  });
  const explaining = counted(registry, (questions) => (asked.explaining += questions));
  const writer = new ComparisonWriter({ eventLog, clock, hash, node, patienceMs: settings.storePatienceMs });
  const closing = new AbortController();
  // Every comparison in hand listens.
  setMaxListeners(0, closing.signal);
  const queue: (() => void)[] = [];
  const counts = { compared: 0, dropped: 0, notCompared: 0 };
  let running = 0;
  let opened = 0;
  /** Since the last comparison that was stored. */
  let dropped = 0;

  async function compared(question: ShadowQuestion): Promise<Comparison> {
    const { build, getPlan, secrets = [] } = question;
    assertReadable(question);
    const { id: fetchId, get } = getPlan;
    const redact = redactor([...secretsOf(get.source), ...secrets]);
    const theirs = readActual(question.actual, clock.now(), redact);
    const signal = question.signal === undefined ? closing.signal : AbortSignal.any([closing.signal, question.signal]);
    const beside = { engine, builds, id: `shadow:${build.id}:${++opened}`, now: () => clock.now(), redact };
    const { ours, scope } = await resolveBeside({ ...question, signal }, beside);
    const source = sourceOf(question);
    const looks: Looks[] = [];
    const kept: Looked["kept"][] = [];
    for (;;) {
      const found = explainDifference({
        theirs,
        ours,
        intervalMs: intervalOf(question, settings.checkIntervalMs),
        mirrored: source?.registry_mirror !== undefined,
        looks: Object.assign({}, ...looks) as Looks,
      });
      if ("explanation" in found) {
        const { requests, explaining: extra } = asked;
        const missed = dropped;
        [asked.requests, asked.explaining, dropped] = [0, 0, 0];
        return {
          build: named(build),
          fetchId,
          name: get.name,
          type: get.type,
          source: source === undefined ? {} : publicSource(source),
          ...(scope === undefined ? {} : { scope }),
          ...found.explanation,
          theirs,
          ours,
          looks: kept,
          asked: { requests, explaining: extra },
          ...(missed === 0 ? {} : { dropped: missed }),
        };
      }
      if (source === undefined) throw new FetchImageError("FI_INTERNAL", { message: "a look needs a source" });
      const asking = { eventLog, registry: explaining, source, scope, theirs, ours, now: () => clock.now(), signal };
      const looked = await lookAt(found.look, asking);
      if (signal.aborted) throw new FetchImageError("FI_ABORTED");
      looks.push(looked.looks);
      kept.push(looked.kept);
    }
  }

  async function run(question: ShadowQuestion): Promise<Compared> {
    try {
      if (closing.signal.aborted) throw closed();
      const comparison = await compared(question);
      try {
        await writer.write(comparison);
      } catch (error) {
        // What it counted is the next one's to tell.
        asked.requests += comparison.asked.requests;
        asked.explaining += comparison.asked.explaining;
        dropped += (comparison.dropped ?? 0) + 1;
        throw error;
      }
      counts.compared++;
      return { kind: "compared", comparison };
    } catch (thrown) {
      counts.notCompared++;
      const error = FetchImageError.is(thrown) ? thrown : new FetchImageError("FI_INTERNAL", { cause: thrown });
      logger.warn("an image was not compared", { code: codeOf(error) });
      return { kind: "not-compared", error };
    }
  }

  return {
    compare(question) {
      if (running + queue.length >= concurrency + mostWaiting) {
        counts.dropped++;
        dropped++;
        return Promise.resolve({ kind: "dropped" });
      }
      return new Promise<Compared>((resolve) => {
        queue.push(() => resolve(started(question)));
        // Not in the caller's turn: its own work goes first.
        setImmediate(next);
      });
    },
    counts: () => ({ ...counts, running, waiting: queue.length }),
    close,
    [Symbol.asyncDispose]: close,
  };

  async function started(question: ShadowQuestion): Promise<Compared> {
    const outcome = await run(question);
    running--;
    next();
    return outcome;
  }

  function next(): void {
    while (running < concurrency) {
      const start = queue.shift();
      if (start === undefined) return;
      running++;
      start();
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    await engine.close();
    await writer.settled();
  }
}

/** The registry, with its questions counted: one that fails is one, too. */
function counted(registry: ImageRegistry, count: (questions: number) => void): ImageRegistry {
  const one = async <T>(asking: Promise<T> | T): Promise<T> => {
    count(1);
    return await asking;
  };
  return {
    // A method that is not there means something, so it must not be there here either.
    ...(registry.unanswerable === undefined ? {} : { unanswerable: (source) => registry.unanswerable?.(source) }),
    ...(registry.identity === undefined ? {} : { identity: (source) => registry.identity?.(source) }),
    ...(registry.listed === undefined
      ? {}
      : { listed: async (source, digest, options) => one(registry.listed?.(source, digest, options)) }),
    resolve: (source, tag, options) => one(registry.resolve(source, tag, options)),
    async check(source, options) {
      let questions = 1;
      try {
        const found = await registry.check(source, options);
        questions = found.requests;
        return found;
      } finally {
        count(questions);
      }
    },
  };
}

/** What a caller without types may have left out. */
function assertReadable({ build, getPlan, actual }: Partial<ShadowQuestion>): void {
  const wrong = (field: string) =>
    new FetchImageError("FI_COMPARISON_INVALID", {
      message: `the comparison's ${field} is missing or of another kind`,
      details: { field },
    });
  if (typeof build?.id !== "string" || build.id === "") throw wrong("build.id");
  if (typeof getPlan?.id !== "string" || typeof getPlan.get?.name !== "string") throw wrong("getPlan");
  if (typeof getPlan.get.type !== "string" || !isObject(getPlan.get.source)) throw wrong("getPlan.get");
  if (!isObject(actual)) throw wrong("actual");
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function named({ id, team, pipeline, job }: ShadowQuestion["build"]): ShadowFactData<"ImageCompared">["build"] {
  return {
    id,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
  };
}

/** Undefined for types whose fields nobody here knows. */
function sourceOf({ getPlan: { get } }: ShadowQuestion): RegistryImageSource | undefined {
  if (get.type !== "registry-image") return undefined;
  const parsed = parseRegistryImageSource(get.source);
  return parsed.ok ? parsed.source : undefined;
}

/** How old the scheduler's own check may be: its interval is the plan's. */
function intervalOf({ checkPlan }: ShadowQuestion, usual: number): number {
  const interval = checkPlan?.check.interval;
  if (interval === "never") return Number.POSITIVE_INFINITY;
  const nanoseconds = interval === undefined || interval === "" ? undefined : parseGoDuration(interval);
  return nanoseconds === undefined ? usual : Number(nanoseconds / 1_000_000n);
}

function closed(): FetchImageError {
  return new FetchImageError("FI_ENGINE_CLOSED", { message: "the shadow takes no new comparison" });
}
