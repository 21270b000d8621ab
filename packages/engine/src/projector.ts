import {
  type Clock,
  decodeFact,
  type EventLog,
  FetchImageError,
  type Logger,
  type Position,
  projectFacts,
  type ReadModel,
  type RecordedBuildFact,
  type RecordedFact,
  type RecordedScopeFact,
} from "@fetch-image/core/fetching";
import { projectedStreams, type ProjectionLag, projectionLag } from "./projection-lag.ts";

export interface ProjectorOptions {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ProjectionProgress {
  /** Facts projected by this call. */
  readonly facts: number;
  /** Facts of a newer version, passed over by this call. They stand in the log: after the upgrade, `rebuild` takes them. */
  readonly skipped: number;
  readonly position: Position | undefined;
  /** When the last of them was made: ISO 8601, UTC. */
  readonly time?: string;
}

/** Projects facts into the read model, each once: several projectors may run on one read model. */
export interface Projector {
  /** Projects up to the head of the log as it stands now. */
  catchUp(onPage?: (progress: ProjectionProgress) => void): Promise<ProjectionProgress>;
  /** Empties the read model, and projects every fact anew. */
  rebuild(onPage?: (progress: ProjectionProgress) => void): Promise<ProjectionProgress>;
  /** Follows the log until `signal` aborts; failures are logged and tried again. */
  follow(signal: AbortSignal): Promise<void>;
  /** How far the read model is behind the log: see {@link projectionLag}. */
  lag(options?: { readonly countUpTo?: number }): Promise<ProjectionLag>;
}

/** What is in memory at a time. */
const pageSize = 1000;

export function createProjector(options: ProjectorOptions): Projector {
  const { eventLog, readModel, clock, logger } = options;

  // Projections of one process take turns: a page is read and applied before the next reads the checkpoint.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const result = turn.then(run);
    turn = result.catch(() => {});
    return result;
  };

  // Whoever asks while one waits for its turn is served by that one: however many ask, one works and one waits.
  let next: Promise<ProjectionProgress> | undefined;
  const shared = (): Promise<ProjectionProgress> => {
    next ??= inTurn(() => {
      next = undefined;
      return toHead();
    });
    return next;
  };

  const warned = new Set<string>();
  const warnOnce = ({ stream, type }: RecordedFact): void => {
    if (warned.has(type) || warned.size >= 100) return;
    warned.add(type);
    logger.warn("facts of a newer version are not projected: rebuild after the upgrade", { stream, type });
  };

  /** Until `signal` aborts, at most: the page under way is the last one then. */
  async function toHead(
    onPage?: (progress: ProjectionProgress) => void,
    signal?: AbortSignal,
  ): Promise<ProjectionProgress> {
    let facts = 0;
    let skipped = 0;
    let from = await readModel.checkpoint();
    for (;;) {
      const page = await eventLog.readAll({
        ...(from === undefined ? {} : { after: from }),
        filter: projectedStreams,
        limit: pageSize,
      });
      if (page.next === undefined || page.next === from) return { facts, skipped, position: from };
      const known: (RecordedBuildFact | RecordedScopeFact)[] = [];
      for (const recorded of page.facts) {
        const decoded = decodeFact(recorded);
        if (decoded.known) known.push(decoded.fact);
        else warnOnce(recorded);
      }
      const outcome = await readModel.apply(projectFacts(known), { from, to: page.next });
      if (outcome === "moved-by-another") {
        from = await readModel.checkpoint();
        continue;
      }
      facts += known.length;
      skipped += page.facts.length - known.length;
      from = page.next;
      const time = known.at(-1)?.metadata.time;
      const progress = { facts, skipped, position: from, ...(time === undefined ? {} : { time }) };
      onPage?.(progress);
      if (page.end || signal?.aborted === true) return progress;
    }
  }

  return {
    catchUp: (onPage) => (onPage === undefined ? shared() : inTurn(() => toHead(onPage))),
    rebuild: (onPage) =>
      inTurn(async () => {
        await readModel.reset();
        return await toHead(onPage);
      }),
    lag: (lagOptions) => projectionLag({ eventLog, readModel, clock }, lagOptions),
    async follow(signal) {
      while (!signal.aborted) {
        const subscribed = new AbortController();
        const end = () => {
          subscribed.abort();
        };
        signal.addEventListener("abort", end);
        try {
          const after = await readModel.checkpoint();
          // A message is only the wake-up: what came while a page was projected makes the next one.
          const messages = eventLog.subscribe({
            ...(after === undefined ? {} : { after }),
            filter: projectedStreams,
            signal: subscribed.signal,
          });
          if (signal.aborted) end();
          await onEachBurst(messages, () => inTurn(() => toHead(undefined, signal)), end);
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
            if (signal.aborted) goOn();
          });
        } finally {
          signal.removeEventListener("abort", end);
        }
      }
    },
  };
}

/**
 * Calls `work` after a message, and once more after all that came while it worked. Rejects as `work` does, which `end`s the
 * messages, or as they do; never while `work` is under way.
 */
async function onEachBurst(
  messages: AsyncIterable<unknown>,
  work: () => Promise<unknown>,
  end: () => void,
): Promise<void> {
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
      end();
    }
    state.working = undefined;
  };
  try {
    for await (const _ of messages) {
      state.behind = true;
      state.working ??= run();
    }
  } finally {
    state.behind = false;
    await state.working;
  }
  if (state.failure !== undefined) throw state.failure;
}
