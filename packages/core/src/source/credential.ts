import type { Json, JsonObject } from "../json.ts";
import { isOnDockerHub } from "./check-mode.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { isSet } from "./source-fields.ts";

/** Whether the source holds anything that a registry is to take as proof of who asks. */
export function sourceHasCredentials(source: RegistryImageSource): boolean {
  const { registry_mirror: mirror } = source;
  return credentialFields.some((name) => isSet(source[name])) || isSet(mirror?.username) || isSet(mirror?.password);
}

/**
 * Whether a check by `publicSource(source)` would be the same check: then a fetch can be resumed from its facts alone.
 * It is not where there are credentials, not where there are CA certificates, of which facts keep the count, and not
 * where there is an AWS account, which is part of the registry's host.
 */
export function publicSourceSuffices(source: RegistryImageSource): boolean {
  return !sourceHasCredentials(source) && !isSet(source.ca_certs) && !isSet(source.aws_account_id);
}

/**
 * Who asks, never the secret that proves it: survives a rotated password, differs from user to user. Undefined where
 * the resource asks anonymously, as it also does when only one of username and password is there.
 */
export function credentialIdentity(
  source: RegistryImageSource,
  /** As `ImageRegistry.identity` tells it: a login that comes from configuration. */
  configured?: JsonObject,
): JsonObject | undefined {
  const { registry_mirror } = source;
  const basic = basicIdentity(source);
  const mirror =
    registry_mirror !== undefined && isOnDockerHub(source.repository) ? basicIdentity(registry_mirror) : undefined;
  const aws = awsIdentity(source);
  const azure = azureIdentity(source);
  // As a rule.
  if ((basic ?? mirror ?? aws ?? azure ?? configured) === undefined) return undefined;
  const parts = Object.entries({ basic, mirror, aws, azure, configured });
  return Object.fromEntries(parts.filter((part): part is [string, Json] => part[1] !== undefined));
}

const credentialFields = [
  "username",
  "password",
  "aws_access_key_id",
  "aws_secret_access_key",
  "aws_session_token",
  "aws_role_arn",
  "aws_role_arns",
  "azure_client_id",
  "azure_tenant_id",
] as const;

interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** Half a login is none. */
export function hasLogin({ username = "", password = "" }: Login): boolean {
  return username !== "" && password !== "";
}

function basicIdentity(login: Login): Json | undefined {
  if (!hasLogin(login)) return undefined;
  const { username = "", password = "" } = login;
  const account = username === "_json_key" ? serviceAccount(password) : undefined;
  return { username, ...(account === undefined ? {} : { account }) };
}

/** Google's registries call every service account `_json_key`; the key file says which one it is. */
function serviceAccount(keyFile: string): string | undefined {
  try {
    const key: unknown = JSON.parse(keyFile);
    if (typeof key !== "object" || key === null || !("client_email" in key)) return undefined;
    return typeof key.client_email === "string" ? key.client_email : undefined;
  } catch {
    return undefined;
  }
}

/** A region turns ECR on; without a key the node's own identity is used. */
function awsIdentity(source: RegistryImageSource): Json | undefined {
  const keyId = source.aws_access_key_id ?? "";
  const account = source.aws_account_id ?? source.aws_ecr_registry_id ?? "";
  const isAsked = isSet(source.aws_region) || keyId !== "" || account !== "";
  if (!isAsked && !isSet(source.aws_role_arn) && !isSet(source.aws_role_arns)) return undefined;
  const roles = [source.aws_role_arn ?? "", ...(source.aws_role_arns ?? [])].filter((role) => role !== "");
  return isAsked || roles.length > 0 ? { keyId, roles, account } : undefined;
}

function azureIdentity(source: RegistryImageSource): Json | undefined {
  const client = source.azure_client_id ?? "";
  const tenant = source.azure_tenant_id ?? "";
  return source.azure_acr === true || client !== "" || tenant !== "" ? { client, tenant } : undefined;
}
