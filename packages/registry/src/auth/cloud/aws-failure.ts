import type { FetchImageError, FetchImageErrorCode, RegistryImageSource } from "@fetch-image/core/registry-image";
import { type Secrets, safeCause } from "../../transport/redact.ts";
import type { CloudHttp } from "./cloud-http.ts";
import { loginFailure } from "./login-failure.ts";

export interface AwsQuestion {
  /** What is asked for, in words. */
  readonly subject: string;
  /** The field of the source that decides who asks. */
  readonly field: keyof RegistryImageSource;
  readonly http: CloudHttp;
  readonly secrets: Secrets;
}

/** What is tried, or why AWS did not give it. */
export async function orFailure<T>(question: AwsQuestion, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw loginFailure({ cloud: "AWS", ...question, ...readingOf(error, question) });
  }
}

/** AWS answered, and what it said holds no login. */
export function noLogin(question: AwsQuestion): FetchImageError {
  return loginFailure({ cloud: "AWS", ...question, ...notALogin });
}

interface Reading {
  readonly code?: FetchImageErrorCode;
  readonly says?: string;
  readonly hint?: string;
  readonly reason?: string;
  readonly words?: string;
}

/** By AWS' own names of its errors. Other words than a service's answer are not quoted: a parser's would quote bodies. */
function readingOf(error: unknown, { secrets, http }: AwsQuestion): Reading {
  const { name, message } = safeCause(error, secrets);
  if (name === "CredentialsProviderError" || name === "TokenProviderError") {
    return { code: "FI_UNAUTHORIZED", says: "there is no identity to log in with", words: message, hint: noIdentity };
  }
  if (!isServiceError(error)) return http.last === undefined || http.last.status < 300 ? notALogin : {};
  const quoted = { reason: name, words: message };
  if (/^(?:Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottl|SlowDown)/.test(name)) {
    return { code: "FI_RATE_LIMITED", says: "it is asked too often", hint: "Try again later.", ...quoted };
  }
  if (/^(?:ExpiredToken|RequestExpired|TokenRefreshRequired)/.test(name)) {
    return { code: "FI_UNAUTHORIZED", says: "the session has ended", hint: newSession, ...quoted };
  }
  if (/^(?:AccessDenied|AuthorizationError|UnauthorizedOperation|NotAuthorized)/.test(name)) {
    return { code: "FI_FORBIDDEN", says: "the identity may not do this", hint: allowIt, ...quoted };
  }
  if (wrongKey.test(name)) return { code: "FI_UNAUTHORIZED", says: "the key is refused", ...quoted };
  return quoted;
}

const wrongKey =
  /^(?:InvalidClientTokenId|UnrecognizedClient|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSignature|IncompleteSignature|MissingAuthentication|InvalidToken|InvalidIdentityToken|IDPRejectedClaim|OptInRequired)/;
const noIdentity =
  "Set `aws_access_key_id` and `aws_secret_access_key` in the source, or give this machine an identity: an instance or pod role, or AWS_* variables.";
const newSession = "Give the source a new `aws_session_token`, with the key that belongs to it.";
const allowIt =
  "Allow it ecr:GetAuthorizationToken, and sts:AssumeRole on each role; a role must trust who assumes it.";

function isServiceError(error: unknown): boolean {
  return typeof error === "object" && error !== null && "$fault" in error;
}

const notALogin = {
  code: "FI_REGISTRY_PROTOCOL",
  says: "not an answer that holds a login",
  hint: "Check what is served there: AWS_ENDPOINT_URL, a proxy, or the endpoints of the registry settings.",
} as const;
