import { readFileSync, statSync } from "node:fs";
import { FetchImageError, type Logger } from "@fetch-image/core/registry-image";
import { isJsonBody, type JsonBody, parseJsonBody } from "../../json-body.ts";

/** Where the login of one registry is, by Docker's configuration file. */
export type DockerEntry =
  | { readonly kind: "helper"; readonly helper: string; readonly server: string }
  | { readonly kind: "password"; readonly server: string; readonly username: string; readonly password: string }
  | { readonly kind: "identity-token"; readonly server: string; readonly username: string; readonly token: string };

export interface DockerConfig {
  /** For messages. */
  readonly path: string;
  /** Of a domain as it stands in references. Throws `FI_SETTING_INVALID` for an entry that cannot be used. */
  entryFor(domain: string): DockerEntry | undefined;
}

/**
 * Docker's configuration file, read as `docker` reads it (docker/cli, cli/config): `credHelpers` before `credsStore`
 * before `auths`. It is read again when it changes; where it is then broken, as a file is that is being written, what
 * was read before holds. Throws `FI_SETTING_INVALID` where it is not there (unless `optional`) or no such file.
 */
export function openDockerConfig(
  path: string,
  { optional, logger }: { readonly optional: boolean; readonly logger: Logger },
): DockerConfig {
  let read = readAgain(undefined);

  return {
    path,
    entryFor(domain) {
      try {
        read = readAgain(read);
      } catch (error) {
        if (!FetchImageError.is(error)) throw error;
        logger.warn("the docker config cannot be read now; what was read before holds", { path, error: error.message });
      }
      return entryIn(read.body, domain, path);
    },
  };

  function readAgain(before: { readonly stamp: string; readonly body: JsonBody } | undefined) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) {
      if (optional) return { stamp: "", body: {} };
      throw unreadable(path, "it is not there");
    }
    const stamp = `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs}`;
    if (before?.stamp === stamp) return before;
    if (stat.size > maxBytes) throw unreadable(path, `it is larger than ${maxBytes} bytes`);
    const body = parseJsonBody(contents(path));
    if (!body) throw unreadable(path, "it is no JSON object");
    return { stamp, body };
  }
}

const maxBytes = 1024 * 1024;

function contents(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code = "it cannot be read" } = error as NodeJS.ErrnoException;
    throw unreadable(path, code);
  }
}

function unreadable(path: string, why: string): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `the docker config ${path} cannot be used: ${why}`,
    hint: "Name the config.json that `docker login` writes, or leave the setting out.",
    details: { setting: "docker-config", path },
  });
}

function entryIn(body: JsonBody, domain: string, path: string): DockerEntry | undefined {
  const server = serverOf(domain);
  const helpers = body["credHelpers"];
  const named = isJsonBody(helpers) ? textAt(helpers, keyFor(domain, Object.keys(helpers))) : "";
  const helper = named === "" ? textAt(body, "credsStore") : named;
  if (helper !== "") {
    if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(helper)) throw badHelper(domain, path);
    return { kind: "helper", helper, server };
  }
  const auths = body["auths"];
  if (!isJsonBody(auths)) return undefined;
  const auth = auths[keyFor(domain, Object.keys(auths)) ?? ""];
  return isJsonBody(auth) ? plainEntry(auth, server) : undefined;
}

// `auth` overrides the two fields it is made of, and ends at the first colon of many.
function plainEntry(auth: JsonBody, server: string): DockerEntry | undefined {
  const text = Buffer.from(textAt(auth, "auth"), "base64").toString("utf8");
  const colon = text.indexOf(":");
  const [username, password] =
    colon > 0
      ? [text.slice(0, colon), text.slice(colon + 1).replaceAll("\0", "")]
      : [textAt(auth, "username"), textAt(auth, "password")];
  const token = textAt(auth, "identitytoken");
  if (token !== "") return { kind: "identity-token", server, username, token };
  return username === "" || password === "" ? undefined : { kind: "password", server, username, password };
}

/** What credential helpers and `auths` call a registry: by its domain, but for Docker Hub's old address. */
function serverOf(domain: string): string {
  return domain === "docker.io" ? "https://index.docker.io/v1/" : domain;
}

/** The exact name first; else one that only writes the host differently, with a scheme or a path. */
function keyFor(domain: string, keys: readonly string[]): string | undefined {
  const server = serverOf(domain);
  if (keys.includes(server)) return server;
  const hosts = domain === "docker.io" ? ["index.docker.io", "docker.io"] : [domain];
  return keys.find((key) => hosts.includes(key.replace(/^https?:\/\//, "").replace(/\/.*$/s, "")));
}

function textAt(body: JsonBody, name: string | undefined): string {
  const value = name !== undefined && Object.hasOwn(body, name) ? body[name] : undefined;
  return typeof value === "string" ? value : "";
}

function badHelper(domain: string, path: string): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `the docker config ${path} names no valid credential helper for ${domain}`,
    hint: "Write `ecr-login`, say, for the program docker-credential-ecr-login.",
    details: { setting: "docker-config", path, host: domain },
  });
}
