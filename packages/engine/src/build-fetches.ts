import {
  FetchImageError,
  type FetchRequest,
  type FetchState,
  type ImageSpec,
  isFinished,
  type RegistryImageSource,
  type TraceContext,
} from "@fetch-image/core/fetching";
import { beginOrResume } from "./begin-or-resume.ts";
import type { BuildContext } from "./build-context.ts";
import type { BuildSecrets } from "./build-secrets.ts";
import type { BuildWriter } from "./build-writer.ts";
import type { EngineContext } from "./engine-context.ts";
import { codeOf } from "./failure.ts";
import { outcomeOf } from "./fetch-outcome.ts";
import { FetchRun } from "./fetch-run.ts";
import type { Flight } from "./flights.ts";
import { type FetchImageRequest, readRequest, type ReadRequest } from "./request.ts";
import type { Slot } from "./slot.ts";
import { type FetchSummary, leftBehind, type PastBuild, resumable, summarize } from "./stored-fetch.ts";
import { cutTrace, traceContextOf } from "./trace-context.ts";

export interface BuildFetchesOptions {
  readonly engine: EngineContext;
  readonly context: BuildContext;
  /** What the build's stream holds. */
  readonly past: PastBuild;
  readonly secrets: BuildSecrets;
  readonly writer: Pick<BuildWriter, "failure">;
  /** Where the build was asked for. */
  readonly trace: TraceContext | undefined;
}

/** The fetches of an open build: those that run in this process, and those that its stream holds. One for each get plan. */
export class BuildFetches {
  readonly #options: BuildFetchesOptions;
  readonly #runs = new Map<string, FetchRun>();
  #closed = false;

  constructor(options: BuildFetchesOptions) {
    this.#options = options;
  }

  /** Joins the fetch, gives its result, or begins it once there is a place for it. */
  fetchImage(request: FetchImageRequest): Promise<ImageSpec> {
    try {
      const known = this.#known(request);
      if (known !== undefined) return known;
      const { engine } = this.#options;
      engine.assertTaking();
      const place = engine.flights.enter(this, request.signal);
      if (place === undefined) return this.#start(request).waitFor(request.signal);
      return place.then(() => this.#startOrJoin(request));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** In a place that was waited for: meanwhile another call may have begun the fetch, or the build may be lost. */
  async #startOrJoin(request: FetchImageRequest): Promise<ImageSpec> {
    const { flights } = this.#options.engine;
    let known: Promise<ImageSpec> | undefined;
    try {
      known = this.#known(request);
    } catch (error) {
      flights.leave();
      throw error;
    }
    if (known === undefined) return await this.#start(request).waitFor(request.signal);
    flights.leave();
    return await known;
  }

  /** An image for a step of a fetch that has its place: were it to wait for one of its own, both might wait for ever. */
  async fetchForStep(request: FetchImageRequest): Promise<ImageSpec> {
    const known = this.#known(request);
    if (known !== undefined) return await known;
    this.#options.engine.flights.squeezeIn();
    return await this.#start(request).waitFor(request.signal);
  }

  /** Goes on with what another process left unfinished, where that needs nobody's secrets. */
  resume(unfinished: ReadonlyMap<string, FetchState>): void {
    const { engine, context, past } = this.#options;
    for (const state of past.fetches.values()) if (isFinished(state)) this.#endLeftBehind(state);
    for (const [fetchId, state] of unfinished) {
      const request = resumable(fetchId, state);
      if (request === undefined || this.#runs.has(fetchId)) continue;
      engine.flights.squeezeIn();
      try {
        this.#start(request);
      } catch (error) {
        // It waits for its scheduler's own call, which is told.
        const code = FetchImageError.is(error) ? error.code : "FI_INTERNAL";
        engine.logger.warn("a fetch could not be resumed", { build: context.buildId, fetch: fetchId, code });
      }
    }
  }

  /** In the order they were requested. */
  list(): readonly FetchSummary[] {
    const states = new Map(this.#options.past.fetches);
    for (const [fetchId, run] of this.#runs) if (run.state !== undefined) states.set(fetchId, run.state);
    return [...states].map(([fetchId, state]) => summarize(fetchId, state));
  }

  /** A fetch as it is now, and its source with credentials where this process was given them. */
  find(fetchId: string): { readonly state: FetchState; readonly source: RegistryImageSource | undefined } | undefined {
    const run = this.#runs.get(fetchId);
    const state = run?.state ?? this.#options.past.fetches.get(fetchId);
    return state === undefined ? undefined : { state, source: run?.request.source };
  }

  /** A fetch's state once it has ended; undefined where there is no such fetch. Rejects with what fails it here. */
  async endOf(fetchId: string, signal: AbortSignal | undefined): Promise<FetchState | undefined> {
    const run = this.#runs.get(fetchId);
    await run?.waitFor(signal);
    return run === undefined ? this.#options.past.fetches.get(fetchId) : run.state;
  }

  /** Throws `FI_ENGINE_CLOSED` once the build was closed. */
  assertOpen(): void {
    if (this.#closed) throw this.#closedHere();
  }

  /** Takes nothing more, and lets go of what is in flight. */
  close(): void {
    this.#closed = true;
    // An error has its stack, which costs more than the rest of a build's end: it is made where there is somebody to tell.
    const { flights } = this.#options.engine;
    const isIdle = flights.waiting === 0 && [...this.#runs.values()].every((run) => run.isDone);
    if (!isIdle) this.letGo(this.#closedHere());
  }

  /** Stops working on them without a fact. */
  letGo(why: FetchImageError): void {
    this.#options.engine.flights.turnAway(why, this);
    // All at once, before any lets go: a nested image must not take its step's end for an abort.
    for (const run of this.#runs.values()) run.halt();
    for (const run of this.#runs.values()) run.stop(why);
  }

  /** What there is of the fetch without beginning it; throws where it cannot begin. */
  #known(request: FetchImageRequest): Promise<ImageSpec> | undefined {
    this.assertOpen();
    const { past, writer } = this.#options;
    const fetchId = request.getPlan.id;
    const running = this.#runs.get(fetchId);
    if (running !== undefined) return running.waitFor(request.signal);
    const stored = past.fetches.get(fetchId);
    if (stored !== undefined && isFinished(stored)) {
      const outcome = outcomeOf(stored);
      return outcome.ok ? Promise.resolve(outcome.imageSpec) : Promise.reject(outcome.error);
    }
    if (writer.failure !== undefined) throw writer.failure;
    if (stored === undefined && request.signal?.aborted === true) {
      throw new FetchImageError("FI_ABORTED", { details: { fetch: fetchId } });
    }
    return undefined;
  }

  /** The fetch goes on by itself, in the place that was taken for it: it is nobody's yet. */
  #start(request: FetchImageRequest): FetchRun {
    const { engine, context, past, secrets } = this.#options;
    const { flights } = engine;
    try {
      const run = new FetchRun(context, request, this.#read(request));
      this.#runs.set(request.getPlan.id, run);
      const flight = flights.began(run);
      const onEnd = (error?: FetchImageError) => {
        this.#ended(run, flight, error);
      };
      run.onEnd = onEnd;
      beginOrResume(run, past, secrets.redact);
      return run;
    } catch (error) {
      flights.leave();
      throw error;
    }
  }

  /** The request as this process was told it, or as the build's stream holds it; its secrets are kept from now on. */
  #read(request: FetchImageRequest): ReadRequest {
    const { engine, past, secrets } = this.#options;
    const stored = past.fetches.get(request.getPlan.id);
    const read = readRequest(request, engine.traits, engine.settings, engine.hash);
    secrets.learn(read.secrets);
    const fact = stored === undefined ? read.fact : resumedRequest(read, stored);
    const asked = traceContextOf(request) ?? this.#options.trace ?? past.traces.get(fact.fetchId);
    const trace = cutTrace(asked, secrets.redact);
    return fact === read.fact && trace === undefined ? read : { trace, ...read, fact };
  }

  /** Once for each fetch: its end is durable, or it stops here without one. */
  #ended(run: FetchRun, flight: Slot<Flight>, error: FetchImageError | undefined): void {
    run.listener?.ended(error === undefined ? undefined : codeOf(error), !run.stopped);
    // Nothing was stored: the same plan may be tried again.
    if (run.state === undefined) this.#runs.delete(run.asker.fetchId);
    const ended = run.stopped || run.state === undefined || !isFinished(run.state) ? undefined : run.state;
    this.#options.engine.flights.ended(flight, ended !== undefined);
    if (ended !== undefined) this.#endLeftBehind(ended);
  }

  #endLeftBehind(ended: FetchState): void {
    const { context, past } = this.#options;
    if (past.fetches.size === 0) return;
    const reason = "the step that it was for has ended";
    for (const { fetchId, request, read, state } of leftBehind(ended, past)) {
      const running = this.#runs.get(fetchId);
      if (running !== undefined) {
        running.leaveUnlessCalled(reason);
        continue;
      }
      const run = new FetchRun(context, request, read);
      this.#runs.set(fetchId, run);
      run.abandon(state, past.causes.get(fetchId), reason);
    }
  }

  #closedHere(): FetchImageError {
    return new FetchImageError("FI_ENGINE_CLOSED", {
      message: `build ${this.#options.context.buildId} was closed here`,
    });
  }
}

/**
 * The stored request stands, but for the scope: where another login than the first process's is configured here, its
 * answer belongs to the scope of those who ask with it.
 */
function resumedRequest({ fact }: ReadRequest, stored: FetchState): FetchRequest {
  const { request } = stored.snapshot.context;
  return request.scope === undefined || fact.scope === undefined ? request : { ...request, scope: fact.scope };
}
