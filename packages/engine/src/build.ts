import {
  buildStream,
  FetchImageError,
  fetchImagePlan,
  type FetchRequest,
  type FetchState,
  type ImageSpec,
  isFinished,
  type RanVerdict,
  type TraceContext,
} from "@fetch-image/core/fetching";
import { type ArtifactImageRequest, ArtifactImages } from "./artifact-images.ts";
import type { Build, FetchTaskImageRequest, OpenBuildOptions } from "./build-api.ts";
import type { BuildContext } from "./build-context.ts";
import { type BuildEvent, BuildEvents } from "./build-events.ts";
import { explainConflict, preface, type PrefaceContext } from "./build-preface.ts";
import { BuildWriter } from "./build-writer.ts";
import type { EngineContext } from "./engine-context.ts";
import { Cancellation } from "./cancellation.ts";
import { codeOf } from "./failure.ts";
import type { Flight } from "./flights.ts";
import { FetchRun, outcomeOf } from "./fetch-run.ts";
import { RanImages, type RanImageReport } from "./ran-images.ts";
import { redactor } from "./redact.ts";
import { logSeal } from "./seal-log.ts";
import type { Slot } from "./slot.ts";
import { SecretScanner } from "./secret-scanner.ts";
import { type FetchImageRequest, readRequest, type ReadRequest } from "./request.ts";
import {
  type FetchSummary,
  leftBehind,
  newBuild,
  type PastBuild,
  readBuild,
  resumable,
  summarize,
} from "./stored-fetch.ts";
import { cutTrace, traceContextOf } from "./trace-context.ts";

/**
 * Reads the build's stream, takes it over where another process wrote it, and resumes what was in flight. A build of which
 * there is nothing to be read is open at once.
 */
export function openBuild(
  engine: EngineContext,
  options: OpenBuildOptions,
  onEnd: () => void,
): OpenBuild | Promise<OpenBuild> {
  return options.isNew === true ? new OpenBuild(engine, options, newBuild, onEnd) : reopen(engine, options, onEnd);
}

async function reopen(engine: EngineContext, options: OpenBuildOptions, onEnd: () => void): Promise<OpenBuild> {
  const build = new OpenBuild(engine, options, await readBuild(engine.eventLog, options.id), onEnd);
  await build.takeOver();
  return build;
}

/** An open build in this process. */
export class OpenBuild implements Build {
  readonly id: string;
  readonly #engine: EngineContext;
  /** Tells this opening from an earlier one in this process, whose append may still be under way. */
  readonly #opening: number;
  readonly #stream: string;
  readonly #past: PastBuild;
  readonly #trace: TraceContext | undefined;
  readonly #writer: BuildWriter;
  readonly #runs = new Map<string, FetchRun>();
  readonly #onEnd: () => void;
  readonly #context: BuildContext;
  #closed = false;
  #time: number;
  /** When the first of this process's facts was made: what stands before it is not younger. */
  #firstTime: number | undefined;
  /** Made when there is one. */
  #secrets: Set<string> | undefined;
  #redact: (text: string) => string = same;
  /** Made when the scheduler has something to say. */
  #events: BuildEvents | undefined;
  #scanner: SecretScanner | undefined;
  /** Made for the first task that runs in an artifact. */
  #artifactImages: ArtifactImages | undefined;
  /** Made when somebody says what ran. */
  #ran: RanImages | undefined;
  #closing: Cancellation | undefined;

  constructor(engine: EngineContext, options: OpenBuildOptions, past: PastBuild, onEnd: () => void) {
    this.id = options.id;
    this.#onEnd = onEnd;
    this.#engine = engine;
    this.#opening = engine.nextOpening();
    this.#stream = buildStream(options.id);
    this.#past = past;
    this.#trace = traceContextOf(options);
    this.#time = past.time;
    const { eventLog, ticker, clock, logger, node, hash, telemetry, policy, stepRunner, artifacts, scopes } = engine;
    this.#writer = new BuildWriter({
      eventLog,
      ticker,
      clock,
      logger,
      stream: this.#stream,
      storePatienceMs: engine.settings.storePatienceMs,
      revision: past.revision,
      preface: (expected) => preface(options, expected, this.#prefaceContext()),
      onConflict: (conflict) => explainConflict(engine, options.id, conflict),
      onFailure: (error) => {
        this.#letGo(error);
        onEnd();
      },
    });
    if (options.secrets !== undefined) this.#learnSecrets(options.secrets);
    // Named one by one: to spread them costs more than all else that a build is made of.
    this.#context = {
      node,
      clock,
      hash,
      logger,
      telemetry,
      policy,
      stepRunner,
      artifacts,
      scopes,
      buildId: options.id,
      team: options.team ?? past.opened?.team,
      pipeline: options.pipeline ?? past.opened?.pipeline,
      job: options.job ?? past.opened?.job,
      stream: this.#stream,
      stampTime: () => this.#stampTime(),
      write: (facts, writes) => {
        this.#writer.write(facts, writes);
      },
      submit: (facts) => this.#writer.submit(facts),
      redact: (text) => this.#redact(text),
      fetchImage: (request) => this.#fetchForStep(request),
      ran: (report) => this.#recordQuietly(report),
    };
  }

  /** Fences the node that wrote before, where fetches are in flight, and goes on with those that need nobody's secrets. */
  async takeOver(): Promise<void> {
    const unfinished = [...this.#past.fetches].filter(([, state]) => !isFinished(state));
    if (unfinished.length === 0) return;
    await this.#writer.announce();
    for (const state of this.#past.fetches.values()) if (isFinished(state)) this.#endLeftBehind(state);
    for (const [fetchId, state] of unfinished) {
      const request = resumable(fetchId, state);
      if (request === undefined || this.#runs.has(fetchId)) continue;
      this.#engine.flights.squeezeIn();
      try {
        this.#start(request);
      } catch (error) {
        // It waits for its scheduler's own call, which is told.
        const code = FetchImageError.is(error) ? error.code : "FI_INTERNAL";
        this.#engine.logger.warn("a fetch could not be resumed", { build: this.id, fetch: fetchId, code });
      }
    }
  }

  fetchImage(request: FetchImageRequest): Promise<ImageSpec> {
    try {
      const known = this.#known(request);
      if (known !== undefined) return known;
      const { flights } = this.#engine;
      this.#engine.assertTaking();
      const place = flights.enter(this, request.signal);
      if (place === undefined) return this.#start(request).waitFor(request.signal);
      return place.then(() => this.#startOrJoin(request));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** In a place that was waited for: meanwhile another call may have begun the fetch, or the build may be lost. */
  async #startOrJoin(request: FetchImageRequest): Promise<ImageSpec> {
    let known: Promise<ImageSpec> | undefined;
    try {
      known = this.#known(request);
    } catch (error) {
      this.#engine.flights.leave();
      throw error;
    }
    if (known === undefined) return await this.#start(request).waitFor(request.signal);
    this.#engine.flights.leave();
    return await known;
  }

  /** An image for a step of a fetch that has its place: were it to wait for one of its own, both might wait for ever. */
  async #fetchForStep(request: FetchImageRequest): Promise<ImageSpec> {
    const known = this.#known(request);
    if (known !== undefined) return await known;
    this.#engine.flights.squeezeIn();
    return await this.#start(request).waitFor(request.signal);
  }

  /** What there is of the fetch without beginning it; throws where it cannot begin. */
  #known(request: FetchImageRequest): Promise<ImageSpec> | undefined {
    if (this.#closed) throw this.#closedHere();
    const fetchId = request.getPlan.id;
    const running = this.#runs.get(fetchId);
    if (running !== undefined) return running.waitFor(request.signal);
    const past = this.#past.fetches.get(fetchId);
    if (past !== undefined && isFinished(past)) {
      const outcome = outcomeOf(past);
      return outcome.ok ? Promise.resolve(outcome.imageSpec) : Promise.reject(outcome.error);
    }
    if (this.#writer.failure !== undefined) throw this.#writer.failure;
    if (past === undefined && request.signal?.aborted === true) {
      throw new FetchImageError("FI_ABORTED", { details: { fetch: fetchId } });
    }
    return undefined;
  }

  fetchTaskImage(request: FetchTaskImageRequest): Promise<ImageSpec> {
    const { stepId, imageResource, resourceTypes, privileged, tags, skipInterval, signal, secrets } = request;
    const { traceparent, tracestate } = request;
    const { getPlan, checkPlan } = fetchImagePlan(stepId, { ...imageResource, name: "image" }, resourceTypes, {
      ...(tags === undefined ? {} : { stepTags: tags }),
      ...(skipInterval === undefined ? {} : { skipInterval }),
    });
    return this.fetchImage({
      getPlan,
      ...(checkPlan === undefined ? {} : { checkPlan }),
      privileged,
      announce: true,
      ...(signal === undefined ? {} : { signal }),
      ...(secrets === undefined ? {} : { secrets }),
      traceparent,
      tracestate,
    });
  }

  async resolveArtifactImage(request: ArtifactImageRequest): Promise<ImageSpec> {
    if (this.#closed) throw this.#closedHere();
    this.#artifactImages ??= this.#makeArtifactImages();
    return await this.#artifactImages.resolve(request);
  }

  async append(event: BuildEvent): Promise<void> {
    if (this.#closed) throw this.#closedHere();
    this.#events ??= this.#makeEvents();
    await this.#events.append(event);
  }

  async recordRan(report: RanImageReport): Promise<RanVerdict> {
    if (this.#closed) throw this.#closedHere();
    this.#ran ??= this.#makeRan();
    return await this.#ran.record(report);
  }

  fetches(): readonly FetchSummary[] {
    const states = new Map(this.#past.fetches);
    for (const [fetchId, run] of this.#runs) if (run.state !== undefined) states.set(fetchId, run.state);
    return [...states].map(([fetchId, state]) => summarize(fetchId, state));
  }

  /** Facts that are not yet on their way to the store. */
  get factsWaiting(): number {
    return this.#writer.waiting;
  }

  drained(): Promise<void> {
    return this.#writer.drained();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing?.abort("the build was closed");
    // An error has its stack, which costs more than the rest of a build's end: it is made where there is somebody to tell.
    const isIdle = this.#engine.flights.waiting === 0 && [...this.#runs.values()].every((run) => run.isDone);
    if (!isIdle) this.#letGo(this.#closedHere());
    // Where nothing more can be written, whoever appended has been told.
    if (this.#events !== undefined) await this.#events.end().catch(() => {});
    if (!this.#writer.isIdle) await this.#writer.drained();
    this.#onEnd();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For a step of ours, which ends as it ends whatever becomes of this. */
  async #recordQuietly(report: RanImageReport): Promise<void> {
    try {
      await this.recordRan(report);
    } catch (error) {
      this.#engine.logger.warn("what ran could not be put down", {
        build: this.id,
        fetch: report.fetchId,
        code: codeOf(error),
      });
    }
  }

  #makeRan(): RanImages {
    this.#closing = new Cancellation();
    return new RanImages({
      ...this.#context,
      registry: this.#engine.registry,
      past: this.#past.ran,
      find: (fetchId) => {
        const run = this.#runs.get(fetchId);
        const state = run?.state ?? this.#past.fetches.get(fetchId);
        return state === undefined ? undefined : { state, source: run?.request.source };
      },
      signal: this.#closing,
    });
  }

  #closedHere(): FetchImageError {
    return new FetchImageError("FI_ENGINE_CLOSED", { message: `build ${this.id} was closed here` });
  }

  /** Stops working on the build without a fact. */
  #letGo(why: FetchImageError): void {
    this.#engine.flights.turnAway(why, this);
    // All at once, before any lets go: a nested image must not take its step's end for an abort.
    for (const run of this.#runs.values()) run.halt();
    for (const run of this.#runs.values()) run.stop(why);
  }

  /** The fetch goes on by itself, in the place that was taken for it: it is nobody's yet. */
  #start(request: FetchImageRequest): FetchRun {
    const { traits, settings, hash, flights } = this.#engine;
    try {
      const past = this.#past.fetches.get(request.getPlan.id);
      const read = readRequest(request, traits, settings, hash);
      this.#learnSecrets(read.secrets);
      const fact = past === undefined ? read.fact : resumedRequest(read, past);
      const asked = traceContextOf(request) ?? this.#trace ?? this.#past.traces.get(fact.fetchId);
      const trace = cutTrace(asked, this.#redact);
      const isAsRead = fact === read.fact && trace === undefined;
      const run = new FetchRun(this.#context, request, isAsRead ? read : { trace, ...read, fact });
      this.#runs.set(request.getPlan.id, run);
      const flight = flights.began(run);
      const onEnd = (error?: FetchImageError) => {
        this.#ended(run, flight, error);
      };
      run.onEnd = onEnd;
      this.#run(run, past);
      return run;
    } catch (error) {
      flights.leave();
      throw error;
    }
  }

  #run(run: FetchRun, past: FetchState | undefined): void {
    const { scopes, telemetry } = this.#engine;
    const { fact, trace } = run.request;
    const before = this.#past.traces.get(fact.fetchId);
    run.listener = telemetry.fetchBegun?.(
      { buildId: this.id, request: fact, trace, before, redact: this.#redact },
      past !== undefined,
    );
    const { scope } = fact;
    const isToBeRead =
      scope !== undefined &&
      scopes !== undefined &&
      (past === undefined ? scopes.isReadFirst(scope) : !scopes.isLoaded(scope));
    if (isToBeRead) void this.#runLater(run, past, scopes.load(scope));
    else this.#begin(run, past);
  }

  async #runLater(run: FetchRun, past: FetchState | undefined, loading: Promise<unknown>): Promise<void> {
    try {
      await loading;
    } catch (error) {
      run.stop(ofOurs(error));
    }
    if (!run.stopped) this.#begin(run, past);
  }

  #begin(run: FetchRun, past: FetchState | undefined): void {
    try {
      if (past === undefined) run.begin();
      else run.resume(past, this.#past.causes.get(run.asker.fetchId));
      run.abortIfUnwanted();
    } catch (error) {
      run.stop(ofOurs(error));
    }
  }

  /** Once for each fetch: its end is durable, or it stops here without one. */
  #ended(run: FetchRun, flight: Slot<Flight>, error: FetchImageError | undefined): void {
    run.listener?.ended(error === undefined ? undefined : codeOf(error), !run.stopped);
    // Nothing was stored: the same plan may be tried again.
    if (run.state === undefined) this.#runs.delete(run.asker.fetchId);
    const ended = run.stopped || run.state === undefined || !isFinished(run.state) ? undefined : run.state;
    this.#engine.flights.ended(flight, ended !== undefined);
    if (ended !== undefined) this.#endLeftBehind(ended);
  }

  #endLeftBehind(ended: FetchState): void {
    if (this.#past.fetches.size === 0) return;
    const reason = "the step that it was for has ended";
    for (const { fetchId, request, read, state } of leftBehind(ended, this.#past)) {
      const running = this.#runs.get(fetchId);
      if (running !== undefined) {
        running.leaveUnlessCalled(reason);
        continue;
      }
      const run = new FetchRun(this.#context, request, read);
      this.#runs.set(fetchId, run);
      run.abandon(state, this.#past.causes.get(fetchId), reason);
    }
  }

  #learnSecrets(secrets: readonly string[]): void {
    if (secrets.length === 0) return;
    this.#secrets ??= new Set();
    const before = this.#secrets.size;
    for (const secret of secrets) this.#secrets.add(secret);
    if (this.#secrets.size === before) return;
    this.#redact = redactor([...this.#secrets]);
    this.#scanner = undefined;
  }

  #makeArtifactImages(): ArtifactImages {
    return new ArtifactImages({
      ...this.#context,
      pusher: this.#engine.artifactPusher,
      past: this.#past.artifactImages,
      fetch: async (fetchId, signal) => {
        const run = this.#runs.get(fetchId);
        await run?.waitFor(signal);
        return run === undefined ? this.#past.fetches.get(fetchId) : run.state;
      },
    });
  }

  #makeEvents(): BuildEvents {
    const { eventLog } = this.#engine;
    return new BuildEvents({
      ...this.#context,
      opening: this.#opening,
      past: this.#past.events,
      goesOn: this.#past.revision !== undefined,
      scanner: () => (this.#scanner ??= new SecretScanner([...(this.#secrets ?? [])])),
      seal: () => logSeal(eventLog, this.id),
    });
  }

  #stampTime(): number {
    this.#time = Math.max(this.#time, this.#engine.clock.now());
    this.#firstTime ??= this.#time;
    return this.#time;
  }

  #prefaceContext(): PrefaceContext {
    const { node, hash } = this.#engine;
    const at = this.#firstTime ?? this.#stampTime();
    const trace = cutTrace(this.#trace, this.#redact);
    return { node, hash, at, opening: this.#opening, writer: this.#past.writer, trace };
  }
}

/**
 * The stored request stands, but for the scope: where another login than the first process's is configured here, its
 * answer belongs to the scope of those who ask with it.
 */
function resumedRequest({ fact }: ReadRequest, past: FetchState): FetchRequest {
  const { request } = past.snapshot.context;
  return request.scope === undefined || fact.scope === undefined ? request : { ...request, scope: fact.scope };
}

function ofOurs(error: unknown): FetchImageError {
  return FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error });
}

function same(text: string): string {
  return text;
}
