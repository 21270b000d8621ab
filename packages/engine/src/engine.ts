import { FetchImageError, silentLogger } from "@fetch-image/core";
import { openBuild, type OpenBuild } from "./build.ts";
import type { Build, OpenBuildOptions } from "./build-api.ts";
import type { EngineContext } from "./engine-context.ts";
import { createEngineTelemetry } from "./engine-telemetry.ts";
import { defaultSettings, type EngineOptions } from "./options.ts";
import { createProjector, type ProjectionProgress } from "./projector.ts";
import { ScopeBook } from "./scope-book.ts";
import { newIncarnation, nodeHash, systemClock } from "./system.ts";
import { createTicker } from "./ticker.ts";

export interface FetchImageEngine extends AsyncDisposable {
  /**
   * Opens a build for writing: a new one, or one that this or another process left, whose fetches in flight are resumed.
   * Rejects with `FI_STORE_TOO_NEW`, `FI_HISTORY_CONTRADICTORY`, `FI_STORE_UNAVAILABLE`.
   */
  openBuild(options: OpenBuildOptions): Promise<Build>;
  /** Projects every fact so far into the read model; without one, does nothing. */
  project(): Promise<ProjectionProgress>;
  /** Stops working without recording anything: another process resumes what is in flight. Waits for appends under way. */
  close(): Promise<void>;
}

/** Drives FetchImage against its ports. One per process: builds share its scopes and its appends. */
export function createFetchImageEngine(options: EngineOptions): FetchImageEngine {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const settings = { ...defaultSettings, ...options.settings };
  const { eventLog, readModel, registry } = options;
  let closed: FetchImageError | undefined;

  const shared = {
    eventLog,
    clock,
    hash: options.hash ?? nodeHash,
    logger,
    node: options.node ?? newIncarnation(),
    ticker: createTicker(),
  };
  let openings = 0;
  const soleNode = options.soleNode === true;
  const context: EngineContext = {
    ...shared,
    telemetry: createEngineTelemetry(options.telemetry, () => clock.now()),
    settings,
    traits: {
      native: options.nativeImageFetch,
      policy: options.policy !== undefined,
      registry,
      hasStepRunner: options.stepRunner !== undefined,
      hasArtifacts: options.artifacts !== undefined,
    },
    policy: options.policy,
    stepRunner: options.stepRunner,
    artifacts: options.artifacts,
    scopes: registry === undefined ? undefined : new ScopeBook({ ...shared, ...settings, registry, soleNode }),
    nextOpening: () => ++openings,
    assertOpen() {
      if (closed !== undefined) throw closed;
    },
  };

  const projector = readModel === undefined ? undefined : createProjector({ eventLog, readModel, clock, logger });
  const following = new AbortController();
  const followed = projector?.follow(following.signal);
  const builds = new Map<string, Promise<OpenBuild>>();

  const engine: FetchImageEngine = {
    async openBuild(opening) {
      context.assertOpen();
      // Two openings of one build in one process are one build: a second writer would fence the first.
      const open = builds.get(opening.id);
      if (open !== undefined) return await open;
      const forget = () => {
        if (builds.get(opening.id) === opened) builds.delete(opening.id);
      };
      const opened = openBuild(context, opening, forget);
      builds.set(opening.id, opened);
      opened.catch(forget);
      return await opened;
    },
    async project() {
      return (await projector?.catchUp()) ?? { facts: 0, position: undefined };
    },
    async close() {
      closed ??= new FetchImageError("FI_ENGINE_CLOSED");
      const opened = await Promise.allSettled(builds.values());
      context.scopes?.close();
      await Promise.all(opened.flatMap((build) => (build.status === "fulfilled" ? [build.value.close()] : [])));
      following.abort();
      await followed;
    },
    [Symbol.asyncDispose]: () => engine.close(),
  };
  return engine;
}
