import { FetchImageError, type FetchImageErrorCode, type RegistryImageSource } from "@fetch-image/core/registry-image";
import { safeCause, type Secrets } from "../../transport/redact.ts";
import type { CloudHttp } from "./cloud-http.ts";

/** A failed question to a cloud, and all that is known of it. */
export interface CloudFailure {
  readonly cloud: "AWS" | "Azure";
  /** What was asked for, in words: `a login for ECR in eu-west-1`. */
  readonly subject: string;
  /** The field of the source that decided who asks. */
  readonly field: keyof RegistryImageSource;
  /** The cloud's own name of the failure, where it gave one: `AccessDeniedException`. */
  readonly reason?: string | undefined;
  /** The cloud's own words, where it gave some. */
  readonly words?: string | undefined;
  readonly code?: FetchImageErrorCode | undefined;
  readonly says?: string | undefined;
  readonly hint?: string | undefined;
  readonly secrets: Secrets;
  readonly http: CloudHttp;
}

/** The error of a login that a cloud did not give: names the cloud, its host, the field and the fix, and no secret. */
export function loginFailure(failure: CloudFailure): FetchImageError {
  const { cloud, subject, field, reason, words, secrets, http } = failure;
  const { last, lastFailure } = http;
  if (lastFailure) return unreachable(lastFailure, failure);
  const { code, says, hint } = { ...meaningOf(last?.status), ...given(failure) };
  const quoted = secrets.redact([reason, words].filter((text) => text !== undefined && text !== "").join(": "));
  const where = last === undefined ? cloud : `${last.host} answered ${last.status}`;
  return new FetchImageError(code, {
    message: `${where} for ${subject}: ${says}${quoted === "" ? "" : ` (it says: ${clipped(quoted)})`}`,
    hint: hint ?? `Check \`${field}\` of the source.`,
    details: {
      cloud,
      field,
      ...(last === undefined ? {} : { host: last.host, status: last.status, retryAfterMs: last.retryAfterMs }),
      ...(reason === undefined ? {} : { reason: secrets.redact(reason) }),
    },
  });
}

/** What the transport said, with what was wanted: the host alone would not tell why it is asked at all. */
function unreachable(
  error: FetchImageError,
  { cloud, subject, field, secrets, http: { asked } }: CloudFailure,
): FetchImageError {
  if (error.code === "FI_ABORTED") return error;
  const served = asked === undefined || asked === error.details["host"] ? "" : ` in place of ${asked}`;
  return new FetchImageError(error.code, {
    message: secrets.redact(`${error.message}; it was asked${served} for ${subject}`),
    hint: error.hint,
    retryable: error.retryable,
    details: { ...error.details, cloud, field },
    ...(error.cause === undefined ? {} : { cause: safeCause(error.cause, secrets) }),
  });
}

function given({ code, says, hint }: CloudFailure): Partial<Meaning> {
  return {
    ...(code === undefined ? {} : { code }),
    ...(says === undefined ? {} : { says }),
    ...(hint === undefined ? {} : { hint }),
  };
}

interface Meaning {
  readonly code: FetchImageErrorCode;
  readonly says: string;
  readonly hint?: string;
}

function meaningOf(status: number | undefined): Meaning {
  if (status === undefined) return { code: "FI_UNAUTHORIZED", says: "there is no identity to log in with" };
  if (status === 401) return { code: "FI_UNAUTHORIZED", says: "the identity is refused" };
  if (status === 403) return { code: "FI_FORBIDDEN", says: "the identity may not do this" };
  if (status === 408) return { code: "FI_REGISTRY_TIMEOUT", says: "it gave up waiting for the request" };
  if (status === 429) return { code: "FI_RATE_LIMITED", says: "it is asked too often", hint: "Try again later." };
  if (status >= 500) return { code: "FI_REGISTRY_UNAVAILABLE", says: "a server error", hint: "Try again later." };
  if (status >= 400) return { code: "FI_UNAUTHORIZED", says: "the login is refused" };
  return {
    code: "FI_REGISTRY_PROTOCOL",
    says: "not an answer that holds a login",
    hint: "Check what is served there.",
  };
}

const mostWords = 300;

function clipped(text: string): string {
  return text.length > mostWords ? `${text.slice(0, mostWords)}…` : text;
}
