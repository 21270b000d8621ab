import {
  type Clock,
  type EventLog,
  FetchImageError,
  type FetchImageErrorCode,
  type ReadModel,
  scopeStream,
} from "@fetch-image/core/fetching";
import type { Flights } from "./flights.ts";
import type { EngineSettings } from "./options.ts";
import { type ProjectionLag, projectionLag } from "./projection-lag.ts";

/** How an engine is, for the probes and the gauges of its host. */
export interface Health {
  /** For a liveness probe: false once the engine is closed. A store that is away is no reason to start a process anew. */
  readonly live: boolean;
  /** For a readiness probe: whether a fetch that is asked for now is taken, and its facts can be stored. */
  readonly ready: boolean;
  /** Why it is not ready, a sentence each; empty where it is. */
  readonly reasons: readonly string[];
  readonly state: "open" | "closing" | "closed";
  /** Whether a small read was answered within the deadline, and in how many milliseconds. */
  readonly store: { readonly answers: true; readonly ms: number } | Unanswered;
  readonly fetches: {
    readonly inFlight: number;
    readonly waiting: number;
    /** Since the engine was made. */
    readonly refused: number;
    readonly maxFetches: number;
    readonly maxWaitingFetches: number;
    /** Of the one that is longest in flight, in milliseconds. */
    readonly oldestAgeMs?: number;
  };
  /** Builds that are open, and facts of them that wait to go to the store. */
  readonly builds: { readonly open: number; readonly factsWaiting: number };
  /** How far the read model is behind; absent where the engine has none. Nothing is decided on it: a lag is no unreadiness. */
  readonly projection?: ProjectionLag | Unanswered;
}

export interface Unanswered {
  readonly answers: false;
  readonly code: FetchImageErrorCode;
  readonly message: string;
}

export interface HealthOptions {
  /** How long each of the stores may take, in milliseconds. Default: 2000. */
  readonly deadlineMs?: number;
  /** The most facts of the projection's lag that are counted: those are read. Default: 1000. */
  readonly countUpTo?: number;
}

export interface HealthView {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel | undefined;
  readonly clock: Clock;
  readonly flights: Flights;
  readonly settings: EngineSettings;
  readonly state: Health["state"];
  readonly builds: Health["builds"];
}

/** Never rejects. */
export async function healthOf(view: HealthView, options: HealthOptions = {}): Promise<Health> {
  const { eventLog, readModel, clock, flights, settings, state, builds } = view;
  const { deadlineMs = 2000, countUpTo = 1000 } = options;
  const { maxFetches, maxWaitingFetches } = settings;
  const [store, projection] = await Promise.all([
    // No scope has this name: what is measured is the way there and back.
    answered(eventLog.read(scopeStream("0"), { limit: 1 }), "the event store", { clock, deadlineMs }),
    readModel === undefined
      ? undefined
      : answered(projectionLag({ eventLog, readModel, clock }, { countUpTo }), "the read model", { clock, deadlineMs }),
  ]);
  const { inFlight, waiting, refused, oldestAgeMs } = flights;
  const reasons = [
    ...(state === "open" ? [] : [`the engine is ${state}`]),
    ...(store.answers ? [] : [`the event store does not answer: ${store.message}`]),
    ...(flights.full ? [`${inFlight} fetches are in flight and ${waiting} wait: no more are taken`] : []),
  ];
  return {
    live: state !== "closed",
    ready: reasons.length === 0,
    reasons,
    state,
    store: store.answers ? { answers: true, ms: store.ms } : store,
    fetches: {
      inFlight,
      waiting,
      refused,
      maxFetches,
      maxWaitingFetches,
      ...(oldestAgeMs === undefined ? {} : { oldestAgeMs }),
    },
    builds,
    ...(projection === undefined ? {} : { projection: projection.answers ? projection.value : projection }),
  };
}

type Answered<T> = { readonly answers: true; readonly value: T; readonly ms: number } | Unanswered;

async function answered<T>(
  asking: Promise<T>,
  whom: string,
  { clock, deadlineMs }: { readonly clock: Clock; readonly deadlineMs: number },
): Promise<Answered<T>> {
  const from = clock.now();
  let cancel: () => void = () => {};
  const late = new Promise<Unanswered>((resolve) => {
    cancel = clock.after(deadlineMs, () => {
      const message = `${whom} gave no answer within ${deadlineMs} ms`;
      resolve({ answers: false, code: "FI_STORE_UNAVAILABLE", message });
    });
  });
  const given = asking.then(
    (value): Answered<T> => ({ answers: true, value, ms: clock.now() - from }),
    (error: unknown): Answered<T> =>
      FetchImageError.is(error)
        ? { answers: false, code: error.code, message: error.message }
        : { answers: false, code: "FI_INTERNAL", message: `${whom} failed in a way it does not tell of` },
  );
  try {
    return await Promise.race([given, late]);
  } finally {
    cancel();
  }
}
