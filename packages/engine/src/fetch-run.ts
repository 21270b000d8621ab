import {
  type Asker,
  begin,
  type BuildFact,
  buildFactToStore,
  type CancelSignal,
  FetchImageError,
  type FetchEffect,
  type FetchInput,
  type FetchOutput,
  type FetchState,
  type ImageSpec,
  isFinished,
  type NewFact,
  stateName,
  step,
} from "@fetch-image/core/fetching";
import { Deferred } from "./deferred.ts";
import { Owed } from "./effects/owed.ts";
import { runEffect } from "./effects/run-effect.ts";
import type { BuildContext } from "./build-context.ts";
import type { Writes } from "./build-writer.ts";
import type { FetchListener } from "./engine-telemetry.ts";
import { outcomeOf } from "./fetch-outcome.ts";
import { expectMany } from "./many-listeners.ts";
import type { FetchImageRequest, ReadRequest } from "./request.ts";

/** A fetch in this process: the machine's state, what it owes, and who waits for it. */
export class FetchRun implements Writes {
  readonly request: ReadRequest;
  readonly asked: FetchImageRequest;
  readonly build: BuildContext;
  readonly asker: Asker;
  readonly begunAt: number;
  /** Who is told of its way; nobody where no telemetry is configured. */
  listener: FetchListener | undefined;
  /** Called once, when it ends here, before whoever waits: with the error where it has one. */
  onEnd: ((error?: FetchImageError) => void) | undefined;
  readonly #settled = new Deferred<ImageSpec>();
  #state: FetchState | undefined;
  #lastInput: string | undefined;
  #owed: Owed | undefined;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;
  #done = false;
  /** Appends that are not acknowledged. */
  #underWay = 0;
  /** Made for an effect that waits for them. */
  #stored: Deferred<void> | undefined;
  /** Who waits and could do without. */
  #callers = 0;
  /** Why nobody waits any more. */
  #unwanted: string | undefined;

  constructor(build: BuildContext, asked: FetchImageRequest, request: ReadRequest) {
    this.build = build;
    this.asked = asked;
    this.request = request;
    this.begunAt = build.clock.now();
    this.asker = { buildId: build.buildId, fetchId: request.fact.fetchId };
  }

  /** Resolves once the fetch's last fact is durable; rejects with what failed it. */
  get settled(): Promise<ImageSpec> {
    return this.#settled.promise;
  }

  /**
   * As {@link settled}, for one of its callers, which its `signal` takes away with `FI_ABORTED`. The fetch ends aborted when
   * the last of them has gone; one that nobody ever called for goes on.
   */
  waitFor(signal: CancelSignal | undefined): Promise<ImageSpec> {
    this.#callers++;
    return signal === undefined ? this.settled : this.#waitUnless(signal);
  }

  async #waitUnless(signal: CancelSignal): Promise<ImageSpec> {
    const gone = new Deferred<never>();
    const leave = () => {
      if (--this.#callers === 0) this.leaveUnlessCalled("the caller's signal aborted");
      else gone.reject(new FetchImageError("FI_ABORTED", { details: { fetch: this.asker.fetchId } }));
    };
    expectMany(signal);
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    try {
      return await Promise.race([this.settled, gone.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Ends the fetch where nobody waits for it. */
  leaveUnlessCalled(reason: string): void {
    if (this.#callers > 0) return;
    this.#unwanted = reason;
    this.abortIfUnwanted();
  }

  /** Records it, once the fetch has begun. */
  abortIfUnwanted(): void {
    if (this.#unwanted !== undefined) this.abort(this.#unwanted);
  }

  /** Whether {@link settled} is. */
  get isDone(): boolean {
    return this.#done;
  }

  get state(): FetchState | undefined {
    return this.#state;
  }

  get stateName(): string | undefined {
    return this.#state === undefined ? undefined : stateName(this.#state);
  }

  begin(): void {
    const at = this.build.stampTime();
    const { state, says } = begin(this.request.fact, at);
    this.#advance({ type: "FetchRequested", data: this.request.fact }, says, state, at);
  }

  /** Continues a fetch that the build's stream holds. */
  resume(state: FetchState, lastInput: string | undefined): void {
    this.#state = state;
    this.#lastInput = lastInput;
    this.listener?.took("BuildAdopted", state);
    this.#pursue(undefined);
  }

  /** Ends a fetch that the build's stream holds and that nobody needs any more. */
  abandon(state: FetchState, lastInput: string | undefined, reason: string): void {
    this.#state = state;
    this.#lastInput = lastInput;
    this.abort(reason);
  }

  abort(reason: string): void {
    this.dispatch({ type: "FetchAborted", data: { fetchId: this.asker.fetchId, reason: this.build.redact(reason) } });
  }

  /** Whether it was stopped before its end. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes no fact any more. */
  halt(): void {
    this.#stopped = true;
  }

  /** Stops working on the fetch without a fact: another process resumes it. */
  stop(error: FetchImageError): void {
    this.#stopped = true;
    this.#letGo();
    this.#stored?.reject(error);
    if (this.#done) return;
    this.#done = true;
    this.onEnd?.(error);
    this.#settled.reject(error);
  }

  /** Takes a fact; false where it means nothing in the machine's state, and then it is not stored. */
  dispatch(input: FetchInput): boolean {
    if (this.#stopped || this.#state === undefined) return false;
    const at = this.build.stampTime();
    const next = step(this.#state, input, at);
    if (next === undefined) return false;
    this.#advance(input, next.says, next.state, at);
    return true;
  }

  /** As {@link dispatch}, for the answer to an effect: an answer to one that is owed no more is dropped. */
  answer(since: number, input: FetchInput): boolean {
    return this.#state?.owed?.since === since && this.dispatch(input);
  }

  #advance(input: BuildFact, says: readonly FetchOutput[], state: FetchState, at: number): void {
    const before = this.#state;
    const facts = this.#toStore(input, says, before?.facts ?? 0, at);
    this.#state = state;
    this.listener?.took(input.type, state);
    this.#lastInput = facts[0]?.id;
    this.#underWay++;
    this.build.write(facts, this);
    this.#pursue(before);
  }

  /** Facts of it are durable. */
  written(): void {
    if (--this.#underWay > 0) return;
    this.#stored?.resolve();
    this.#stored = undefined;
    if (this.#state !== undefined && isFinished(this.#state)) this.#finish(this.#state);
  }

  /** Facts of it are not: nothing more of the build is. */
  refused(error: FetchImageError): void {
    this.stop(error);
  }

  /** Resolves once all facts so far are durable. */
  whenStored(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    this.#stored ??= new Deferred();
    return this.#stored.promise;
  }

  #toStore(input: BuildFact, says: readonly FetchOutput[], ordinal: number, at: number): NewFact[] {
    const { buildId, hash, node, stream } = this.build;
    const { fetchId } = this.asker;
    const { trace } = this.request;
    const stored: NewFact[] = [];
    let causationId = this.#lastInput;
    for (let index = 0; index <= says.length; index++) {
      const fact = index === 0 ? input : says[index - 1];
      if (fact === undefined) break;
      const key = keyOf(fetchId, ordinal + index);
      stored.push(buildFactToStore(fact, { stream, key, buildId, causationId, node, at, trace }, hash));
      // What is said is caused by what came in.
      if (index === 0) causationId = stored[0]?.id;
    }
    return stored;
  }

  /** Runs what is owed anew, lets go of what is owed no more, and arms the timer. */
  #pursue(before: FetchState | undefined): void {
    const state = this.#state;
    if (state === undefined) return;
    if (state.owed?.since !== before?.owed?.since || before === undefined) {
      this.#letGo();
      if (state.owed !== null) this.#run(state.owed.effect, state.owed.since);
    }
    if (state.timer !== before?.timer || before === undefined) this.#arm();
  }

  #run(effect: FetchEffect, since: number): void {
    const owed = new Owed(since, this);
    this.#owed = owed;
    runEffect(this, effect, owed);
  }

  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const timer = this.#state?.timer;
    if (timer === null || timer === undefined) return;
    const { clock } = this.build;
    const fire = () => {
      const left = timer.dueAt - clock.now();
      if (left > 0) {
        this.#cancelTimer = clock.after(left, fire);
      } else {
        this.dispatch({ type: "TimerFired", data: { fetchId: this.asker.fetchId, timer: timer.name } });
      }
    };
    this.#cancelTimer = clock.after(Math.max(0, timer.dueAt - clock.now()), fire);
  }

  #letGo(): void {
    this.#owed?.end();
    this.#owed = undefined;
    if (this.#stopped) {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
    }
  }

  /** Once its last fact is durable. */
  #finish(state: FetchState): void {
    if (this.#done) return;
    this.#done = true;
    const outcome = outcomeOf(state);
    this.onEnd?.(outcome.ok ? undefined : outcome.error);
    if (outcome.ok) this.#settled.resolve(outcome.imageSpec);
    else this.#settled.reject(outcome.error);
  }
}

function keyOf(fetchId: string, ordinal: number): string {
  return `${fetchId}\n${ordinal}`;
}
