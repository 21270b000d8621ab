import { AsyncLocalStorage } from "node:async_hooks";
import { FetchImageError, type RegistryImageSource } from "@fetch-image/core/registry-image";
import type { ManagedIdentityCredentialClientIdOptions } from "@azure/identity";
import type { Secrets } from "../../transport/redact.ts";
import type { AzureCloud } from "./azure-cloud.ts";
import type { CloudHttp } from "./cloud-http.ts";
import { loadSdk } from "./load-sdk.ts";
import { loginFailure } from "./login-failure.ts";

type HttpClient = NonNullable<ManagedIdentityCredentialClientIdOptions["httpClient"]>;
type HttpHeaders = Awaited<ReturnType<HttpClient["sendRequest"]>>["headers"];

/** Whether the pod's workload identity asks, and not the machine's managed one. Read as the resource reads it. */
export function isWorkloadIdentity({ azure_auth_type = "" }: RegistryImageSource): boolean {
  return azure_auth_type.trim().toLowerCase() === "workload_identity";
}

/** The machine's own token of Microsoft Entra ID (types.go, `AuthenticateToACR`, first step). */
export async function azureToken(
  source: RegistryImageSource,
  cloud: AzureCloud,
  { http, secrets }: { readonly http: CloudHttp; readonly secrets: Secrets },
): Promise<string> {
  const workload = isWorkloadIdentity(source);
  const subject = workload ? "the workload identity of this pod" : "the managed identity of this machine";
  const field = source.azure_client_id ? "azure_client_id" : workload ? "azure_auth_type" : "azure_acr";
  const identity = await loadSdk("@azure/identity", "azure_acr", () => import("@azure/identity"));
  const common = { httpClient, retryOptions: { maxRetries: 0 } };
  const client = source.azure_client_id ? { clientId: source.azure_client_id } : {};
  try {
    const credential = workload
      ? new identity.WorkloadIdentityCredential({ ...common, ...client, authorityHost: cloud.authority })
      : new identity.ManagedIdentityCredential({ ...common, ...client });
    const { token } = await asking.run(http, () => credential.getToken(cloud.scope));
    secrets.add(token);
    return token;
  } catch {
    throw loginFailure({ cloud: "Azure", subject, field, secrets, http, hint: hintFor(workload), ...wordsOf(http) });
  }
}

function hintFor(workload: boolean): string {
  return workload
    ? "The pod needs AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE and, without `azure_client_id`, AZURE_CLIENT_ID."
    : "Assign a managed identity to this machine, and name it with `azure_client_id` where it has several.";
}

// Only what Microsoft's server said (OAuth 2.0, "Error Response"): the library's own words may quote what it could not read.
function wordsOf({ last }: CloudHttp): { readonly reason?: string; readonly words?: string } {
  const { error, error_description: words } = last?.body ?? {};
  return {
    ...(typeof error === "string" ? { reason: error } : {}),
    ...(typeof words === "string" ? { words: words.split(/\r?\n/, 1)[0] ?? "" } : {}),
  };
}

// The library keeps the first client that it is given, for all credentials of the process: so it gets one that finds out
// who is asking.
const asking = new AsyncLocalStorage<CloudHttp>();

/** What `@azure/identity` calls to reach Azure, over our own transport. */
const httpClient: HttpClient = {
  async sendRequest(request) {
    const { body } = request;
    const http = asking.getStore();
    if (!http) throw new FetchImageError("FI_INTERNAL", { message: "Azure is asked, and for nobody" });
    const answer = await http.send({
      method: request.method,
      url: new URL(request.url),
      headers: request.headers.toJSON(),
      ...(typeof body === "string" ? { body } : {}),
    });
    return {
      request,
      status: answer.status,
      headers: headersOf(answer.headers),
      bodyAsText: answer.body.toString("utf8"),
    };
  },
};

function headersOf(given: { readonly [name: string]: string }): HttpHeaders {
  const headers = new Map(Object.entries(given));
  return {
    get: (name) => headers.get(name.toLowerCase()),
    has: (name) => headers.has(name.toLowerCase()),
    set: (name, value) => void headers.set(name.toLowerCase(), String(value)),
    delete: (name) => void headers.delete(name.toLowerCase()),
    toJSON: () => Object.fromEntries(headers),
    [Symbol.iterator]: () => headers.entries(),
  };
}
