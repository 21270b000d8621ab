import {
  buildStream,
  buildStreamPrefix,
  type EventLog,
  type Position,
  type ReadModel,
  type RecordedFact,
} from "@fetch-image/core";
import { buildStreams } from "../fetches/live-fetches.ts";
import { BuildActors } from "./build-actors.ts";
import type { StatelyMessage } from "./messages.ts";

export interface StatelyFeedOptions {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  /** Brings the read model up to the head of the log. */
  readonly catchUp: () => Promise<unknown>;
  /** The fetches that are told of at first, those requested last, with all that has happened to them. */
  readonly recent: number;
}

const pageSize = 512;
/** Builds that are remembered as told of; of an older one that moves again everything is told anew. */
const mostRemembered = 10_000;

/** What has happened to the newest fetches, the oldest first, and then what happens to any, until `signal` aborts. */
export async function* statelyMessages(
  { eventLog, readModel, catchUp, recent }: StatelyFeedOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly StatelyMessage[], void> {
  await catchUp();
  const position = await readModel.checkpoint();
  const builds = new Told();
  const rows = recent === 0 ? [] : await readModel.images({}, { limit: recent });
  for (const buildId of new Set(rows.map((row) => row.buildId).toReversed())) {
    if (signal.aborted) return;
    yield* whole(eventLog, builds.begin(buildId), buildId);
  }
  const after: { readonly after?: Position } = position === undefined ? {} : { after: position };
  for await (const message of eventLog.subscribe({ ...after, filter: buildStreams, signal })) {
    if (message.kind !== "fact") continue;
    const { fact } = message;
    const buildId = fact.stream.slice(buildStreamPrefix.length);
    const known = builds.get(buildId);
    if (known === undefined && fact.revision > 0n) {
      yield* whole(eventLog, builds.begin(buildId), buildId);
      continue;
    }
    const actors = known ?? builds.begin(buildId);
    if (fact.revision < actors.revision) continue;
    const messages = told(actors, [fact]);
    if (messages.length > 0) yield messages;
  }
}

/** Everything that a build's stream has now. */
async function* whole(
  eventLog: EventLog,
  actors: BuildActors,
  buildId: string,
): AsyncGenerator<readonly StatelyMessage[], void> {
  for (;;) {
    const facts = await eventLog.read(buildStream(buildId), { from: actors.revision, limit: pageSize });
    const messages = told(actors, facts);
    if (messages.length > 0) yield messages;
    if (facts.length < pageSize) return;
  }
}

function told(actors: BuildActors, facts: readonly RecordedFact[]): readonly StatelyMessage[] {
  return facts.flatMap((fact) => actors.take(fact));
}

/** Builds that were told of; those that moved last stand last. */
class Told {
  readonly #builds = new Map<string, BuildActors>();

  begin(buildId: string): BuildActors {
    const actors = new BuildActors(buildId);
    this.#builds.set(buildId, actors);
    for (const oldest of this.#builds.keys()) {
      if (this.#builds.size <= mostRemembered) break;
      this.#builds.delete(oldest);
    }
    return actors;
  }

  get(buildId: string): BuildActors | undefined {
    const actors = this.#builds.get(buildId);
    if (actors !== undefined) {
      this.#builds.delete(buildId);
      this.#builds.set(buildId, actors);
    }
    return actors;
  }
}
