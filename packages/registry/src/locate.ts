import {
  apiHost,
  type CancelSignal,
  FetchImageError,
  parseReference,
  pullableRepository,
  type RegistryImageSource,
} from "@fetch-image/core/registry-image";
import { type Credential, credentialOf, secretsOf } from "./auth/credential.ts";
import type { HeldLogin, SourceLogins } from "./auth/source-logins.ts";
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
  /** The host that is asked first, for messages about a question that got no answer. */
  readonly host: string;
  /** The rights to ask a token server for. */
  readonly pullScopes: readonly string[];
  /** Of now: a login that comes from elsewhere than the source may be renewed. */
  readonly credential: Credential | undefined;
  /** After the registry refused a credential: whether it is worth asking with the one that is there now. */
  readonly renew?: (refused: Credential | undefined, signal: CancelSignal) => Promise<boolean>;
  /** `domain/path` to pull from, where the source does not say it: at ECR. */
  readonly pulledFrom?: string;
  readonly trust: TrustedRoots | undefined;
  readonly secrets: Secrets;
}

/** In the order to ask them; a second one is asked what the first cannot answer. */
export type Targets = readonly [Target, Target?];

/** A repository and where it is, before anybody has logged in. */
type Place = Omit<Target, "credential" | "renew" | "secrets">;

type PlaceOf = (repository: string, insecure: boolean) => Place;

type TrustOf = (caCerts: readonly string[] | undefined) => TrustedRoots | undefined;

/** What it takes to find a source's registries. */
export interface Locating {
  readonly placeOf: PlaceOf;
  readonly trustOf: TrustOf;
  readonly logins: SourceLogins;
  readonly signal: CancelSignal;
}

/**
 * The registries to ask for a source, in order: its mirror, when it has one and the image is Docker Hub's, and then
 * its own; logged in at the cloud that the source names, before anything else, as the resource does it. Rejects with
 * `FI_REFERENCE_INVALID`, `FI_SOURCE_INVALID`, with `FI_SOURCE_UNSUPPORTED` where the configuration allows no such
 * login, and as clouds and credential helpers fail. Without a login to be got first, all of that at once.
 */
export function locate(source: RegistryImageSource, locating: Locating): Targets | Promise<Targets> {
  const cannot = locating.logins.unanswerable(source);
  if (cannot) throw unsupported(cannot.field, cannot.reason);
  if (source.aws_region) return alone(ecrTarget(source, locating));
  const own = placeOf(source.repository, source, locating);
  const mirror = source.registry_mirror;
  if (!mirror || own.domain !== "docker.io") {
    const target = ownTarget(own, source, locating);
    return target instanceof Promise ? alone(target) : [target];
  }
  const mirrored = placeOf(`${mirror.host}/${own.path}`, source, locating);
  return both(withLogin(mirrored, mirror, locating), ownTarget(own, source, locating));
}

async function alone(target: Promise<Target>): Promise<Targets> {
  return [await target];
}

async function both(mirrored: Target | Promise<Target>, own: Target | Promise<Target>): Promise<Targets> {
  return await Promise.all([mirrored, own]);
}

export function unsupported(field: string, why: string): FetchImageError {
  return new FetchImageError("FI_SOURCE_UNSUPPORTED", {
    message: `${field} of the source cannot be answered here: ${why}`,
    details: { field },
  });
}

/** AWS names the registry's host with its login, but for a source that names the account (types.go, `AuthenticateToECR`). */
async function ecrTarget(source: RegistryImageSource, locating: Locating): Promise<Target> {
  const held = await locating.logins.ecr(source, locating.signal);
  const repository = pullableRepository(source) ?? `${held.login.registry ?? ""}/${source.repository}`;
  const place = placeOf(repository, source, locating);
  return loggedIn({ ...place, pulledFrom: place.name }, held);
}

function ownTarget(place: Place, source: RegistryImageSource, locating: Locating): Target | Promise<Target> {
  if (!source.azure_acr) return withLogin(place, source, locating);
  const held = locating.logins.acr(source, { ...place, host: place.domain }, locating.signal);
  return held.then((login) => loggedIn(place, login));
}

/** The source's own login for that registry, else what Docker's configuration has for it. */
function withLogin(
  place: Place,
  source: { readonly username?: string; readonly password?: string },
  { logins, signal }: Locating,
): Target | Promise<Target> {
  const credential = credentialOf(source);
  const held = credential ? undefined : logins.docker(place.domain, signal);
  if (held !== undefined) return held.then((login) => loggedIn(place, login));
  const { name, path, domain, origins, host, pullScopes, trust } = place;
  const secrets = createSecrets(secretsOf(credential, name));
  return { name, path, domain, origins, host, pullScopes, trust, credential, secrets };
}

function loggedIn(place: Place, held: HeldLogin): Target {
  let current = held.login;
  const secrets = createSecrets(secretsOf(current.credential, place.name));
  return {
    ...place,
    get credential() {
      return current.credential;
    },
    secrets,
    async renew(refused, signal) {
      // Somebody else who asks for the same image may have been refused first.
      if (refused !== current.credential) return true;
      const renewed = await held.renew(current, signal);
      if (!renewed || renewed.credential?.key === refused?.key) return false;
      for (const secret of secretsOf(renewed.credential, place.name)) secrets.add(secret);
      current = renewed;
      return true;
    },
  };
}

function placeOf(repository: string, source: RegistryImageSource, { placeOf, trustOf }: Locating): Place {
  const place = placeOf(repository, source.insecure === true);
  return source.ca_certs === undefined ? place : { ...place, trust: trustOf(source.ca_certs) };
}

/** Where repositories are. Remembered: to read a URL costs as much as to ask for a digest. */
export function createPlaces(settings: RegistrySettings): PlaceOf {
  const known = { secure: new Map<string, Place>(), insecure: new Map<string, Place>() };
  return (repository, insecure) => {
    const places = known[insecure ? "insecure" : "secure"];
    const found = places.get(repository);
    if (found !== undefined) return found;
    const place = findPlace(repository, insecure, settings);
    if (places.size === mostPlaces) places.clear();
    places.set(repository, place);
    return place;
  };
}

const mostPlaces = 1000;

function findPlace(repository: string, insecure: boolean, settings: RegistrySettings): Place {
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
  const origins = originsOf(domain, insecure, settings);
  return {
    name: `${domain}/${path}`,
    path,
    domain,
    origins,
    host: origins[0]?.host ?? domain,
    pullScopes: [`repository:${path}:pull`],
    trust: undefined,
  };
}

function originsOf(domain: string, insecure: boolean, { endpoints }: RegistrySettings): readonly URL[] {
  const host = apiHost(domain);
  const configured = endpoints.get(domain) ?? endpoints.get(host);
  if (configured) return [configured];
  const secure = new URL(`https://${host}`);
  return insecure || isLoopback(secure.hostname) ? [secure, new URL(`http://${host}`)] : [secure];
}
