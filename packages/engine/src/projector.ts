import {
  buildStreamPrefix,
  type Clock,
  decodeFact,
  type EventLog,
  FetchImageError,
  type Logger,
  type Position,
  projectFacts,
  type ReadModel,
  type RecordedBuildFact,
  type RecordedScopeFact,
  scopeStreamPrefix,
} from "@fetch-image/core";

export interface ProjectorOptions {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ProjectionProgress {
  /** Facts projected by this call. */
  readonly facts: number;
  readonly position: Position | undefined;
}

/** Projects facts into the read model, each once: several projectors may run on one read model. */
export interface Projector {
  /** Projects up to the head of the log as it stands now. */
  catchUp(onPage?: (progress: ProjectionProgress) => void): Promise<ProjectionProgress>;
  /** Empties the read model, and projects every fact anew. */
  rebuild(onPage?: (progress: ProjectionProgress) => void): Promise<ProjectionProgress>;
  /** Follows the log until `signal` aborts; failures are logged and tried again. */
  follow(signal: AbortSignal): Promise<void>;
}

const pageSize = 1000;
const filter = { streamPrefixes: [buildStreamPrefix, scopeStreamPrefix] } as const;

export function createProjector(options: ProjectorOptions): Projector {
  const { eventLog, readModel, clock, logger } = options;

  // Projections of one process take turns: a page is read and applied before the next reads the checkpoint.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const result = turn.then(run);
    turn = result.catch(() => {});
    return result;
  };

  async function toHead(onPage?: (progress: ProjectionProgress) => void): Promise<ProjectionProgress> {
    let facts = 0;
    let from = await readModel.checkpoint();
    for (;;) {
      const page = await eventLog.readAll({ ...(from === undefined ? {} : { after: from }), filter, limit: pageSize });
      if (page.next === undefined || page.next === from) return { facts, position: from };
      const known: (RecordedBuildFact | RecordedScopeFact)[] = [];
      for (const recorded of page.facts) {
        const decoded = decodeFact(recorded);
        if (decoded.known) known.push(decoded.fact);
        else
          logger.warn("a fact of a newer version is not projected", { stream: recorded.stream, type: recorded.type });
      }
      const outcome = await readModel.apply(projectFacts(known), { from, to: page.next });
      if (outcome === "moved-by-another") {
        from = await readModel.checkpoint();
        continue;
      }
      facts += known.length;
      from = page.next;
      onPage?.({ facts, position: from });
      if (page.end) return { facts, position: from };
    }
  }

  return {
    catchUp: (onPage) => inTurn(() => toHead(onPage)),
    rebuild: (onPage) =>
      inTurn(async () => {
        await readModel.reset();
        return await toHead(onPage);
      }),
    async follow(signal) {
      while (!signal.aborted) {
        try {
          const after = await readModel.checkpoint();
          // A message is only the wake-up: what came while a page was projected makes the next one.
          const messages = eventLog.subscribe({ ...(after === undefined ? {} : { after }), filter, signal });
          await onEachBurst(messages, () => inTurn(() => toHead()));
        } catch (error) {
          const code = FetchImageError.is(error) ? error.code : "FI_INTERNAL";
          logger.warn("projecting stopped and is tried again", { code });
          await new Promise<void>((resolve) => {
            const goOn = () => {
              cancel();
              signal.removeEventListener("abort", goOn);
              resolve();
            };
            const cancel = clock.after(1000, goOn);
            signal.addEventListener("abort", goOn);
          });
        }
      }
    },
  };
}

/** Calls `work` after a message, and once more after all that came while it worked. Rejects as soon as `work` does. */
async function onEachBurst(messages: AsyncIterable<unknown>, work: () => Promise<unknown>): Promise<void> {
  const state: { behind: boolean; working: Promise<void> | undefined; failure: unknown } = {
    behind: false,
    working: undefined,
    failure: undefined,
  };
  const run = async () => {
    try {
      for (; state.behind;) {
        state.behind = false;
        await work();
      }
    } catch (error) {
      state.failure = error;
    }
    state.working = undefined;
  };
  for await (const _ of messages) {
    state.behind = true;
    state.working ??= run();
    if (state.failure !== undefined) throw state.failure;
  }
  await state.working;
}
