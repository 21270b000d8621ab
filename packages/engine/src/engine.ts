import { FetchImageError, silentLogger } from "@fetch-image/core/fetching";
import { openBuild, OpenBuild } from "./build.ts";
import type { Build, OpenBuildOptions } from "./build-api.ts";
import type { EngineContext } from "./engine-context.ts";
import { createEngineTelemetry } from "./engine-telemetry.ts";
import { effectiveSettings, readKey } from "./engine-settings.ts";
import { type FetchLeft, Flights } from "./flights.ts";
import { observeGauges } from "./gauges.ts";
import { type Health, healthOf, type HealthOptions } from "./health.ts";
import type { EngineOptions } from "./options.ts";
import { createProjector, type ProjectionProgress } from "./projector.ts";
import { ScopeBook } from "./scope-book.ts";
import { createShutdown } from "./shutdown.ts";
import type { Slot } from "./slot.ts";
import { newIncarnation, newKey, nodeHash, systemClock } from "./system.ts";
import { createTicker } from "./ticker.ts";

export interface CloseOptions {
  /** How long fetches in flight may go on, in milliseconds. Default: 0, not at all. */
  readonly deadlineMs?: number;
}

/** What became of the fetches that were in flight when the engine began to close. */
export interface Closed {
  /** How many ended by themselves, their last facts durable. */
  readonly finished: number;
  /** Those that were stopped without a fact: whoever opens their builds next resumes them. */
  readonly left: readonly FetchLeft[];
}

export interface FetchImageEngine extends AsyncDisposable {
  /**
   * Opens a build for writing: a new one, or one that this or another process left, whose fetches in flight are resumed.
   * Rejects with `FI_STORE_TOO_NEW`, `FI_HISTORY_CONTRADICTORY`, `FI_STORE_UNAVAILABLE`, `FI_ENGINE_CLOSED`.
   */
  openBuild(options: OpenBuildOptions): Promise<Build>;
  /** Projects every fact so far into the read model; without one, does nothing. */
  project(): Promise<ProjectionProgress>;
  /** How the engine and its stores are; asks the stores, within a deadline. Never rejects. */
  health(options?: HealthOptions): Promise<Health>;
  /**
   * Takes nothing new from now on (`FI_ENGINE_CLOSED`), lets the fetches in flight end until the deadline, and stops the
   * rest without recording anything: another process resumes them. Waits for appends under way. A second call with an
   * earlier deadline brings the first one's forward.
   */
  close(options?: CloseOptions): Promise<Closed>;
}

/** Drives FetchImage against its ports. One per process: builds share its scopes and its appends. */
export function createFetchImageEngine(options: EngineOptions): FetchImageEngine {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const settings = effectiveSettings(options.settings, options.scopes);
  const { eventLog, readModel, registry } = options;

  const telemetry = createEngineTelemetry(options.telemetry, { now: () => clock.now(), logger });
  const shared = {
    eventLog: telemetry.observedLog(eventLog),
    clock,
    hash: options.hash ?? nodeHash,
    logger,
    node: options.node ?? newIncarnation(),
    ticker: createTicker(),
    nextNumber: () => ++numbers,
  };
  let numbers = 0;
  let openings = 0;
  const soleNode = options.soleNode === true;
  const flights = new Flights(settings, clock);
  const shutdown = createShutdown({ flights, clock, letGo });
  const context: EngineContext = {
    ...shared,
    telemetry,
    settings,
    traits: {
      native: options.nativeImageFetch,
      policy: options.policy !== undefined,
      registry,
      hasStepRunner: options.stepRunner !== undefined,
      hasArtifacts: options.artifacts !== undefined,
      credentialKey: options.credentialKey === undefined ? newKey() : readKey(options.credentialKey),
    },
    policy: options.policy,
    stepRunner: options.stepRunner,
    artifacts: options.artifacts,
    artifactPusher: options.artifactPusher,
    registry,
    scopes:
      registry === undefined
        ? undefined
        : new ScopeBook({
            ...shared,
            settings,
            storePatienceMs: settings.storePatienceMs,
            registry: telemetry.observedRegistry(registry),
            soleNode,
          }),
    flights,
    nextOpening: () => ++openings,
    assertTaking() {
      if (shutdown.begun) throw new FetchImageError("FI_ENGINE_CLOSED", { message: "the engine takes no new fetch" });
    },
  };

  const projector = readModel === undefined ? undefined : createProjector({ eventLog, readModel, clock, logger });
  const following = new AbortController();
  const followed = projector?.follow(following.signal);
  /** From their opening to their closing. */
  const builds = new Map<string, Slot<OpenBuild | Promise<OpenBuild>>>();
  const open = () => [...builds.values()].flatMap(({ held }) => (held instanceof OpenBuild ? [held] : []));

  const stopGauges = observeGauges(options.telemetry?.meter, {
    flights,
    openBuilds: () => open().length,
    lag: projector === undefined ? undefined : () => projector.lag(),
  });

  async function letGo(): Promise<readonly FetchLeft[]> {
    const opened = await Promise.allSettled([...builds.values()].map(async ({ held }) => held));
    const left = flights.list();
    context.scopes?.close();
    // In one turn: a fetch that still went on would take what the scopes give up for a failure of its own.
    await Promise.all(
      opened.map(async (build) => {
        if (build.status === "fulfilled") await build.value?.close();
      }),
    );
    following.abort();
    await followed;
    stopGauges();
    return left;
  }

  return {
    async openBuild(opening) {
      context.assertTaking();
      // Two openings of one build in one process are one build: a second writer would fence the first.
      const { id } = opening;
      const known = builds.get(id)?.held;
      if (known !== undefined) return await known;
      const slot: Slot<OpenBuild | Promise<OpenBuild>> = { held: undefined };
      const forget = () => {
        if (builds.get(id) === slot) builds.delete(id);
        slot.held = undefined;
      };
      builds.set(id, slot);
      try {
        slot.held = openBuild(context, opening, forget);
        const build = await slot.held;
        // It may have been closed meanwhile.
        if (slot.held !== undefined) slot.held = build;
        return build;
      } catch (error) {
        forget();
        throw error;
      }
    },
    async project() {
      return (await projector?.catchUp()) ?? { facts: 0, skipped: 0, position: undefined };
    },
    async health(healthOptions) {
      const state: Health["state"] = shutdown.done ? "closed" : shutdown.begun ? "closing" : "open";
      const opened = open();
      const factsWaiting = opened.reduce((sum, build) => sum + build.factsWaiting, 0);
      const view = {
        eventLog,
        readModel,
        clock,
        flights,
        settings,
        state,
        builds: { open: opened.length, factsWaiting },
      };
      return await healthOf(view, healthOptions);
    },
    close: (closing) => shutdown.close(closing?.deadlineMs ?? 0),
    async [Symbol.asyncDispose]() {
      await shutdown.close(0);
    },
  };
}
