import type { FetchImageErrorCode, RegistryImageSource } from "@fetch-image/core/registry-image";
import { type Secrets, safeCause } from "../../transport/redact.ts";
import type { Login } from "../configured-login.ts";
import { credentialOf } from "../credential.ts";
import { type AwsHandler, awsHandler } from "./aws-handler.ts";
import type { CloudHttp } from "./cloud-http.ts";
import { loadSdk } from "./load-sdk.ts";
import { loginFailure } from "./login-failure.ts";

/** Whether the source has a key of its own; else the machine's identity asks. As the resource has it: both or neither. */
export function hasAwsKey({ aws_access_key_id, aws_secret_access_key }: RegistryImageSource): boolean {
  return Boolean(aws_access_key_id) && Boolean(aws_secret_access_key);
}

/** The roles to assume, in order; a single one comes first where both forms stand, as in the resource. */
export function awsRoles({ aws_role_arn: one = "", aws_role_arns: more = [] }: RegistryImageSource): readonly string[] {
  return one === "" ? more : [one];
}

/** Everything that decides which token AWS gives: two sources that agree in it share one. Holds secrets: to be hashed. */
export function ecrKey(source: RegistryImageSource): readonly unknown[] {
  const { aws_access_key_id, aws_secret_access_key, aws_session_token, aws_region } = source;
  const key = hasAwsKey(source) ? [aws_access_key_id, aws_secret_access_key, aws_session_token ?? ""] : "machine";
  return ["ecr", aws_region, key, awsRoles(source)];
}

interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface Asking {
  readonly source: RegistryImageSource;
  readonly http: CloudHttp;
  readonly secrets: Secrets;
  readonly now: () => number;
}

/**
 * Logs in at ECR as the resource does (types.go, `AuthenticateToECR`): the source's key or the machine's identity, each
 * role assumed with what the one before it gave, then `GetAuthorizationToken`. AWS' answer names the registry's host.
 */
export async function ecrLogin({ source, http, secrets, now }: Asking): Promise<Login> {
  const region = source.aws_region ?? "";
  const client = { region, maxAttempts: 1, requestHandler: awsHandler(http) };
  const asked = { source, http, secrets };
  let identity = await firstIdentity(asked, client);
  for (const [at, role] of awsRoles(source).entries()) identity = await assume(asked, client, identity, { role, at });

  const field = awsRoles(source).length > 0 ? roleField(source) : keyField(source);
  const subject = `a login for ECR in ${region}`;
  const { ECRClient, GetAuthorizationTokenCommand } = await loadSdk(
    "@aws-sdk/client-ecr",
    "aws_region",
    () => import("@aws-sdk/client-ecr"),
  );
  const found = await orFailure(asked, { subject, field }, async () => {
    const ecr = quietly(() => new ECRClient({ ...client, credentials: identity }));
    return await ecr.send(new GetAuthorizationTokenCommand({}));
  });
  const [data] = found.authorizationData ?? [];
  const password = passwordIn(data?.authorizationToken);
  const registry = data?.proxyEndpoint?.replace(/^https:\/\//, "");
  const credential = credentialOf({ username: "AWS", ...(password === undefined ? {} : { password }) });
  if (!credential || registry === undefined || registry === "") {
    throw loginFailure({ cloud: "AWS", subject, field, secrets, http, ...notALogin });
  }
  secrets.add(credential.password);
  const obtainedAt = now();
  const ends = data?.expiresAt?.getTime() ?? obtainedAt + usualLifetimeMs;
  return { value: credential.key, credential, registry, obtainedAt, freshUntil: freshUntil(obtainedAt, ends) };
}

const usualLifetimeMs = 12 * 3_600_000;

/** A login is given up five minutes before its end, or a tenth of its life before, so that none ends while it travels. */
export function freshUntil(obtainedAt: number, ends: number): number {
  return ends - Math.min(5 * 60_000, Math.max(0, ends - obtainedAt) / 10);
}

// `user:password` in base64; the resource takes the second of exactly two parts, and writes the user itself.
function passwordIn(token: string | undefined): string | undefined {
  const parts = Buffer.from(token ?? "", "base64")
    .toString("utf8")
    .split(":");
  return parts.length === 2 ? parts[1]?.trim() : undefined;
}

type Client = { readonly region: string; readonly maxAttempts: number; readonly requestHandler: AwsHandler };
type Asked = Omit<Asking, "now">;

async function firstIdentity({ source, http, secrets }: Asked, client: Client): Promise<AwsKey> {
  const { aws_access_key_id, aws_secret_access_key, aws_session_token } = source;
  if (aws_access_key_id && aws_secret_access_key) {
    return {
      accessKeyId: aws_access_key_id,
      secretAccessKey: aws_secret_access_key,
      ...(aws_session_token ? { sessionToken: aws_session_token } : {}),
    };
  }
  const { defaultProvider } = await loadSdk(
    "@aws-sdk/credential-provider-node",
    "aws_region",
    () => import("@aws-sdk/credential-provider-node"),
  );
  const subject = "the identity of this machine";
  const key = await orFailure({ source, http, secrets }, { subject, field: "aws_region" }, () =>
    quietly(() => defaultProvider({ clientConfig: client }))(),
  );
  return remembered(key, secrets);
}

/** STS' `AssumeRole`, in the source's region, as the resource does. */
async function assume(
  asked: Asked,
  client: Client,
  identity: AwsKey,
  { role, at }: { readonly role: string; readonly at: number },
): Promise<AwsKey> {
  const { source, http, secrets } = asked;
  const field = roleField(source);
  const which = field === "aws_role_arns" ? `aws_role_arns[${at}]` : field;
  const subject = `the role in ${which}`;
  const { STSClient, AssumeRoleCommand } = await loadSdk(
    "@aws-sdk/client-sts",
    field,
    () => import("@aws-sdk/client-sts"),
  );
  const { Credentials: given } = await orFailure(asked, { subject, field }, async () => {
    const sts = quietly(() => new STSClient({ ...client, credentials: identity }));
    return await sts.send(new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "fetch-image" }));
  });
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken } = given ?? {};
  if (!accessKeyId || !secretAccessKey || !sessionToken) {
    throw loginFailure({ cloud: "AWS", subject, field, secrets, http, ...notALogin });
  }
  return remembered({ accessKeyId, secretAccessKey, sessionToken }, secrets);
}

function remembered({ accessKeyId, secretAccessKey, sessionToken }: AwsKey, secrets: Secrets): AwsKey {
  for (const secret of [accessKeyId, secretAccessKey, sessionToken]) if (secret) secrets.add(secret);
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

const notALogin = {
  code: "FI_REGISTRY_PROTOCOL",
  says: "not an answer that holds a login",
  hint: "Check what is served there: AWS_ENDPOINT_URL, a proxy, or the endpoints of the registry settings.",
} as const;

function keyField(source: RegistryImageSource): keyof RegistryImageSource {
  return hasAwsKey(source) ? "aws_access_key_id" : "aws_region";
}

function roleField({ aws_role_arn }: RegistryImageSource): keyof RegistryImageSource {
  return aws_role_arn ? "aws_role_arn" : "aws_role_arns";
}

/** What is tried, or why AWS did not give it. */
async function orFailure<T>(
  { http, secrets }: Asked,
  { subject, field }: { readonly subject: string; readonly field: keyof RegistryImageSource },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw loginFailure({ cloud: "AWS", subject, field, secrets, http, ...readingOf(error, { secrets, http }) });
  }
}

interface Reading {
  readonly code?: FetchImageErrorCode;
  readonly says?: string;
  readonly hint?: string;
  readonly reason?: string;
  readonly words?: string;
}

/** By AWS' own names of its errors. Other words than a service's answer are not quoted: a parser's would quote bodies. */
function readingOf(error: unknown, { secrets, http }: Pick<Asked, "secrets" | "http">): Reading {
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

/**
 * Without the libraries' own warning about versions of Node, which nobody who runs this can act on: the versions that
 * are depended on run on every Node that this runs on.
 */
function quietly<T>(make: () => T): T {
  const before = process.env[nodeWarning];
  process.env[nodeWarning] = "true";
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[nodeWarning];
    else process.env[nodeWarning] = before;
  }
}

const nodeWarning = "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED";
