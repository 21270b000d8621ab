import type { EventLog, ImageRegistry, ReadModel, StepRunner } from "@fetch-image/core";
import { handingOn } from "../support/handing-on.ts";
import type { KillOrder, Report } from "./protocol.ts";

/**
 * Counts the moments of a run at which a death makes a difference, and dies at the one that was ordered: before and
 * after each append, question and step, and while they are under way.
 */
export class KillPoint {
  #order: KillOrder | null = null;
  #moments = { work: 0, projection: 0 };

  expect(order: KillOrder | null): void {
    this.#order = order;
    this.#moments = { work: 0, projection: 0 };
  }

  /** Performs the work, with the three moments around it; `tell` says what is known before the last of them. */
  async around<T>(work: () => Promise<T>, tell: (result: T) => void = () => {}): Promise<T> {
    if (this.#isNow("work")) die();
    const isUnderWay = this.#isNow("work");
    const result = work();
    if (isUnderWay) await this.#dieSoon(result);
    const value = await result;
    tell(value);
    if (this.#isNow("work")) die();
    return value;
  }

  /** Projects a page, in the middle of which it may die. Counted by itself: it happens beside the work, as it comes. */
  async page<T>(project: () => Promise<T>): Promise<T> {
    const isNow = this.#isNow("projection");
    const result = project();
    if (isNow) await this.#dieSoon(result);
    return await result;
  }

  #isNow(what: KillOrder["of"]): boolean {
    return ++this.#moments[what] === this.#order?.moment && what === this.#order.of;
  }

  async #dieSoon(work: Promise<unknown>): Promise<void> {
    work.catch(() => {});
    for (let turn = 0; turn < (this.#order?.turns ?? 0); turn++) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
    die();
  }
}

/** Kills this process as the kernel does: nothing is flushed, nothing is closed. */
function die(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal may take a moment, in which nothing must happen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error("the process outlived SIGKILL");
}

export function watchedLog(log: EventLog, killPoint: KillPoint, report: (report: Report) => void): EventLog {
  return {
    append: (stream, expected, facts) =>
      killPoint.around(
        () => log.append(stream, expected, facts),
        ({ revision }) => {
          const told = facts.map(({ id, data }) => ({ id, data: JSON.stringify(data) }));
          report({ say: "acknowledged", stream, revision: String(revision), facts: told });
        },
      ),
    read: (stream, options) => log.read(stream, options),
    readAll: (options) => log.readAll(options),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  };
}

export function watchedRegistry(registry: ImageRegistry, killPoint: KillPoint): ImageRegistry {
  return {
    resolve: (source, tag, options) => registry.resolve(source, tag, options),
    check: (source, options) => killPoint.around(() => registry.check(source, options)),
  };
}

/** The rest of it is read only. */
export function watchedReadModel(readModel: ReadModel, killPoint: KillPoint): ReadModel {
  return { ...handingOn(readModel), apply: (changes, move) => killPoint.page(() => readModel.apply(changes, move)) };
}

/** Steps that do nothing but say that they run. */
export function watchedSteps(killPoint: KillPoint, report: (report: Report) => void): StepRunner {
  const step = async <T>(kind: "check" | "get", context: StepPlace, result: T): Promise<T> => {
    const { buildId, effectKey, output } = context;
    return await killPoint.around(async () => {
      report({ say: "step", kind, buildId, effectKey });
      output(`${kind} runs\n`, "stderr");
      return result;
    });
  };
  return {
    check: (_plan, context) => step("check", context, [{ ref: "8d3f1c" }]),
    get: ({ id }, context) => step("get", context, { handle: `volume-of-${id}` }),
  };
}

interface StepPlace {
  readonly buildId: string;
  readonly effectKey: string;
  readonly output: (chunk: string, origin: "stdout" | "stderr") => void;
}
