import { type CancelSignal, FetchImageError, type RegistryImageSource } from "@fetch-image/core/registry-image";
import { parseJsonBody } from "../../json-body.ts";
import type { RegistrySettings } from "../../settings.ts";
import type { TrustedRoots } from "../../transport/certificates.ts";
import { nobodyListens, speaksNoTls } from "../../transport/failure.ts";
import { all } from "../../transport/headers.ts";
import type { Secrets } from "../../transport/redact.ts";
import { protocolError, refusal } from "../../transport/refusal.ts";
import type { Answer, Method, Transport } from "../../transport/transport.ts";
import { parseChallenges } from "../challenge.ts";
import type { Login } from "../configured-login.ts";
import { credentialOf } from "../credential.ts";
import { azureCloud } from "./azure-cloud.ts";
import { azureToken, isWorkloadIdentity } from "./azure-token.ts";
import type { CloudHttp } from "./cloud-http.ts";
import { freshUntil } from "./ecr.ts";

/** The registry to log in at. */
export interface AcrRegistry {
  readonly host: string;
  readonly origins: readonly URL[];
  readonly trust: TrustedRoots | undefined;
}

/** Everything that decides which token the registry gives. */
export function acrKey(source: RegistryImageSource, { host, origins, trust }: AcrRegistry): readonly unknown[] {
  const { azure_client_id = "", azure_tenant_id = "", azure_environment = "" } = source;
  const where = [host, origins.map(String), trust?.key ?? ""];
  return ["acr", where, azure_client_id, azure_tenant_id, azure_environment, isWorkloadIdentity(source)];
}

interface Asking {
  readonly source: RegistryImageSource;
  readonly registry: AcrRegistry;
  readonly transport: Transport;
  readonly settings: RegistrySettings;
  readonly http: CloudHttp;
  readonly secrets: Secrets;
  readonly signal: CancelSignal;
}

/**
 * Logs in at ACR as the resource does (types.go, `AuthenticateToACR`): the machine's Entra token is exchanged at the
 * registry for a refresh token of its own, which is the password of the user of zeros.
 */
export async function acrLogin(asking: Asking): Promise<Login> {
  const { source, registry, settings, http, secrets } = asking;
  const token = await azureToken(source, azureCloud(registry.host, source.azure_environment), { http, secrets });
  const tenant = source.azure_tenant_id ? source.azure_tenant_id : await tenantOf(asking);
  const form = { grant_type: "access_token", service: registry.host, tenant, access_token: token };
  const answer = await send(asking, {
    method: "POST",
    path: "/oauth2/exchange",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(form).toString(),
  });
  if (answer.status !== 200) throw await exchangeRefused(asking, answer);
  const bytes = await answer.bytes(settings.limits.tokenBytes, "a refresh token");
  const password = parseJsonBody(bytes)?.["refresh_token"];
  const credential = credentialOf({ username: acrUser, ...(typeof password === "string" ? { password } : {}) });
  if (!credential) {
    throw protocolError(answer.url.host, "answered no refresh token where one was due (azure_acr)", { status: 200 });
  }
  secrets.add(credential.password);
  const obtainedAt = settings.now();
  const ends = endOf(credential.password) ?? obtainedAt + usualLifetimeMs;
  return { value: credential.key, credential, obtainedAt, freshUntil: freshUntil(obtainedAt, ends) };
}

const acrUser = "00000000-0000-0000-0000-000000000000";
const usualLifetimeMs = 3_600_000;

/** The tenant that the registry's own challenge names, `common` without one. */
async function tenantOf(asking: Asking): Promise<string> {
  const answer = await send(asking, { method: "GET", path: "/v2/", headers: {} });
  await answer.discard();
  if (answer.status !== 401) return "common";
  const [first] = parseChallenges(all(answer.headers, "www-authenticate"));
  const realm = first?.scheme === "bearer" ? first.parameters.get("realm") : undefined;
  return /tenant=([^"&]+)/.exec(realm ?? "")?.[1] ?? "common";
}

interface Question<M extends Method> {
  readonly method: M;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly body?: string;
}

/** By https; by http only where that is allowed and no TLS is spoken. */
async function send<M extends Method>(
  { registry, transport, secrets, signal }: Asking,
  { path, ...question }: Question<M>,
): Promise<Answer<M>> {
  const ask = (origin: URL): Promise<Answer<M>> =>
    transport.send({ ...question, url: new URL(path, origin), trust: registry.trust, purpose: "api", signal, secrets });
  const [first, second] = registry.origins;
  if (!first) throw new FetchImageError("FI_INTERNAL", { message: `no origin is known for ${registry.host}` });
  try {
    return await ask(first);
  } catch (error) {
    if (!second || !(speaksNoTls(error) || (first.port === "" && nobodyListens(error)))) throw error;
    return await ask(second);
  }
}

async function exchangeRefused(
  { source, secrets, settings }: Asking,
  answer: Answer<Method>,
): Promise<FetchImageError> {
  const error = await refusal(answer, {
    subject: "a login with the machine's Azure identity",
    secrets,
    now: settings.now(),
    errorBytes: settings.limits.errorBytes,
    reading:
      answer.status === 400 || answer.status === 401
        ? { code: "FI_UNAUTHORIZED", says: "it refused the identity's token", hint: tenantHint(source) }
        : answer.status === 404
          ? { code: "FI_REGISTRY_PROTOCOL", says: "it is no Azure container registry", hint: "Remove `azure_acr`." }
          : undefined,
  });
  return new FetchImageError(error.code, {
    message: error.message,
    hint: error.hint,
    retryable: error.retryable,
    details: { ...error.details, cloud: "Azure", field: source.azure_tenant_id ? "azure_tenant_id" : "azure_acr" },
  });
}

function tenantHint({ azure_tenant_id }: RegistryImageSource): string {
  return azure_tenant_id
    ? "`azure_tenant_id` is the tenant of the registry, not that of the machine; without it the registry is asked."
    : "Grant the identity AcrPull on the registry, and name the registry's tenant with `azure_tenant_id`.";
}

/** When a token in the form of a JWT ends; nobody here needs to trust it. */
function endOf(token: string): number | undefined {
  const [, payload = ""] = token.split(".");
  const exp = parseJsonBody(Buffer.from(payload, "base64url").toString("utf8"))?.["exp"];
  return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined;
}
