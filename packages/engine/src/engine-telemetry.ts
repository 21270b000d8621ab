import type { ResolvedVia, Telemetry } from "@fetch-image/core";

/** The engine's own measurements, by OpenTelemetry's names. No attribute ever holds an image's name or a secret. */
export interface EngineTelemetry {
  fetchBegun(): (outcome: "ok" | "failed") => void;
  fetchResumed(): void;
  fetchEnded(state: string, via: ResolvedVia | undefined): void;
}

export function createEngineTelemetry(telemetry: Telemetry | undefined, now: () => number): EngineTelemetry {
  const { meter, tracer } = telemetry ?? {};
  const ended = meter?.createCounter("fetch_image.fetches", { description: "Fetches ended, by state and choice" });
  const resumed = meter?.createCounter("fetch_image.resumed", { description: "Fetches taken over from a stream" });
  const duration = meter?.createHistogram("fetch_image.duration", {
    description: "From the request to its last durable fact",
    unit: "ms",
  });
  return {
    fetchBegun() {
      const from = now();
      const span = tracer?.startSpan("fetch-image");
      return (outcome) => {
        duration?.record(now() - from, { outcome });
        // 1 is OK and 2 is ERROR in OpenTelemetry's SpanStatusCode.
        span?.setStatus({ code: outcome === "ok" ? 1 : 2 });
        span?.end();
      };
    },
    fetchResumed() {
      resumed?.add(1);
    },
    fetchEnded(state, via) {
      ended?.add(1, { state, via: via ?? "none" });
    },
  };
}
