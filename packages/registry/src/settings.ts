import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Clock, FetchImageError, type Logger, silentLogger } from "@fetch-image/core/registry-image";
import { proxyUrl } from "./transport/proxy.ts";

/** Milliseconds. */
export interface RegistryTimeouts {
  /** Until a connection stands, TLS included. */
  readonly connectMs: number;
  /** From the request to the answer's headers. */
  readonly headersMs: number;
  /** The longest silence inside a body. */
  readonly bodyMs: number;
  /** One whole question about a manifest, login included; it ends what trickles for ever. Blobs have no such bound. */
  readonly exchangeMs: number;
  /** How long the download of one image puts up with failing and refused requests, the waiting between them included. */
  readonly downloadPatienceMs: number;
}

/** Bytes and counts that a registry cannot exceed, whatever it sends. */
export interface RegistryLimits {
  readonly manifestBytes: number;
  readonly configBytes: number;
  readonly tokenBytes: number;
  /** How much of an error's body is read, to quote from it. */
  readonly errorBytes: number;
  readonly redirects: number;
  /** Connections to one origin for manifests and tokens; as many again for blobs. */
  readonly connectionsPerOrigin: number;
  /** Blobs of one image that are fetched at the same time. */
  readonly concurrentBlobs: number;
  /** Questions of one check that are asked at the same time: the digests of its tags, or when its images were made. */
  readonly concurrentQuestions: number;
  /** Of one repository, counted once each. */
  readonly tags: number;
  /** Of one repository's list of tags; registries give 50 to 1,000 tags a page, and some all at once. */
  readonly tagPages: number;
  /** Of one repository's list of tags, all pages together. */
  readonly tagListBytes: number;
}

export interface ProxySettings {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  /** Hosts, domains, IP addresses and CIDR blocks that are asked directly; `*` for all. */
  readonly noProxy?: string;
}

const ambientClouds = ["aws", "azure"] as const;
export type AmbientCloud = (typeof ambientClouds)[number];

export interface RegistryOptions {
  readonly timeouts?: Partial<RegistryTimeouts>;
  readonly limits?: Partial<RegistryLimits>;
  /**
   * Origins (`https://auth.internal:8443`; a bare host means https) that a registry may name as its token server or
   * redirect to although they are on a private address, or on http where the registry is on https.
   */
  readonly allowedRealms?: readonly string[];
  /**
   * The clouds that a source may make this machine log in at as itself: its instance's, pod's or environment's identity.
   * Default: none, since every source then sees what the machine may see, whoever wrote it.
   */
  readonly ambientIdentity?: readonly AmbientCloud[];
  /**
   * Docker's configuration file, whose logins and credential helpers are used for sources without a login of their own;
   * `true` for the one that `docker` would use, if it is there. Default: none, for the same reason.
   */
  readonly dockerConfig?: string | true;
  /**
   * Where a registry is really served, by the domain of the reference: `{"docker.io": "https://mirror.internal"}`. So are
   * the clouds' own APIs, by their host: `sts.eu-west-1.amazonaws.com`.
   */
  readonly endpoints?: { readonly [domain: string]: string };
  /** Default: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment. */
  readonly proxy?: ProxySettings;
  readonly userAgent?: string;
  /** Default: the machine's own time. `after` is for the waiting between two tries of a download. */
  readonly clock?: Pick<Clock, "now"> & Partial<Pick<Clock, "after">>;
  /** At least 0, below 1; spreads the tries of many clients. Default: `Math.random`. */
  readonly random?: () => number;
  readonly logger?: Logger;
}

export interface RegistrySettings {
  readonly timeouts: RegistryTimeouts;
  readonly limits: RegistryLimits;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly endpoints: ReadonlyMap<string, URL>;
  readonly ambientIdentity: ReadonlySet<AmbientCloud>;
  readonly dockerConfig: { readonly path: string; readonly optional: boolean } | undefined;
  readonly proxy: ProxySettings;
  readonly userAgent: string;
  readonly now: () => number;
  readonly after: Clock["after"];
  readonly random: () => number;
  readonly logger: Logger;
}

export const defaultTimeouts: RegistryTimeouts = {
  connectMs: 10_000,
  headersMs: 30_000,
  bodyMs: 30_000,
  exchangeMs: 60_000,
  downloadPatienceMs: 5 * 60_000,
};

export const defaultLimits: RegistryLimits = {
  manifestBytes: 4 * 1024 * 1024,
  configBytes: 8 * 1024 * 1024,
  tokenBytes: 64 * 1024,
  errorBytes: 8 * 1024,
  redirects: 5,
  connectionsPerOrigin: 64,
  concurrentBlobs: 4,
  concurrentQuestions: 8,
  tags: 100_000,
  tagPages: 2_000,
  tagListBytes: 16 * 1024 * 1024,
};

/** Fills in the defaults. Throws `FI_SETTING_INVALID` naming the setting. */
export function registrySettings(options: RegistryOptions): RegistrySettings {
  return {
    timeouts: positive("timeouts", defaultTimeouts, options.timeouts),
    limits: positive("limits", defaultLimits, options.limits),
    allowedOrigins: new Set(
      (options.allowedRealms ?? []).map((text, at) => origin(`allowedRealms[${at}]`, text).origin),
    ),
    endpoints: new Map(
      Object.entries(options.endpoints ?? {}).map(([domain, text]) => [domain, origin(`endpoints["${domain}"]`, text)]),
    ),
    ambientIdentity: new Set((options.ambientIdentity ?? []).map(ambientCloud)),
    dockerConfig: dockerConfig(options.dockerConfig),
    proxy: usableProxy(options.proxy ?? proxyOfEnvironment()),
    userAgent: options.userAgent ?? "fetch-image",
    now: () => (options.clock ?? Date).now(),
    after: (ms, callback) => (options.clock?.after ?? systemTimer)(ms, callback),
    random: options.random ?? Math.random,
    logger: options.logger ?? silentLogger,
  };
}

// Somebody waits for it: it keeps the process alive.
function systemTimer(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

function ambientCloud(given: string): AmbientCloud {
  const cloud = ambientClouds.find((known) => known === given);
  if (cloud) return cloud;
  throw new FetchImageError("FI_SETTING_INVALID", {
    message: `ambientIdentity of the registry settings must be of ${ambientClouds.join(", ")}, not "${given}"`,
  });
}

function dockerConfig(given: string | true | undefined): RegistrySettings["dockerConfig"] {
  if (given === undefined) return undefined;
  if (given !== true) return { path: resolve(given), optional: false };
  const directory = process.env["DOCKER_CONFIG"] || join(homedir(), ".docker");
  return { path: resolve(directory, "config.json"), optional: true };
}

function positive<T extends object>(group: string, defaults: T, given: Partial<T> | undefined): T {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Number.isSafeInteger(value) || Number(value) < 1) {
      throw new FetchImageError("FI_SETTING_INVALID", {
        message: `${group}.${name} of the registry settings must be a whole number of at least 1, not ${String(value)}`,
      });
    }
  }
  return { ...defaults, ...given };
}

function origin(setting: string, text: string): URL {
  const url = parse(withScheme(text));
  const bare = url && (url.pathname === "/" || url.pathname === "") && url.search === "" && url.hash === "";
  if (!url || !bare || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: `${setting} of the registry settings is not an origin`,
      hint: "Write it as https://host or https://host:port, with no path and no credentials.",
    });
  }
  return url;
}

function withScheme(text: string): string {
  return text.includes("://") ? text : `https://${text}`;
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function usableProxy(proxy: ProxySettings): ProxySettings {
  for (const [name, text] of [
    ["HTTP_PROXY", proxy.httpProxy],
    ["HTTPS_PROXY", proxy.httpsProxy],
  ] as const) {
    if (!text || /^https?:$/.test(parse(proxyUrl(text))?.protocol ?? "")) continue;
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: `${name} is not the URL of an HTTP proxy`,
      hint: "Write it as http://proxy:3128 or http://user:password@proxy:3128, odd characters percent-encoded.",
    });
  }
  return proxy;
}

// Lower case first, as curl and Go's net/http have it.
function proxyOfEnvironment(): ProxySettings {
  const read = (name: string): string | undefined => process.env[name.toLowerCase()] || process.env[name] || undefined;
  const [httpProxy, httpsProxy, noProxy] = [read("HTTP_PROXY"), read("HTTPS_PROXY"), read("NO_PROXY")];
  return { ...(httpProxy && { httpProxy }), ...(httpsProxy && { httpsProxy }), ...(noProxy && { noProxy }) };
}
