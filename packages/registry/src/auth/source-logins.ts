import { createHash } from "node:crypto";
import {
  type CancelSignal,
  type ImageRegistry,
  type JsonObject,
  parseReference,
  type RegistryImageSource,
} from "@fetch-image/core/registry-image";
import type { RegistrySettings } from "../settings.ts";
import { deadline, unlessAborted } from "../transport/deadline.ts";
import { createSecrets, withoutSecrets } from "../transport/redact.ts";
import type { Transport } from "../transport/transport.ts";
import { acrKey, acrLogin, type AcrRegistry } from "./cloud/acr.ts";
import { isWorkloadIdentity } from "./cloud/azure-token.ts";
import { createCloudHttp } from "./cloud/cloud-http.ts";
import { awsRoles, ecrKey, ecrLogin, hasAwsKey } from "./cloud/ecr.ts";
import type { Login, LoginDescription } from "./configured-login.ts";
import { credentialOf, secretsOf } from "./credential.ts";
import { describeEntry, dockerIdentity, dockerKey, dockerLogin } from "./docker/docker-logins.ts";
import { openDockerConfig } from "./docker/docker-config.ts";
import { createTokenCache } from "./token-cache.ts";

/** A login and how to get another one when a registry refuses it. */
export interface HeldLogin {
  readonly login: Login;
  /** Another login than the refused one; undefined where the refused one is too young for that to help. */
  renew(refused: Login, signal: CancelSignal): Promise<Login | undefined>;
}

/** Logins that do not stand in sources: of clouds, and of Docker's configuration file. */
export interface SourceLogins extends Required<Pick<ImageRegistry, "unanswerable" | "identity">> {
  /** Which login a source is asked with. Asks nobody. */
  describe(source: RegistryImageSource): LoginDescription;
  /** The login at ECR, and its host. */
  ecr(source: RegistryImageSource, signal: CancelSignal): Promise<HeldLogin>;
  acr(source: RegistryImageSource, registry: AcrRegistry, signal: CancelSignal): Promise<HeldLogin>;
  /** Docker's own login at a registry; undefined without one. */
  docker(domain: string, signal: CancelSignal): Promise<HeldLogin> | undefined;
}

/** Each login is fetched once for all who ask meanwhile, kept in memory until shortly before its end, and never stored. */
export function createSourceLogins(parts: {
  readonly transport: Transport;
  readonly settings: RegistrySettings;
}): SourceLogins {
  const { settings } = parts;
  const { ambientIdentity, dockerConfig, now } = settings;
  const logins = createTokenCache<Login>(now);
  const docker = dockerConfig && openDockerConfig(dockerConfig.path, { ...dockerConfig, logger: settings.logger });

  return {
    unanswerable(source) {
      if (source.aws_region && source.azure_acr) {
        return { field: "azure_acr", reason: "aws_region asks for a login at ECR, and azure_acr for one at ACR" };
      }
      if (source.aws_region && !hasAwsKey(source) && !ambientIdentity.has("aws")) {
        return { field: "aws_region", reason: notAllowed("without a key of its own the source", "aws") };
      }
      if (source.azure_acr && !ambientIdentity.has("azure")) {
        return { field: "azure_acr", reason: notAllowed("the source", "azure") };
      }
      return undefined;
    },

    identity(source) {
      if (source.aws_region) return hasAwsKey(source) ? undefined : { aws: machineAtAws() };
      if (docker === undefined && !source.azure_acr) return undefined;
      const configured = {
        ...(source.azure_acr ? { azure: machineAtAzure(source) } : {}),
        ...dockerIdentities(source),
      };
      return Object.keys(configured).length === 0 ? undefined : configured;
    },

    describe(source) {
      if (source.aws_region) {
        const roles = awsRoles(source).length;
        const who = hasAwsKey(source) ? "the source's AWS key" : "this machine's own AWS identity";
        return {
          from: "aws",
          says: `${who}${roles === 0 ? "" : `, in ${roles === 1 ? "a role" : `${roles} roles`} of the source`}`,
        };
      }
      if (source.azure_acr) {
        return {
          from: "azure",
          says: isWorkloadIdentity(source)
            ? "this pod's Azure workload identity"
            : "this machine's managed Azure identity",
        };
      }
      if (credentialOf(source)) return { from: "source", says: "the source's username and password" };
      const entry = docker?.entryFor(domainOf(source.repository));
      if (!docker || !entry) return { from: "nobody", says: "anonymous" };
      return { from: "docker-config", says: describeEntry(entry, docker) };
    },

    ecr: (source, signal) =>
      held(ecrKey(source), signal, () => fromCloud("AWS", source, (cloud) => ecrLogin({ source, ...cloud, now }))),

    acr: (source, registry, signal) =>
      held(acrKey(source, registry), signal, () =>
        fromCloud("Azure", source, (cloud) => acrLogin({ source, registry, ...parts, ...cloud })),
      ),

    docker(domain, signal) {
      const entry = docker?.entryFor(domain);
      return entry && held(dockerKey(entry), signal, () => dockerLogin(entry, settings));
    },
  };

  async function held(key: readonly unknown[], signal: CancelSignal, fetch: () => Promise<Login>): Promise<HeldLogin> {
    const hashed = createHash("sha256").update(JSON.stringify(key)).digest("hex");
    const get = async (cancel: CancelSignal): Promise<Login> => {
      using waiting = deadline(cancel);
      // Others may be waiting for it too: nobody's signal ends it.
      return await unlessAborted(logins.get(hashed, fetch), waiting.signal);
    };
    return {
      login: await get(signal),
      async renew(refused, cancel) {
        if (now() - refused.obtainedAt < youngMs) return undefined;
        logins.forget(hashed, refused.value);
        return await get(cancel);
      },
    };
  }

  /** On a clock of its own. */
  async function fromCloud(
    cloud: string,
    source: RegistryImageSource,
    login: (asking: Pick<Parameters<typeof acrLogin>[0], "http" | "secrets" | "signal">) => Promise<Login>,
  ): Promise<Login> {
    const secrets = createSecrets(cloudSecrets(source));
    using limit = deadline(undefined, { ms: settings.timeouts.exchangeMs, host: cloud });
    const { signal } = limit;
    try {
      return await unlessAborted(login({ http: createCloudHttp(parts, { secrets, signal }), secrets, signal }), signal);
    } catch (error) {
      throw withoutSecrets(error, secrets);
    }
  }

  function dockerIdentities({ repository, registry_mirror: mirror, ...source }: RegistryImageSource): JsonObject {
    const domain = domainOf(repository);
    const own = source.azure_acr || credentialOf(source) ? undefined : docker?.entryFor(domain);
    const mirrored = mirror !== undefined && domain === "docker.io" && !credentialOf(mirror);
    const theirs = mirrored ? docker?.entryFor(domainOf(`${mirror.host}/mirrored`)) : undefined;
    return {
      ...(own ? { docker: dockerIdentity(own) } : {}),
      ...(theirs ? { dockerMirror: dockerIdentity(theirs) } : {}),
    };
  }
}

/** A login that was got less than this ago is as good as another one. */
const youngMs = 60_000;

/** What the variables of a machine say of who it is: nodes that differ in them never share what they see. */
function machineAtAws(): JsonObject {
  return fromEnvironment({ key: "AWS_ACCESS_KEY_ID", profile: "AWS_PROFILE", role: "AWS_ROLE_ARN" });
}

function machineAtAzure(source: RegistryImageSource): JsonObject {
  if (!isWorkloadIdentity(source)) return {};
  return fromEnvironment({ client: "AZURE_CLIENT_ID", tenant: "AZURE_TENANT_ID" });
}

function fromEnvironment(names: { readonly [name: string]: string }): JsonObject {
  const known = Object.entries(names).map(([name, variable]): [string, string] => [name, process.env[variable] ?? ""]);
  return Object.fromEntries(known.filter(([, value]) => value !== ""));
}

function notAllowed(who: string, cloud: "aws" | "azure"): string {
  return `${who} is asked with the machine's own identity, and the setting ambient-identity does not allow that for ${cloud}`;
}

function domainOf(repository: string): string {
  const parsed = parseReference(repository);
  return parsed.ok ? parsed.reference.domain : "";
}

function cloudSecrets(source: RegistryImageSource): readonly string[] {
  const { aws_access_key_id, aws_secret_access_key, aws_session_token, azure_client_id } = source;
  const names = [aws_access_key_id, aws_secret_access_key, aws_session_token, azure_client_id, source.azure_tenant_id];
  const all = [...names, ...awsRoles(source), ...secretsOf(credentialOf(source), source.repository)];
  return all.filter((text): text is string => text !== undefined && text !== "");
}
