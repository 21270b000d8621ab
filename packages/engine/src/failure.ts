import { catalogue, type Failure, FetchImageError, type FetchImageErrorCode, type JsonObject } from "@fetch-image/core";

/** An error as it is stored: never an Error, never a secret. `fallback` is the code of errors that are not ours. */
export function toFailure(error: unknown, fallback: FetchImageErrorCode, redact: (text: string) => string): Failure {
  if (FetchImageError.is(error)) {
    const details: JsonObject = JSON.parse(redact(JSON.stringify(error.details)));
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
