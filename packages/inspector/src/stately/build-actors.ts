import {
  type FetchState,
  type JsonObject,
  type RecordedBuildFact,
  type RecordedFact,
  toMachineEvent,
} from "@fetch-image/core";
import { begun, isInput, moved, readable } from "../facts/looking-on.ts";
import { buildActor, fetchActor, type StatelyMessage, step } from "./messages.ts";

/** A build and its fetches as actors: what each fact of its stream tells Stately's inspector. */
export class BuildActors {
  readonly #buildId: string;
  /** Of the fact that comes next. */
  revision = 0n;
  readonly #fetches = new Map<string, FetchState>();
  #announced = false;

  constructor(buildId: string) {
    this.#buildId = buildId;
  }

  /** Nothing for what moves no machine, and for what cannot be read. */
  take(recorded: RecordedFact): readonly StatelyMessage[] {
    this.revision = recorded.revision + 1n;
    const fact = readable(recorded);
    if (fact === undefined) return [];
    const before = this.#announced ? [] : [buildActor(this.#buildId, namesOf(fact), recorded)];
    this.#announced = true;
    return [...before, ...this.#told(fact, recorded)];
  }

  #told(fact: RecordedBuildFact, recorded: RecordedFact): readonly StatelyMessage[] {
    if (fact.type === "FetchRequested") {
      const state = begun(fact.data, fact);
      if (state === undefined) return [];
      this.#keep(fact.data.fetchId, state);
      return [fetchActor(this.#buildId, state, recorded)];
    }
    if (!isInput(fact)) return [];
    const { fetchId } = fact.data;
    const before = this.#fetches.get(fetchId);
    const state = before && moved(before, fact);
    if (state === undefined) return [];
    this.#keep(fetchId, state);
    return step(this.#buildId, { fetchId, event: toMachineEvent(fact), state }, recorded);
  }

  #keep(fetchId: string, state: FetchState): void {
    if (state.snapshot.status === "active") this.#fetches.set(fetchId, state);
    else this.#fetches.delete(fetchId);
  }
}

function namesOf(fact: RecordedBuildFact): JsonObject {
  if (fact.type !== "BuildOpened") return {};
  const { team, pipeline, job } = fact.data;
  return {
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
  };
}
