import {
  buildFactToStore,
  buildStream,
  type BuildState,
  decodeBuildFact,
  type ExpectedRevision,
  FetchImageError,
  fetchImagePlan,
  type FetchRequest,
  type FetchState,
  type ImageResource,
  type ImageSpec,
  isFinished,
  type JsonObject,
  type NewFact,
  type RecordedBuildFact,
  rendererVersion,
  replayBuild,
  type ResourceType,
} from "@fetch-image/core";
import type { BuildContext } from "./build-context.ts";
import { BuildWriter } from "./build-writer.ts";
import type { EngineContext } from "./engine-context.ts";
import { FetchRun, outcomeOf } from "./fetch-run.ts";
import { redactor } from "./redact.ts";
import { type FetchImageRequest, readRequest, type ReadRequest } from "./request.ts";
import { type FetchSummary, resumable, summarize } from "./stored-fetch.ts";

export interface OpenBuildOptions {
  /** The build's id, unique in the event log. */
  readonly id: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** The build's plan in its public form: names, types and versions only. */
  readonly plan?: JsonObject;
}

/** A task's image, as its step hands it over. */
export interface FetchTaskImageRequest {
  /** The id of the task's plan. */
  readonly stepId: string;
  readonly imageResource: ImageResource;
  readonly resourceTypes: readonly ResourceType[];
  readonly privileged: boolean;
  readonly tags?: readonly string[];
  /** The build was triggered by hand: ask whatever the check interval says. */
  readonly skipInterval?: boolean;
  readonly signal?: AbortSignal;
  readonly secrets?: readonly string[];
}

export interface Build extends AsyncDisposable {
  readonly id: string;
  /**
   * Resolves the image, or fetches its artifact; resolves once the last fact is durable. The same get plan in the same
   * build is the same fetch: a second call, after a crash too, joins it or gives its result.
   * Rejects with a `FetchImageError`.
   */
  fetchImage(request: FetchImageRequest): Promise<ImageSpec>;
  /** The task delegate: plans check and get of an `image_resource`, announces them in the build log, and fetches. */
  fetchTaskImage(request: FetchTaskImageRequest): Promise<ImageSpec>;
  /** The fetches so far, in the order they were requested. */
  fetches(): readonly FetchSummary[];
  /** Resolves when every fact so far is durable. */
  drained(): Promise<void>;
  /**
   * Lets go of the build: its fetches in flight stop without a fact, and whoever opens it next resumes them. A build that
   * has ended must be closed, since its fetches are kept in memory until then.
   */
  close(): Promise<void>;
}

/** Reads the build's stream, takes it over where another process wrote it, and resumes what was in flight. */
export async function openBuild(
  engine: EngineContext,
  options: OpenBuildOptions,
  onEnd: () => void,
): Promise<OpenBuild> {
  const stream = buildStream(options.id);
  const facts: RecordedBuildFact[] = [];
  for (const recorded of await engine.eventLog.read(stream)) {
    const decoded = decodeBuildFact(recorded);
    if (decoded.known) facts.push(decoded.fact);
    else throw tooNew(stream, recorded.type);
  }
  const build = new OpenBuild(engine, options, replayBuild(facts), onEnd);
  await build.takeOver();
  return build;
}

/** An open build in this process. */
export class OpenBuild implements Build {
  readonly id: string;
  readonly #engine: EngineContext;
  readonly #options: OpenBuildOptions;
  /** Tells this opening from an earlier one in this process, whose append may still be under way. */
  readonly #opening: number;
  readonly #stream: string;
  readonly #past: BuildState;
  readonly #writer: BuildWriter;
  readonly #runs = new Map<string, FetchRun>();
  readonly #onEnd: () => void;
  readonly #context: BuildContext;
  #closed: FetchImageError | undefined;
  #time: number;
  /** When the first of this process's facts was made: what stands before it is not younger. */
  #firstTime: number | undefined;
  #secrets = new Set<string>();
  #redact: (text: string) => string = (text) => text;

  constructor(engine: EngineContext, options: OpenBuildOptions, past: BuildState, onEnd: () => void) {
    this.id = options.id;
    this.#onEnd = onEnd;
    this.#engine = engine;
    this.#opening = engine.nextOpening();
    this.#options = options;
    this.#stream = buildStream(options.id);
    this.#past = past;
    this.#time = past.time;
    this.#writer = new BuildWriter({
      ...engine,
      stream: this.#stream,
      storePatienceMs: engine.settings.storePatienceMs,
      revision: past.revision,
      preface: (expected) => this.#preface(expected),
      onConflict: (conflict) => this.#explainConflict(conflict),
      onFailure: onEnd,
    });
    this.#context = {
      ...engine,
      buildId: options.id,
      team: options.team ?? past.opened?.team,
      pipeline: options.pipeline ?? past.opened?.pipeline,
      job: options.job ?? past.opened?.job,
      stream: this.#stream,
      stampTime: () => this.#stampTime(),
      submit: (facts) => this.#writer.submit(facts),
      redact: (text) => this.#redact(text),
      fetchImage: (request) => this.fetchImage(request),
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
      try {
        this.#start(request, state);
      } catch (error) {
        // It waits for its scheduler's own call, which is told.
        const code = FetchImageError.is(error) ? error.code : "FI_INTERNAL";
        this.#engine.logger.warn("a fetch could not be resumed", { build: this.id, fetch: fetchId, code });
      }
    }
  }

  async fetchImage(request: FetchImageRequest): Promise<ImageSpec> {
    this.#engine.assertOpen();
    if (this.#closed !== undefined) throw this.#closed;
    const fetchId = request.getPlan.id;
    const running = this.#runs.get(fetchId);
    if (running !== undefined) return await running.waitFor(request.signal);
    const past = this.#past.fetches.get(fetchId);
    if (past !== undefined && isFinished(past)) {
      const outcome = outcomeOf(past);
      if (outcome.ok) return outcome.imageSpec;
      throw outcome.error;
    }
    if (past === undefined && request.signal?.aborted === true) {
      throw new FetchImageError("FI_ABORTED", { details: { fetch: fetchId } });
    }
    return await this.#start(request, past).waitFor(request.signal);
  }

  fetchTaskImage(request: FetchTaskImageRequest): Promise<ImageSpec> {
    const { stepId, imageResource, resourceTypes, privileged, tags, skipInterval, signal, secrets } = request;
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
    });
  }

  fetches(): readonly FetchSummary[] {
    const states = new Map(this.#past.fetches);
    for (const [fetchId, run] of this.#runs) if (run.state !== undefined) states.set(fetchId, run.state);
    return [...states].map(([fetchId, state]) => summarize(fetchId, state));
  }

  drained(): Promise<void> {
    return this.#writer.drained();
  }

  async close(): Promise<void> {
    this.#closed ??= new FetchImageError("FI_ENGINE_CLOSED", { message: `build ${this.id} was closed here` });
    // All at once, before any lets go: a nested image must not take its step's end for an abort.
    for (const run of this.#runs.values()) run.halt();
    for (const run of this.#runs.values()) run.stop(this.#closed);
    await this.#writer.drained();
    this.#onEnd();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The fetch goes on by itself: it is nobody's yet. */
  #start(request: FetchImageRequest, past: FetchState | undefined): FetchRun {
    const { traits, settings, hash } = this.#engine;
    const read = readRequest(request, traits, settings, hash);
    this.#learnSecrets(read.secrets);
    const fact = past === undefined ? read.fact : resumedRequest(read, past);
    const run = new FetchRun(this.#context, request, { ...read, fact });
    this.#runs.set(request.getPlan.id, run);
    void this.#run(run, past);
    return run;
  }

  async #run(run: FetchRun, past: FetchState | undefined): Promise<void> {
    const { scopes, telemetry } = this.#engine;
    const { fetchId } = run.asker;
    const ended = telemetry.fetchBegun();
    try {
      const { scope } = run.request.fact;
      if (scope !== undefined && scopes?.isLoaded(scope) === false) await scopes.load(scope);
      if (past === undefined) run.begin();
      else run.resume(past, this.#past.causes.get(fetchId));
      run.abortIfUnwanted();
      await run.settled;
      ended("ok");
    } catch (error) {
      ended("failed");
      if (run.state !== undefined) return;
      // Nothing was stored: whoever waits is told, and the same plan may be tried again.
      run.stop(FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error }));
      this.#runs.delete(fetchId);
    } finally {
      if (run.state !== undefined && isFinished(run.state)) this.#endLeftBehind(run.state);
    }
  }

  /** Images for the steps of a fetch that has ended, of which a dead process left the fetches: nobody waits for them. */
  #endLeftBehind({ snapshot }: FetchState): void {
    const { getPlan, checkPlan } = snapshot.context.request;
    for (const [fetchId, state] of this.#past.fetches) {
      const isNested = [getPlan["id"], checkPlan?.["id"]].some(
        (planId) => typeof planId === "string" && fetchId.startsWith(`${planId}/`),
      );
      if (!isNested || isFinished(state) || this.#runs.has(fetchId)) continue;
      const fact = state.snapshot.context.request;
      const { name, type, source, privileged } = fact;
      const request = { getPlan: { id: fetchId, get: { name, type, source } }, privileged };
      const asked = { source: undefined, repository: undefined, credential: null, secrets: [] };
      const run = new FetchRun(this.#context, request, { fact, ...asked, interval: "never", skipInterval: false });
      this.#runs.set(fetchId, run);
      run.abandon(state, this.#past.causes.get(fetchId), "the step that it was for has ended");
    }
  }

  #learnSecrets(secrets: readonly string[]): void {
    const before = this.#secrets.size;
    for (const secret of secrets) this.#secrets.add(secret);
    if (this.#secrets.size > before) this.#redact = redactor([...this.#secrets]);
  }

  #stampTime(): number {
    this.#time = Math.max(this.#time, this.#engine.clock.now());
    this.#firstTime ??= this.#time;
    return this.#time;
  }

  /** The facts that stand before the first one this process writes. */
  #preface(expected: ExpectedRevision): NewFact[] {
    const { node, hash } = this.#engine;
    const { id, team, pipeline, job, plan } = this.#options;
    const context = { stream: this.#stream, buildId: id, node, at: this.#firstTime ?? this.#stampTime() };
    if (expected !== "no-stream") {
      // The incarnation is part of the id: two nodes that adopt at one revision must not pass for one.
      const key = `adopted\n${expected}\n${node}\n${this.#opening}`;
      const from = this.#past.writer ?? "";
      return [buildFactToStore({ type: "BuildAdopted", data: { buildId: id, from } }, { ...context, key }, hash)];
    }
    const opened = {
      buildId: id,
      ...(team === undefined ? {} : { team }),
      ...(pipeline === undefined ? {} : { pipeline }),
      ...(job === undefined ? {} : { job }),
      renderer: rendererVersion,
    };
    const first = buildFactToStore(
      { type: "BuildOpened", data: opened },
      { ...context, key: `opened\n${node}\n${this.#opening}` },
      hash,
    );
    if (plan === undefined) return [first];
    const planned = { type: "BuildPlanned", data: { buildId: id, plan } } as const;
    return [first, buildFactToStore(planned, { ...context, key: `planned\n${node}\n${this.#opening}` }, hash)];
  }

  async #explainConflict(conflict: FetchImageError): Promise<FetchImageError> {
    const recorded = await this.#engine.eventLog.read(this.#stream, { direction: "backwards" });
    const adoption = recorded.find(({ type }) => type === "BuildAdopted" || type === "BuildOpened");
    const writer = adoption?.metadata["node"];
    if (writer === this.#engine.node || typeof writer !== "string") return conflict;
    return new FetchImageError("FI_BUILD_ADOPTED", {
      message: `build ${this.id} is written by ${writer} now; ${this.#engine.node} writes nothing more of it`,
      details: { build: this.id, writer, node: this.#engine.node },
      cause: conflict,
    });
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

function tooNew(stream: string, type: string): FetchImageError {
  return new FetchImageError("FI_STORE_TOO_NEW", {
    message: `${stream} holds a ${type}, which this version does not know: it may be read, not written`,
    details: { stream, type },
  });
}
