import {
  type BuildFact,
  type EventLog,
  type FetchState,
  type ImageRegistry,
  type Logger,
  stateName,
  type Telemetry,
} from "@fetch-image/core/fetching";
import { codeOf } from "./failure.ts";
import { type FetchSpans, fetchSpans, type FetchSpanOptions } from "./fetch-spans.ts";

/**
 * The engine's own measurements, by OpenTelemetry's names. No attribute of a metric ever holds a name or a secret: states,
 * choices and error codes, of which there are few, are all. What is not configured costs nothing.
 */
export interface EngineTelemetry {
  /** Whoever is told of a fetch as it goes; absent where nobody listens. */
  readonly fetchBegun?: (options: FetchSpanOptions, resumed: boolean) => FetchListener;
  /** The log, its appends timed. */
  observedLog(eventLog: EventLog): EventLog;
  /** What is asked of the registry, counted. */
  observedRegistry(registry: Asked): Asked;
}

/** The part of a registry that sends something. */
type Asked = Pick<ImageRegistry, "check">;

export interface FetchListener {
  /** A fact was taken; it led to this state. */
  took(input: BuildFact["type"], state: FetchState): void;
  /** `landed`: its last fact is durable; else it ends here without one. `code`: of what its callers meet. */
  ended(code: string | undefined, landed: boolean): void;
}

/** What the host's telemetry throws reaches no fetch: it is logged, once. */
export function createEngineTelemetry(
  telemetry: Telemetry | undefined,
  { now, logger }: { readonly now: () => number; readonly logger: Logger },
): EngineTelemetry {
  if (telemetry === undefined) return { observedLog: same, observedRegistry: same };
  const { meter } = telemetry;
  let hasThrown = false;
  const tell = (say: () => void): void => {
    try {
      say();
    } catch (error) {
      if (hasThrown) return;
      hasThrown = true;
      const name = error instanceof Error ? error.name : typeof error;
      logger.warn("telemetry threw: what it is told is incomplete, and fetches go on", { error: name });
    }
  };
  const counter = (name: string, description: string) => meter?.createCounter(`fetch_image.${name}`, { description });
  const fetches = counter("fetches", "Fetches ended, by state, choice and error");
  const resumed = counter("resumed", "Fetches taken over from a stream");
  const joined = counter("joined", "Checks that waited for another fetch's answer");
  const staleServed = counter("stale_served", "Fetches answered with an old observation, to spare a registry");
  const retries = counter("retries", "Further attempts at a check or a get");
  const checks = counter("registry.checks", "Checks asked of registries, by outcome");
  const requests = counter("registry.requests", "Requests that checks took");
  const histogram = (name: string, description: string) =>
    meter?.createHistogram(`fetch_image.${name}`, { description, unit: "ms" });
  const duration = histogram("duration", "From the request to its last durable fact");
  const appending = histogram("append.duration", "From an append to its acknowledgement, or its error");

  return {
    fetchBegun(options, isResumed) {
      const from = now();
      let spans: FetchSpans | undefined;
      let last: FetchState | undefined;
      tell(() => {
        spans = fetchSpans(telemetry, options);
        if (isResumed) resumed?.add(1);
      });
      return {
        took: (input, state) =>
          tell(() => {
            const before = last;
            last = state;
            if (input === "CheckJoined") joined?.add(1);
            if (input === "TimerFired" && before !== undefined && stateName(before) === "backing-off") retries?.add(1);
            spans?.moved(state);
          }),
        ended: (code, landed) =>
          tell(() => {
            const via = last?.resolved?.via;
            if (landed && last !== undefined) {
              const state = stateName(last);
              fetches?.add(1, { state, via: via ?? "none", ...(code === undefined ? {} : { "error.type": code }) });
              if (via === "stale-served") staleServed?.add(1);
            }
            duration?.record(now() - from, { outcome: code === undefined ? "ok" : "failed" });
            spans?.ended(code);
          }),
      };
    },

    observedLog(eventLog) {
      if (appending === undefined) return eventLog;
      return {
        append: (...args) =>
          timed(eventLog.append(...args), now, (ms, outcome) => tell(() => appending.record(ms, { outcome }))),
        read: (...args) => eventLog.read(...args),
        readAll: (...args) => eventLog.readAll(...args),
        subscribe: (...args) => eventLog.subscribe(...args),
        close: () => eventLog.close(),
      };
    },

    observedRegistry(registry) {
      if (checks === undefined) return registry;
      return {
        async check(...args) {
          try {
            const check = await registry.check(...args);
            tell(() => {
              checks.add(1, { outcome: check.versions.length > 0 ? check.via : "nothing" });
              requests?.add(check.requests);
            });
            return check;
          } catch (error) {
            tell(() => checks.add(1, { outcome: codeOf(error) }));
            throw error;
          }
        },
      };
    },
  };
}

async function timed<T>(
  work: Promise<T>,
  now: () => number,
  record: (ms: number, outcome: string) => void,
): Promise<T> {
  const from = now();
  try {
    const result = await work;
    record(now() - from, "ok");
    return result;
  } catch (error) {
    record(now() - from, codeOf(error));
    throw error;
  }
}

function same<T>(given: T): T {
  return given;
}
