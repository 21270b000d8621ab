/** Attribute values as OpenTelemetry has them. */
export type TelemetryAttributes = { [key: string]: string | number | boolean };

/** The parts of OpenTelemetry's API that are used, by shape: `trace.getTracer(…)` and `metrics.getMeter(…)` fit as they are. */
export interface Telemetry {
  readonly tracer?: TelemetryTracer;
  readonly meter?: TelemetryMeter;
}

export interface TelemetryTracer {
  startSpan(name: string, options?: { attributes?: TelemetryAttributes }): TelemetrySpan;
}

export interface TelemetrySpan {
  setAttribute(key: string, value: string | number | boolean): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}

export interface TelemetryMeter {
  createCounter(
    name: string,
    options?: { description?: string; unit?: string },
  ): { add(value: number, attributes?: TelemetryAttributes): void };
  createHistogram(
    name: string,
    options?: { description?: string; unit?: string },
  ): { record(value: number, attributes?: TelemetryAttributes): void };
}
