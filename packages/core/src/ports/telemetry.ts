/** Attribute values as OpenTelemetry has them. */
export type TelemetryAttributes = { [key: string]: string | number | boolean };

/** The parts of OpenTelemetry's API that are used, by shape: what `@opentelemetry/api` gives fits as it is. */
export interface Telemetry {
  /** `trace.getTracer(…)`. */
  readonly tracer?: TelemetryTracer;
  /** `metrics.getMeter(…)`. */
  readonly meter?: TelemetryMeter;
  /** `trace` itself. With `context`, the states of a fetch have spans below the fetch's, in the scheduler's trace. */
  readonly trace?: TelemetryTrace;
  /** `context` itself. */
  readonly context?: TelemetryContexts;
}

/** An OpenTelemetry context: made and read by its API alone. */
export interface TelemetryContext {
  getValue(key: symbol): unknown;
}

export interface TelemetryContexts {
  active(): TelemetryContext;
}

export interface TelemetryTrace {
  setSpan(context: TelemetryContext, span: TelemetrySpan): TelemetryContext;
  setSpanContext(context: TelemetryContext, spanContext: TelemetrySpanContext): TelemetryContext;
}

/** Where a span stands: W3C Trace Context, taken apart. */
export interface TelemetrySpanContext {
  traceId: string;
  spanId: string;
  traceFlags: number;
  isRemote?: boolean;
}

export interface TelemetryTracer {
  startSpan(
    name: string,
    options?: { attributes?: TelemetryAttributes; links?: { context: TelemetrySpanContext }[] },
    context?: TelemetryContext,
  ): TelemetrySpan;
}

export interface TelemetrySpan {
  setAttribute(key: string, value: string | number | boolean): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}

/** What an observable gauge is asked with. */
export interface TelemetryObserver {
  observe(value: number, attributes?: TelemetryAttributes): void;
}

interface Described {
  description?: string;
  unit?: string;
}

export interface TelemetryMeter {
  createCounter(name: string, options?: Described): { add(value: number, attributes?: TelemetryAttributes): void };
  createHistogram(name: string, options?: Described): { record(value: number, attributes?: TelemetryAttributes): void };
  /** Without it there are no gauges. */
  createObservableGauge?(
    name: string,
    options?: Described,
  ): {
    addCallback(callback: (observer: TelemetryObserver) => void | Promise<void>): void;
    removeCallback(callback: (observer: TelemetryObserver) => void | Promise<void>): void;
  };
}
