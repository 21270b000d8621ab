import { goJson, type PullCredential } from "@fetch-image/core";
import { type PullSecret, pullSecretInvalid } from "./pull-secret-invalid.ts";

export const dockerConfigType = "kubernetes.io/dockerconfigjson";
const dockerConfigKey = ".dockerconfigjson";
const legacyType = "kubernetes.io/dockercfg";
const legacyKey = ".dockercfg";

/** The `data` of a pull secret with these logins, byte for byte as `kubectl create secret docker-registry` makes it. */
export function dockerConfigData(credentials: readonly PullCredential[]): { [key: string]: string } {
  const auths = credentials.map(({ registry, username, password }) => {
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    return [serverOf(registry), { username, password, auth }] as const;
  });
  return { [dockerConfigKey]: Buffer.from(goJson({ auths: Object.fromEntries(auths) })).toString("base64") };
}

/** What kubelets look a registry up by: its domain, but for Docker Hub's old address. */
function serverOf(registry: string): string {
  return registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
}

/**
 * The logins of a pull secret by their keys, as a kubelet reads them; undefined for a Secret that is none, which it passes
 * over. `auth` wins over the two fields that it is made of; identity tokens are not read. Throws `FI_PULL_SECRET_INVALID`.
 */
export function dockerConfigEntries(
  secret: PullSecret,
): { readonly [key: string]: { readonly username: string; readonly password: string } } | undefined {
  const { type, data = {} } = secret;
  const isLegacy = type === legacyType;
  const encoded = data[isLegacy ? legacyKey : dockerConfigKey];
  if ((!isLegacy && type !== dockerConfigType) || encoded === undefined || encoded === "") return undefined;
  const config = objectIn(secret, Buffer.from(encoded, "base64").toString("utf8"));
  const auths = isLegacy ? config : config["auths"];
  if (auths === undefined || auths === null) return {};
  if (!isObject(auths)) throw pullSecretInvalid(secret, "its `auths` is no object");
  return Object.fromEntries(Object.entries(auths).map(([key, entry]) => [key, loginIn(secret, entry)]));
}

function loginIn(secret: PullSecret, entry: unknown): { readonly username: string; readonly password: string } {
  if (entry === null) return { username: "", password: "" };
  if (!isObject(entry)) throw pullSecretInvalid(secret, "an entry of it is no object");
  const { username = "", password = "", auth = "" } = entry;
  if (typeof username !== "string" || typeof password !== "string" || typeof auth !== "string") {
    throw pullSecretInvalid(secret, "`username`, `password` or `auth` of an entry is no text");
  }
  if (auth === "") return { username, password };
  const text = auth.replace(/[\r\n]/g, "");
  const pair = isBase64(text) ? Buffer.from(text, "base64").toString("utf8") : "";
  const colon = pair.indexOf(":");
  if (colon === -1) throw pullSecretInvalid(secret, "`auth` of an entry is no base64 of user:password");
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** Padded or not. */
function isBase64(text: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(text);
}

function objectIn(secret: PullSecret, text: string): { readonly [field: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // The parser's own words quote the text, and a password with it.
  }
  throw pullSecretInvalid(secret, "its Docker configuration is no JSON object");
}

function isObject(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
