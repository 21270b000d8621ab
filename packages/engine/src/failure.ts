import {
  catalogue,
  type Failure,
  FetchImageError,
  type FetchImageErrorCode,
  type Json,
  type JsonObject,
} from "@fetch-image/core/fetching";

/** An error as it is stored: never an Error, never a secret. `fallback` is the code of errors that are not ours. */
export function toFailure(error: unknown, fallback: FetchImageErrorCode, redact: (text: string) => string): Failure {
  if (FetchImageError.is(error)) {
    const details = redactJson(error.details, redact);
    return {
      code: error.code,
      message: redact(error.message),
      hint: redact(error.hint),
      retryable: error.retryable,
      ...(Object.keys(details).length > 0 ? { details } : {}),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: fallback, message: redact(message), hint: catalogue[fallback].fix, retryable: false };
}

/** Every text in it redacted: names and numbers stay, so that a secret which looks like JSON's own signs breaks nothing. */
function redactJson(details: JsonObject, redact: (text: string) => string): JsonObject {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, redactValue(value, redact)]));
}

function redactValue(value: Json, redact: (text: string) => string): Json {
  if (typeof value === "string") return redact(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each: Json) => redactValue(each, redact));
  return redactJson(value as JsonObject, redact);
}

/** For logs and telemetry: of the cause, where an error says no more than that it has one. */
export function codeOf(error: unknown): FetchImageErrorCode {
  if (!FetchImageError.is(error)) return "FI_INTERNAL";
  const seeCause = error.code === "FI_CHECK_FAILED" || error.code === "FI_GET_FAILED";
  return seeCause && FetchImageError.is(error.cause) ? error.cause.code : error.code;
}

/** The stored failure as the caller of a fetch meets it. */
export function toError(failure: Failure): FetchImageError {
  const { cause } = failure;
  return new FetchImageError(knownCode(failure.code), {
    message: failure.message,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    retryable: failure.retryable,
    ...(failure.details === undefined ? {} : { details: failure.details }),
    ...(cause === undefined
      ? {}
      : {
          cause: new FetchImageError(knownCode(cause.code), {
            message: cause.message,
            ...(cause.hint === undefined ? {} : { hint: cause.hint }),
            ...(cause.details === undefined ? {} : { details: cause.details }),
          }),
        }),
  });
}

/** What the registry said of when to come back. */
export function retryAfterOf(error: unknown): { readonly retryAfterMs?: number } {
  if (!FetchImageError.is(error)) return {};
  const { retryAfterMs } = error.details;
  return typeof retryAfterMs === "number" ? { retryAfterMs } : {};
}

/** Facts may come from a newer version with codes that this one does not have. */
function knownCode(code: string): FetchImageErrorCode {
  return isKnown(code) ? code : "FI_INTERNAL";
}

function isKnown(code: string): code is FetchImageErrorCode {
  return Object.hasOwn(catalogue, code);
}
