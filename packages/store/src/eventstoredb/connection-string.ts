import { FetchImageError } from "@fetch-image/core/fetching";

/** Where EventStoreDB is and how to talk to it, as its connection string says. */
export interface Address {
  readonly hosts: readonly Host[];
  /** The one host is a name that DNS resolves to the members of a cluster. */
  readonly discover: boolean;
  readonly credentials: Credentials | undefined;
  readonly settings: Settings;
}

export interface Host {
  readonly address: string;
  readonly port: number;
}

interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** By the names of the connection string. Times in milliseconds, but `gossipTimeout` in seconds. */
interface Settings {
  readonly tls: boolean;
  readonly tlsCAFile?: string;
  readonly userCertFile?: string;
  readonly userKeyFile?: string;
  readonly connectionName?: string;
  readonly nodePreference?: string;
  readonly defaultDeadline?: number;
  readonly keepAliveInterval?: number;
  readonly keepAliveTimeout?: number;
  readonly maxDiscoverAttempts?: number;
  readonly discoveryInterval?: number;
  readonly gossipTimeout?: number;
}

type Kind = "flag" | "text" | "number" | "ignored";

const kinds: { readonly [name in keyof Settings | "tlsVerifyCert" | "throwOnAppendFailure"]-?: Kind } = {
  tls: "flag",
  tlsVerifyCert: "flag",
  tlsCAFile: "text",
  userCertFile: "text",
  userKeyFile: "text",
  connectionName: "text",
  nodePreference: "text",
  defaultDeadline: "number",
  keepAliveInterval: "number",
  keepAliveTimeout: "number",
  maxDiscoverAttempts: "number",
  discoveryInterval: "number",
  gossipTimeout: "number",
  // The client's answer to a refused append would be false without it, so it is always on.
  throwOnAppendFailure: "ignored",
};

/** The names that settings are found by: without regard to case, `_` and `-`, as in every client of EventStoreDB. */
const namesByFlatName = new Map(Object.keys(kinds).map((name) => [flat(name), name]));

const schemes = ["esdb", "kurrentdb", "kurrent", "kdb"];

/**
 * Reads `esdb://[user:password@]host[:2113][,host…][?setting=value&…]`, `esdb+discover://` for a cluster that DNS knows,
 * and the same by KurrentDB's schemes, whose protocol is the same. What the client would only warn about, printing the
 * whole string with its password, is refused here. Rejects with `FI_SETTING_INVALID`; never repeats user, password or
 * anything that may be a piece of them.
 */
export function parseConnectionString(connectionString: string): Address {
  const match = /^([a-z]+)(\+discover)?:\/\/(?:([^@]*)@)?([^/?@]+)\/*(?:\?([^@]*))?$/.exec(connectionString.trim());
  const [, scheme = "", discover, user, hostList = "", query] = match ?? [];
  if (match === null || !schemes.includes(scheme)) {
    throw invalid("it must look like esdb://user:password@host:2113?tls=true, with user and password percent-encoded");
  }
  const hosts = hostList.split(",").map(parseHost);
  if (discover !== undefined && hosts.length > 1) throw invalid("a +discover:// address is one host name");
  return {
    hosts,
    discover: discover !== undefined,
    credentials: user === undefined ? undefined : parseCredentials(user),
    settings: parseSettings(query),
  };
}

/** `EventStoreDB at db.example:2113`: no user and no password. */
export function describe({ hosts }: Address): string {
  return `EventStoreDB at ${hosts.map(({ address, port }) => `${address}:${port}`).join(",")}`;
}

export function invalid(what: string): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", { message: `the EventStoreDB connection string: ${what}` });
}

// What stands here may be a password with a character that should have been encoded: it is not repeated.
function parseHost(text: string, index: number): Host {
  const [, address, port = "2113"] = /^([A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  if (address === undefined || Number(port) > 65_535)
    throw invalid(`host number ${index + 1} is not host or host:port`);
  return { address, port: Number(port) };
}

function parseCredentials(text: string): Credentials {
  const [username, password, ...rest] = text.split(":");
  try {
    if (username && password && rest.length === 0) {
      return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
    }
  } catch {
    // Said below.
  }
  throw invalid("before the @ stands user:password, both percent-encoded");
}

function parseSettings(query: string | undefined): Settings {
  const settings: { [name: string]: string | number | boolean } = { tls: true };
  for (const pair of (query ?? "").split("&").filter((pair) => pair !== "")) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/.exec(pair) ?? [];
    const name = namesByFlatName.get(flat(key));
    if (name === undefined) {
      throw invalid(`it has a setting that is not known (known: ${Object.keys(kinds).join(", ")})`);
    }
    const parsed = parseValue(name, kinds[name as keyof typeof kinds], value.trim());
    if (parsed !== undefined) settings[name] = parsed;
  }
  const { tlsVerifyCert, ...rest } = settings;
  if (tlsVerifyCert === false) {
    throw invalid("tlsVerifyCert=false is not possible: name the authority's certificate by tlsCAFile");
  }
  const { keepAliveInterval } = rest;
  if (typeof keepAliveInterval === "number" && keepAliveInterval !== -1 && keepAliveInterval < 10_000) {
    throw invalid("keepAliveInterval must be at least 10000 (ms), or -1 for none: servers cut who asks more often");
  }
  return rest as typeof rest & { tls: boolean };
}

function parseValue(name: string, kind: Kind, value: string): string | number | boolean | undefined {
  switch (kind) {
    case "ignored":
      return undefined;
    case "flag":
      if (value !== "true" && value !== "false") throw invalid(`${name} must be true or false`);
      return value === "true";
    case "number":
      if (!/^-?[0-9]{1,9}$/.test(value)) throw invalid(`${name} must be a whole number`);
      if (Number(value) < (name.startsWith("keepAlive") ? -1 : 1)) throw invalid(`${name} is too small`);
      return Number(value);
    case "text":
      return decoded(name, value);
    default:
      return kind satisfies never;
  }
}

function decoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw invalid(`${name} is not percent-encoded text`);
  }
}

function flat(name: string): string {
  return name.trim().toLowerCase().replaceAll(/[_-]/g, "");
}
