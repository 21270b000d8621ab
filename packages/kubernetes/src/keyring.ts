import { parseReference, showText } from "@fetch-image/core";
import { dockerConfigEntries } from "./docker-config.ts";
import { matchesGlob } from "./glob.ts";
import { nameOf, type PullSecret } from "./pull-secret-invalid.ts";

/** A login that a kubelet would try. */
export interface MatchingCredential {
  /** The Secret's name. */
  readonly secret: string;
  /** The key in the Secret, as it stands there. */
  readonly key: string;
  readonly username: string;
  readonly password: string;
}

/**
 * The logins of pull secrets that a kubelet tries for an image, in its order: keys backwards by their bytes, so that of one
 * host the longest path comes first; of one key, the secrets in the pod's order. None means that it pulls anonymously.
 * Upstream: kubernetes pkg/credentialprovider (keyring.go, config.go). Throws `FI_PULL_SECRET_INVALID` where the kubelet
 * gives up before it tries, and `FI_REFERENCE_INVALID`.
 */
export function matchingCredentials(image: string, secrets: readonly PullSecret[]): readonly MatchingCredential[] {
  const parsed = parseReference(image);
  if (!parsed.ok) throw parsed.error;
  const { domain, path } = parsed.reference;
  const target = placeOf(`${domain}/${path}`);
  const entries = secrets
    .flatMap(entriesOf)
    // A stable sort: of one key, the secrets stay in their order.
    .toSorted((a, b) => (a.index === b.index ? 0 : a.index < b.index ? 1 : -1));
  const matching = entries.filter(({ place }) => target !== undefined && fits(place, target));
  // Docker Hub's key is that of its old address, which no image's name begins with.
  const hub = domain === "docker.io" ? entries.filter(({ index }) => index === "index.docker.io") : [];
  return (matching.length > 0 ? matching : hub).map(({ credential }) => credential);
}

/**
 * What is wrong where pull secrets are given and a kubelet would try none of them: the image, the secrets and their keys,
 * in words without secrets. Undefined where one fits, and where there are none to fit. Throws as `matchingCredentials`.
 */
export function pullSecretWarning(image: string, secrets: readonly PullSecret[]): string | undefined {
  if (secrets.length === 0 || matchingCredentials(image, secrets).length > 0) return undefined;
  const each = secrets.map((secret) => {
    const keys = entriesOf(secret).map(({ credential }) => showText(credential.key).slice(1, -1));
    const has =
      dockerConfigEntries(secret) === undefined ? `is of type ${showText(secret.type ?? "Opaque")}` : "has no key";
    return `${nameOf(secret)} ${keys.length === 0 ? has : `has ${keys.join(", ")}`}`;
  });
  const shown = showText(image).slice(1, -1);
  return `no pull secret fits ${shown}, so a kubelet pulls it anonymously: ${each.join("; ")}`;
}

interface Entry {
  /** What kubelets make of the key, and sort by. */
  readonly index: string;
  readonly place: Place;
  readonly credential: MatchingCredential;
}

function entriesOf(secret: PullSecret): readonly Entry[] {
  const entries = dockerConfigEntries(secret) ?? {};
  return Object.entries(entries).flatMap(([key, login]) => {
    const place = placeOf(key.replace(/^https?:\/\//, ""));
    // A key that is no address is passed over.
    if (place === undefined) return [];
    const path = place.path.replace(/^\/v[12]\//, "/");
    const index = path === "/" ? place.address : `${place.address}${path}`;
    return [
      {
        index,
        place: { ...place, path: path === "/" ? "" : path },
        credential: { secret: nameOf(secret), key, ...login },
      },
    ];
  });
}

interface Place {
  /** Host and port as written. */
  readonly address: string;
  readonly host: readonly string[];
  readonly port: string;
  /** With its leading slash; empty without one. */
  readonly path: string;
}

/** The parts of an address without a scheme, as Go's url.Parse takes it apart. */
function placeOf(text: string): Place | undefined {
  const [, userinfo = "", address = "", path = ""] = /^([^/?#]*@)?([^/?#]*)([^?#]*)/.exec(text) ?? [];
  if (userinfo === "" && address === "" && path === "") return undefined;
  const [, host = "", port = ""] = /^(\[[^\]]*\]|[^:[][^:]*)(?::(\d*))?$/.exec(address) ?? [];
  if (host === "" || /[\s\\^`{|}%]/.test(address)) return undefined;
  return { address, host: host.replace(/^\[|\]$/g, "").split("."), port, path };
}

function fits(key: Place, image: Place): boolean {
  return (
    key.port === image.port &&
    key.host.length === image.host.length &&
    image.path.startsWith(key.path) &&
    key.host.every((glob, at) => matchesGlob(glob, image.host[at] ?? ""))
  );
}
