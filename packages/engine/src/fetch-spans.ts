import type {
  FetchRequest,
  FetchState,
  Telemetry,
  TelemetryAttributes,
  TelemetryContext,
  TelemetrySpan,
  TraceContext,
} from "@fetch-image/core/fetching";
import { isFinished, stateName } from "@fetch-image/core/fetching";
import { spanContextOf } from "./trace-context.ts";

export interface FetchSpanOptions {
  readonly buildId: string;
  readonly request: FetchRequest;
  /** Where the fetch was asked for. */
  readonly trace: TraceContext | undefined;
  /** Where the process asked for it that the fetch is taken over from. */
  readonly before: TraceContext | undefined;
  readonly redact: (text: string) => string;
}

/** The spans of one fetch in one process: its own, and one for each state below it. */
export interface FetchSpans {
  moved(state: FetchState): void;
  /** `code`: of the error that it ended with. */
  ended(code: string | undefined): void;
}

/**
 * Undefined where no tracer is configured. Names that stand in a span: the build's id, the fetch's, the image's repository
 * and tag without credentials, its digest. Each with every secret cut that the build was told.
 */
export function fetchSpans(telemetry: Telemetry, options: FetchSpanOptions): FetchSpans | undefined {
  const { tracer, trace: api, context: contexts } = telemetry;
  if (tracer === undefined) return undefined;
  const { buildId, request, trace, before, redact } = options;
  const active = contexts?.active();
  const parent =
    trace === undefined || active === undefined ? active : api?.setSpanContext(active, spanContextOf(trace));
  const links = before === undefined ? [] : [{ context: spanContextOf(before) }];
  const attributes: TelemetryAttributes = {
    "fetch_image.build.id": redact(buildId),
    "fetch_image.fetch.id": redact(request.fetchId),
    "fetch_image.resource.type": redact(request.type),
    ...(request.repository === undefined ? {} : { "fetch_image.image.repository": redact(request.repository) }),
    ...(request.tag === undefined ? {} : { "fetch_image.image.tag": redact(request.tag) }),
  };
  const root = tracer.startSpan("fetch-image", { attributes, ...(links.length > 0 ? { links } : {}) }, parent);
  const below: TelemetryContext | undefined = parent === undefined ? undefined : api?.setSpan(parent, root);
  let name: string | undefined;
  let span: TelemetrySpan | undefined;

  const leave = () => {
    span?.end();
    span = undefined;
  };
  return {
    moved(state) {
      const next = stateName(state);
      if (next === name) return;
      name = next;
      leave();
      root.setAttribute("fetch_image.state", next);
      if (state.resolved !== null) {
        root.setAttribute("fetch_image.via", state.resolved.via);
        const { digest } = state.resolved.version;
        if (digest !== undefined) root.setAttribute("fetch_image.image.digest", redact(digest));
      }
      // Without a context it could not be told whose state it is.
      if (!isFinished(state) && below !== undefined) span = tracer.startSpan(`fetch-image ${next}`, {}, below);
    },
    ended(code) {
      if (code === undefined) {
        root.setStatus({ code: spanOk });
      } else {
        span?.setStatus({ code: spanError, message: code });
        root.setAttribute("error.type", code);
        root.setStatus({ code: spanError, message: code });
      }
      leave();
      root.end();
    },
  };
}

// OpenTelemetry's SpanStatusCode.
const spanOk = 1;
const spanError = 2;
