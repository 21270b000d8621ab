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
    for (const [fetchId, state] of unfinished) {
      const request = resumable(fetchId, state);
      if (request !== undefined) this.fetchImage(request).catch(() => {});
    }
  }

  async fetchImage(request: FetchImageRequest): Promise<ImageSpec> {
    this.#engine.assertOpen();
    if (this.#closed !== undefined) throw this.#closed;
    const fetchId = request.getPlan.id;
    const running = this.#runs.get(fetchId);
    if (running !== undefined) return await running.settled;
    const past = this.#past.fetches.get(fetchId);
    if (past !== undefined && isFinished(past)) {
      const outcome = outcomeOf(past);
      if (outcome.ok) return outcome.imageSpec;
      throw outcome.error;
    }
    if (request.signal?.aborted === true) throw new FetchImageError("FI_ABORTED", { details: { fetch: fetchId } });
    return await this.#run(request, past);
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
    for (const run of this.#runs.values()) run.stop(this.#closed);
    await this.#writer.drained();
    this.#onEnd();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(request: FetchImageRequest, past: FetchState | undefined): Promise<ImageSpec> {
    const { traits, settings, hash, scopes, telemetry } = this.#engine;
    const read = readRequest(request, traits, settings, hash);
    this.#learnSecrets(read.secrets);
    const run = new FetchRun(
      this.#context,
      request,
      past === undefined ? read : { ...read, fact: resumedRequest(read, past) },
    );
    this.#runs.set(request.getPlan.id, run);
    const ended = telemetry.fetchBegun();
    const onAbort = () => {
      run.abort("the caller's signal aborted");
    };
    request.signal?.addEventListener("abort", onAbort);
    try {
      const { scope } = run.request.fact;
      if (scope !== undefined && scopes?.isLoaded(scope) === false) await scopes.load(scope);
      if (past === undefined) run.begin();
      else run.resume(past, this.#past.causes.get(request.getPlan.id));
      if (request.signal?.aborted === true) onAbort();
      const imageSpec = await run.settled;
      ended("ok");
      return imageSpec;
    } catch (error) {
      ended("failed");
      if (run.state === undefined) {
        // Nothing was stored: who joined meanwhile is told, and the same plan may be tried again.
        run.stop(FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error }));
        this.#runs.delete(request.getPlan.id);
      }
      throw error;
    } finally {
      request.signal?.removeEventListener("abort", onAbort);
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
      const key = `adopted\n${expected}\n${node}`;
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
    const first = buildFactToStore({ type: "BuildOpened", data: opened }, { ...context, key: `opened\n${node}` }, hash);
    if (plan === undefined) return [first];
    const planned = { type: "BuildPlanned", data: { buildId: id, plan } } as const;
    return [first, buildFactToStore(planned, { ...context, key: `planned\n${node}` }, hash)];
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
