import { apiHost, FetchImageError, parseReference, type RegistryImageSource } from "@fetch-image/core";
import { type Credential, credentialOf, secretsOf } from "./auth/credential.ts";
import type { RegistrySettings } from "./settings.ts";
import { isLoopback } from "./transport/address.ts";
import type { TrustedRoots } from "./transport/certificates.ts";
import { createSecrets, type Secrets } from "./transport/redact.ts";

/** A repository, and all that is needed to ask its registry about it. */
export interface Target {
  /** `domain/path`, for messages. */
  readonly name: string;
  /** Below `/v2/`. */
  readonly path: string;
  readonly domain: string;
  /** Where to ask, the best first: https, then http where that is allowed. */
  readonly origins: readonly URL[];
  readonly credential: Credential | undefined;
  readonly trust: TrustedRoots | undefined;
  readonly secrets: Secrets;
}

/** In the order to ask them; a second one is asked what the first cannot answer. */
export type Targets = readonly [Target, Target?];

export type TrustOf = (caCerts: readonly string[] | undefined) => TrustedRoots | undefined;

/**
 * The registries to ask for a source, in order: its mirror, when it has one and the image is Docker Hub's, and then
 * its own. Throws `FI_REFERENCE_INVALID`, `FI_SOURCE_INVALID` and, for logins that need a cloud's own API,
 * `FI_SOURCE_UNSUPPORTED`.
 */
export function locate(source: RegistryImageSource, settings: RegistrySettings, trustOf: TrustOf): Targets {
  const field = cloudLogin(source);
  if (field) throw unsupported(field, "the login comes from the cloud's own API");
  const own = target(source.repository, source, source, settings, trustOf);
  const mirror = source.registry_mirror;
  if (!mirror || own.domain !== "docker.io") return [own];
  return [target(`${mirror.host}/${own.path}`, source, mirror, settings, trustOf), own];
}

export function unsupported(field: string, why: string): FetchImageError {
  return new FetchImageError("FI_SOURCE_UNSUPPORTED", {
    message: `${field} of the source cannot be answered here: ${why}`,
    details: { field },
  });
}

// As the resource has it: these two turn the clouds' logins on, the other aws_* and azure_* fields only shape them.
function cloudLogin(source: RegistryImageSource): string | undefined {
  if (source.aws_region) return "aws_region";
  return source.azure_acr ? "azure_acr" : undefined;
}

function target(
  repository: string,
  source: RegistryImageSource,
  login: { readonly username?: string; readonly password?: string },
  settings: RegistrySettings,
  trustOf: TrustOf,
): Target {
  const parsed = parseReference(repository);
  if (!parsed.ok) throw parsed.error;
  const { domain, path, tag, digest } = parsed.reference;
  if (tag !== undefined || digest !== undefined) {
    throw new FetchImageError("FI_SOURCE_INVALID", {
      message: `repository "${parsed.reference.text}" of the source has a ${tag === undefined ? "digest" : "tag"}`,
      hint: "Write the tag into `tag` of the source.",
      details: { field: "repository" },
    });
  }
  const credential = credentialOf(login);
  return {
    name: `${domain}/${path}`,
    path,
    domain,
    origins: originsOf(domain, source.insecure === true, settings),
    credential,
    trust: trustOf(source.ca_certs),
    secrets: createSecrets(secretsOf(credential, `${domain}/${path}`)),
  };
}

function originsOf(domain: string, insecure: boolean, { endpoints }: RegistrySettings): readonly URL[] {
  const host = apiHost(domain);
  const configured = endpoints.get(domain) ?? endpoints.get(host);
  if (configured) return [configured];
  const secure = new URL(`https://${host}`);
  return insecure || isLoopback(secure.hostname) ? [secure, new URL(`http://${host}`)] : [secure];
}
