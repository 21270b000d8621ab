import type { Json, JsonObject } from "../json.ts";
import { catalogue, type FetchImageErrorCode } from "./catalogue.ts";

export interface FetchImageErrorOptions {
  /** Names the culprit: host, reference, status, field. Secrets are cut by whoever makes the text. */
  readonly message?: string;
  /** The fix, when it is better than the catalogue's. */
  readonly hint?: string;
  readonly details?: { readonly [key: string]: Json | undefined };
  /** When the same request may succeed; overrides the catalogue for this one error. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

const brand: unique symbol = Symbol.for("fetch-image.error");

/** The one error class. Match on `code`; it is stable, the words are not. */
export class FetchImageError extends Error {
  override readonly name: string = "FetchImageError";
  readonly [brand] = true;
  readonly code: FetchImageErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  readonly details: JsonObject;

  constructor(code: FetchImageErrorCode, options: FetchImageErrorOptions = {}) {
    const entry = catalogue[code];
    super(options.message ?? entry.says, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? entry.fix;
    this.retryable = options.retryable ?? entry.retryable;
    this.details = Object.fromEntries(
      Object.entries(options.details ?? {}).filter((entry): entry is [string, Json] => entry[1] !== undefined),
    );
  }

  /** Works across copies of the package, as `instanceof` does not. */
  static is(error: unknown): error is FetchImageError {
    return typeof error === "object" && error !== null && brand in error;
  }

  toJSON(): JsonObject {
    return {
      code: this.code,
      message: this.message,
      hint: this.hint,
      retryable: this.retryable,
      ...(Object.keys(this.details).length > 0 ? { details: this.details } : {}),
    };
  }
}
