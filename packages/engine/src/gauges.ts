import type { TelemetryMeter } from "@fetch-image/core/fetching";
import type { Flights } from "./flights.ts";
import type { ProjectionLag } from "./projection-lag.ts";

export interface GaugeOptions {
  readonly flights: Flights;
  readonly openBuilds: () => number;
  /** Undefined where nothing is projected. */
  readonly lag: (() => Promise<ProjectionLag>) | undefined;
}

/** What is read whenever the host's meter exports. The returned function takes it all away again. */
export function observeGauges(meter: TelemetryMeter | undefined, options: GaugeOptions): () => void {
  if (meter?.createObservableGauge === undefined) return () => {};
  const { flights, openBuilds, lag } = options;
  const removals: (() => void)[] = [];
  const gauge = (name: string, description: string, unit: string, read: () => number | Promise<number>) => {
    const observed = meter.createObservableGauge?.(`fetch_image.${name}`, { description, unit });
    const callback = async (observer: { observe(value: number): void }) => {
      try {
        observer.observe(await read());
      } catch {
        // A store that is away is told of by `health`; a gauge has no value then.
      }
    };
    observed?.addCallback(callback);
    removals.push(() => observed?.removeCallback(callback));
  };
  gauge("fetches.in_flight", "Fetches in flight", "{fetch}", () => flights.inFlight);
  gauge("fetches.waiting", "Fetches that wait for a place among those in flight", "{fetch}", () => flights.waiting);
  gauge("fetches.refused", "Fetches turned away since the start", "{fetch}", () => flights.refused);
  gauge("fetches.oldest_age", "Age of the fetch longest in flight", "ms", () => flights.oldestAgeMs ?? 0);
  gauge("builds.open", "Builds open for writing", "{build}", openBuilds);
  if (lag !== undefined) {
    // One reading of the stores serves both, when they are asked for together.
    let reading: Promise<ProjectionLag> | undefined;
    const read = () =>
      (reading ??= lag().finally(() => {
        reading = undefined;
      }));
    gauge(
      "projection.lag",
      "Facts stored and not yet projected, 1000 at most",
      "{fact}",
      async () => (await read()).facts,
    );
    gauge(
      "projection.lag_age",
      "Age of the oldest fact not projected",
      "ms",
      async () => (await read()).oldestAgeMs ?? 0,
    );
  }
  return () => {
    for (const remove of removals) remove();
  };
}
