import type { RegistryImageSource } from "@fetch-image/core/registry-image";
import type { Secrets } from "../../transport/redact.ts";
import type { Login } from "../configured-login.ts";
import { credentialOf } from "../credential.ts";
import { noLogin, orFailure } from "./aws-failure.ts";
import { type AwsHandler, awsHandler } from "./aws-handler.ts";
import type { CloudHttp } from "./cloud-http.ts";
import { loadSdk } from "./load-sdk.ts";

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
export async function ecrLogin(asking: Asking): Promise<Login> {
  const { source, http, secrets, now } = asking;
  const region = source.aws_region ?? "";
  const client = { region, maxAttempts: 1, requestHandler: awsHandler(http) };
  const { ECRClient, GetAuthorizationTokenCommand } = await loadSdk(
    "@aws-sdk/client-ecr",
    "aws_region",
    () => import("@aws-sdk/client-ecr"),
  );
  let identity: AwsKey | undefined;
  // Made before anything else of the libraries' is: who is made first warns.
  const ecr = quietly(() => new ECRClient({ ...client, credentials: async () => identity ?? unknown }));
  identity = await firstIdentity(asking, client);
  for (const [at, role] of awsRoles(source).entries()) identity = await assume(asking, client, identity, { role, at });

  const field = awsRoles(source).length > 0 ? roleField(source) : keyField(source);
  const question = { subject: `a login for ECR in ${region}`, field, http, secrets };
  const found = await orFailure(question, () => ecr.send(new GetAuthorizationTokenCommand({})));
  const [data] = found.authorizationData ?? [];
  const password = passwordIn(data?.authorizationToken);
  const registry = data?.proxyEndpoint?.replace(/^https:\/\//, "");
  const credential = credentialOf({ username: "AWS", ...(password === undefined ? {} : { password }) });
  if (!credential || registry === undefined || registry === "") throw noLogin(question);
  secrets.add(credential.password);
  const obtainedAt = now();
  const ends = data?.expiresAt?.getTime() ?? obtainedAt + usualLifetimeMs;
  return { value: credential.key, credential, registry, obtainedAt, freshUntil: freshUntil(obtainedAt, ends) };
}

const unknown: AwsKey = { accessKeyId: "", secretAccessKey: "" };
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

async function firstIdentity({ source, http, secrets }: Asking, client: Client): Promise<AwsKey> {
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
  const question = { subject: "the identity of this machine", field: "aws_region", http, secrets } as const;
  const key = await orFailure(question, () => defaultProvider({ clientConfig: client })());
  return remembered(key, secrets);
}

/** STS' `AssumeRole`, in the source's region, as the resource does. */
async function assume(
  { source, http, secrets }: Asking,
  client: Client,
  identity: AwsKey,
  { role, at }: { readonly role: string; readonly at: number },
): Promise<AwsKey> {
  const field = roleField(source);
  const which = field === "aws_role_arns" ? `aws_role_arns[${at}]` : field;
  const question = { subject: `the role in ${which}`, field, http, secrets };
  const { STSClient, AssumeRoleCommand } = await loadSdk(
    "@aws-sdk/client-sts",
    field,
    () => import("@aws-sdk/client-sts"),
  );
  const { Credentials: given } = await orFailure(question, async () => {
    const sts = new STSClient({ ...client, credentials: identity });
    return await sts.send(new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "fetch-image" }));
  });
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken } = given ?? {};
  if (!accessKeyId || !secretAccessKey || !sessionToken) throw noLogin(question);
  return remembered({ accessKeyId, secretAccessKey, sessionToken }, secrets);
}

function remembered({ accessKeyId, secretAccessKey, sessionToken }: AwsKey, secrets: Secrets): AwsKey {
  for (const secret of [accessKeyId, secretAccessKey, sessionToken]) if (secret) secrets.add(secret);
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

function keyField(source: RegistryImageSource): keyof RegistryImageSource {
  return hasAwsKey(source) ? "aws_access_key_id" : "aws_region";
}

function roleField({ aws_role_arn }: RegistryImageSource): keyof RegistryImageSource {
  return aws_role_arn ? "aws_role_arn" : "aws_role_arns";
}

/**
 * Without the libraries' own warning about versions of Node, which nobody who runs this can act on: the versions that
 * are depended on run on every Node that this runs on. It is given once, by the first client that is made.
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
