import type { TelemetrySpanContext, TraceContext } from "@fetch-image/core/fetching";

/** As a scheduler hands it over; see https://www.w3.org/TR/trace-context/. */
export interface TraceHeaders {
  /** The W3C trace context that asks for it: stands in its facts' metadata, and its spans are below it. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** What is valid of it; undefined where `traceparent` is not. Telemetry that is wrong never fails a fetch. */
export function traceContextOf({ traceparent, tracestate }: TraceHeaders): TraceContext | undefined {
  if (traceparent === undefined || partsOf(traceparent) === undefined) return undefined;
  return { traceparent, ...(tracestate !== undefined && isTraceState(tracestate) ? { tracestate } : {}) };
}

/** A vendor's own state is stored as it is, unless a secret stands in it. */
export function cutTrace(trace: TraceContext | undefined, redact: (text: string) => string): TraceContext | undefined {
  if (trace?.tracestate === undefined || redact(trace.tracestate) === trace.tracestate) return trace;
  return { traceparent: trace.traceparent };
}

/** What stands in a stored fact's metadata. */
export function storedTrace(metadata: { readonly [name: string]: unknown }): TraceContext | undefined {
  const { traceparent, tracestate } = metadata;
  return traceContextOf({
    traceparent: typeof traceparent === "string" ? traceparent : undefined,
    tracestate: typeof tracestate === "string" ? tracestate : undefined,
  });
}

export function spanContextOf({ traceparent }: TraceContext): TelemetrySpanContext {
  const [traceId = "", spanId = "", flags = "00"] = partsOf(traceparent) ?? [];
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

// Versions after 00 may add fields behind these four.
const form = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

function partsOf(traceparent: string): readonly string[] | undefined {
  const [, version, traceId, spanId, flags, more] = form.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined || traceparent.length > 512)
    return undefined;
  return version === "00" && more !== undefined ? undefined : [traceId, spanId, flags];
}

function isTraceState(tracestate: string): boolean {
  return tracestate.length <= 512 && /^[\x20-\x7e]+$/.test(tracestate);
}
