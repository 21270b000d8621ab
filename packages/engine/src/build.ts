import {
  buildStream,
  type ImageSpec,
  isFinished,
  type RanVerdict,
  type TraceContext,
} from "@fetch-image/core/fetching";
import type { ArtifactImageRequest } from "./artifact-images.ts";
import type { Build, FetchTaskImageRequest, OpenBuildOptions } from "./build-api.ts";
import type { BuildContext } from "./build-context.ts";
import type { BuildEvent } from "./build-events.ts";
import { BuildFetches } from "./build-fetches.ts";
import { explainConflict, preface, type PrefaceContext } from "./build-preface.ts";
import { BuildRecords } from "./build-records.ts";
import { BuildSecrets } from "./build-secrets.ts";
import { BuildWriter } from "./build-writer.ts";
import type { EngineContext } from "./engine-context.ts";
import { codeOf } from "./failure.ts";
import type { RanImageReport } from "./ran-images.ts";
import type { FetchImageRequest } from "./request.ts";
import { type FetchSummary, newBuild, type PastBuild, readBuild } from "./stored-fetch.ts";
import { taskImageRequest } from "./task-image-request.ts";
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

/** An open build in this process: its one writer, and what its fetches and its other records share. */
export class OpenBuild implements Build {
  readonly id: string;
  readonly #engine: EngineContext;
  /** Tells this opening from an earlier one in this process, whose append may still be under way. */
  readonly #opening: number;
  readonly #past: PastBuild;
  readonly #trace: TraceContext | undefined;
  readonly #secrets = new BuildSecrets();
  readonly #writer: BuildWriter;
  readonly #context: BuildContext;
  readonly #fetches: BuildFetches;
  readonly #onEnd: () => void;
  #time: number;
  /** When the first of this process's facts was made: what stands before it is not younger. */
  #firstTime: number | undefined;
  /** Made when there is one. */
  #records: BuildRecords | undefined;

  constructor(engine: EngineContext, options: OpenBuildOptions, past: PastBuild, onEnd: () => void) {
    this.id = options.id;
    this.#onEnd = onEnd;
    this.#engine = engine;
    this.#opening = engine.nextOpening();
    this.#past = past;
    this.#trace = traceContextOf(options);
    this.#time = past.time;
    const { eventLog, ticker, clock, logger, node, hash, telemetry, policy, stepRunner, artifacts, scopes } = engine;
    const stream = buildStream(options.id);
    this.#writer = new BuildWriter({
      eventLog,
      ticker,
      clock,
      logger,
      stream,
      storePatienceMs: engine.settings.storePatienceMs,
      revision: past.revision,
      preface: (expected) => preface(options, expected, this.#prefaceContext()),
      onConflict: (conflict) => explainConflict(engine, options.id, conflict),
      onFailure: (error) => {
        this.#fetches.letGo(error);
        onEnd();
      },
    });
    if (options.secrets !== undefined) this.#secrets.learn(options.secrets);
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
      stream,
      stampTime: () => this.#stampTime(),
      write: (facts, writes) => {
        this.#writer.write(facts, writes);
      },
      submit: (facts) => this.#writer.submit(facts),
      redact: (text) => this.#secrets.redact(text),
      fetchImage: (request) => this.#fetches.fetchForStep(request),
      ran: (report) => this.#recordQuietly(report),
    };
    this.#fetches = new BuildFetches({
      engine,
      context: this.#context,
      past,
      secrets: this.#secrets,
      writer: this.#writer,
      trace: this.#trace,
    });
  }

  /** Fences the node that wrote before, where fetches are in flight, and goes on with those that need nobody's secrets. */
  async takeOver(): Promise<void> {
    const unfinished = new Map([...this.#past.fetches].filter(([, state]) => !isFinished(state)));
    if (unfinished.size === 0) return;
    await this.#writer.announce();
    this.#fetches.resume(unfinished);
  }

  fetchImage(request: FetchImageRequest): Promise<ImageSpec> {
    return this.#fetches.fetchImage(request);
  }

  fetchTaskImage(request: FetchTaskImageRequest): Promise<ImageSpec> {
    return this.fetchImage(taskImageRequest(request));
  }

  async resolveArtifactImage(request: ArtifactImageRequest): Promise<ImageSpec> {
    return await this.#openRecords().resolveArtifactImage(request);
  }

  async append(event: BuildEvent): Promise<void> {
    await this.#openRecords().append(event);
  }

  async recordRan(report: RanImageReport): Promise<RanVerdict> {
    return await this.#openRecords().recordRan(report);
  }

  fetches(): readonly FetchSummary[] {
    return this.#fetches.list();
  }

  /** Facts that are not yet on their way to the store. */
  get factsWaiting(): number {
    return this.#writer.waiting;
  }

  drained(): Promise<void> {
    return this.#writer.drained();
  }

  async close(): Promise<void> {
    this.#records?.stopAsking("the build was closed");
    this.#fetches.close();
    if (this.#records !== undefined) await this.#records.end();
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

  #openRecords(): BuildRecords {
    this.#fetches.assertOpen();
    this.#records ??= new BuildRecords({
      engine: this.#engine,
      context: this.#context,
      past: this.#past,
      secrets: this.#secrets,
      fetches: this.#fetches,
      opening: this.#opening,
    });
    return this.#records;
  }

  #stampTime(): number {
    this.#time = Math.max(this.#time, this.#engine.clock.now());
    this.#firstTime ??= this.#time;
    return this.#time;
  }

  #prefaceContext(): PrefaceContext {
    const { node, hash } = this.#engine;
    const at = this.#firstTime ?? this.#stampTime();
    const trace = cutTrace(this.#trace, this.#secrets.redact);
    return { node, hash, at, opening: this.#opening, writer: this.#past.writer, trace };
  }
}
