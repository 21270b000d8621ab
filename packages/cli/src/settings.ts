import * as kinds from "./setting-kinds.ts";
import type { SettingKind } from "./setting-kinds.ts";

/** The effective settings. Durations in milliseconds, sizes in bytes. */
export interface Settings {
  readonly data: string;
  readonly databaseUrl: string | undefined;
  readonly databaseConnections: number;
  readonly databasePipeline: boolean;
  readonly eventStore: string;
  readonly runtime: "kubernetes" | "artifact";
  readonly checkInterval: number;
  readonly staleWhileRevalidate: number;
  readonly stalenessBound: number;
  readonly failureBackoff: number;
  readonly failureBackoffCap: number;
  readonly refusalMemory: number;
  readonly repositories: readonly string[];
  readonly credentialKey: string | undefined;
  readonly rateLimitReserve: number;
  readonly attempts: number;
  readonly backoff: number;
  readonly backoffCap: number;
  readonly retryAfterPatience: number;
  readonly claim: number;
  readonly storePatience: number;
  readonly concurrency: number;
  readonly baseTypes: readonly string[];
  readonly baseTypePrefix: string | undefined;
  readonly nodeRegistries: readonly string[];
  readonly podNamespace: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly podSecurity: "restricted" | "baseline";
  readonly podUser: number;
  readonly podDeadline: number;
  readonly nodeSelector: readonly string[];
  readonly pullSecrets: readonly string[];
  readonly registrySecret: string | undefined;
  readonly externalUrl: string | undefined;
  readonly allowedImages: readonly string[];
  readonly deniedImages: readonly string[];
  readonly digestRequired: "no" | "soft" | "hard";
  readonly opaUrl: string | undefined;
  readonly opaTimeout: number;
  readonly opaAttempts: number;
  /** A file. */
  readonly opaCa: string | undefined;
  readonly opaResultAllowedKey: string;
  readonly opaResultShouldBlockKey: string;
  readonly opaResultMessagesKey: string;
  readonly clusterName: string;
  /** `registry.ci.svc:5000/builds`, with `http://` before it where that is what it speaks. */
  readonly pushRegistry: string | undefined;
  readonly allowedRealms: readonly string[];
  readonly registryEndpoints: readonly string[];
  readonly ambientIdentity: readonly ("aws" | "azure")[];
  /** A file; `true` for the one that docker would use. */
  readonly dockerConfig: string | boolean;
  readonly connectTimeout: number;
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  readonly exchangeTimeout: number;
  readonly downloadPatience: number;
  readonly connectionsPerRegistry: number;
  readonly concurrentQuestions: number;
  readonly mostTags: number;
  readonly mostTagPages: number;
  readonly tagListSize: number;
  readonly concurrentBlobs: number;
  readonly manifestSize: number;
  readonly configSize: number;
  readonly tokenSize: number;
  readonly redirects: number;
  readonly unpackedSize: number;
  readonly unpackedEntries: number;
  readonly expansion: number;
  readonly address: string;
  readonly port: number;
  readonly statelyPort: number;
  readonly token: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "text" | "json";
}

export type SettingKey = keyof Settings;

export interface Setting<T> {
  readonly kind: SettingKind<T>;
  readonly default: T;
  /** What it does, for help and docs. No full stop. */
  readonly does: string;
  /** The flag, where it is not the name: that of a list is in the singular. */
  readonly flag?: string;
  /** Names in the environment after its own, in the order in which they are looked up. */
  readonly alsoEnv?: readonly string[];
}

/** Every setting there is. `docs/settings.md` is printed from this table. */
export const settings: { readonly [Key in SettingKey]: Setting<Settings[Key]> } = {
  data: {
    kind: kinds.directory,
    default: ".fetch-image",
    does: "the data directory: the embedded store, and fetched artifacts",
  },
  databaseUrl: {
    kind: kinds.databaseUrl,
    default: undefined,
    alsoEnv: ["DATABASE_URL"],
    does: "a PostgreSQL server to store in, instead of the embedded one",
  },
  databaseConnections: {
    kind: kinds.wholeNumber(1, 1000),
    default: 8,
    does: "connections to the PostgreSQL server at the same time, at most; one more listens for news",
  },
  databasePipeline: {
    kind: kinds.boolean,
    default: false,
    does: "whether the next facts are sent while the PostgreSQL server stores others; only where no pooler is in between",
  },
  eventStore: {
    kind: kinds.eventStore,
    default: "postgres",
    does: "where the facts are: `postgres` is that of database-url, else the embedded one; or an EventStoreDB's URL",
  },
  runtime: {
    kind: kinds.oneOf("kubernetes", "artifact"),
    default: "kubernetes",
    does: "`kubernetes`: give image references for the kubelet to pull. `artifact`: fetch every image's bytes",
  },
  checkInterval: {
    kind: kinds.duration,
    default: 60_000,
    does: "a version observed no longer ago than this is used without asking the registry, unless `check_every` says otherwise",
  },
  staleWhileRevalidate: {
    kind: kinds.duration,
    default: 0,
    does: "how long beyond the interval an observation is still used at once, while one check runs beside the fetch; the log says so",
  },
  stalenessBound: {
    kind: kinds.duration,
    default: 3_600_000,
    does: "the oldest observation that is ever used where a registry fails or is to be spared; the log says so",
  },
  failureBackoff: {
    kind: kinds.positiveDuration,
    default: 1000,
    does: "how long no build asks again after a failure that may pass; it doubles with each in a row",
  },
  failureBackoffCap: {
    kind: kinds.positiveDuration,
    default: 60_000,
    does: "the longest that no build asks after failures in a row",
  },
  refusalMemory: {
    kind: kinds.duration,
    default: 10_000,
    does: "how long a refused login, and an image that is not there, stand before a build asks again; by hand it asks at once",
  },
  repositories: {
    kind: kinds.repositories,
    default: [],
    flag: "repository",
    does: "settings of some repositories, laid over the others; in the file a map, `*` in a name standing for anything",
  },
  credentialKey: {
    kind: kinds.secret,
    default: undefined,
    does: "a secret that tells sources' passwords apart: processes that share it ask once for all; a data directory has one of its own",
  },
  rateLimitReserve: {
    kind: kinds.share,
    default: 0.1,
    does: "the share of a registry's rate limit, at least one request, that is kept for images nobody has asked for yet; 0 keeps nothing back",
  },
  attempts: {
    kind: kinds.wholeNumber(1, 100),
    default: 5,
    does: "attempts at a check or a get, the first included, where the failure may pass",
  },
  backoff: {
    kind: kinds.duration,
    default: 500,
    does: "the pause before the second attempt; it doubles with each",
  },
  backoffCap: { kind: kinds.duration, default: 30_000, does: "the longest pause between attempts" },
  retryAfterPatience: {
    kind: kinds.duration,
    default: 120_000,
    does: "the longest `Retry-After` that is waited for; a longer one fails the fetch",
  },
  claim: {
    kind: kinds.positiveDuration,
    default: 30_000,
    does: "how long a fetch's claim to ask the registry holds, and how long others wait for its answer",
  },
  storePatience: {
    kind: kinds.duration,
    default: 30_000,
    does: "how long an append is tried again while the store is unavailable",
  },
  concurrency: { kind: kinds.wholeNumber(1, 1024), default: 32, does: "images fetched at the same time" },
  baseTypes: {
    kind: kinds.baseTypes,
    default: [],
    flag: "base-type",
    does: "images of base resource types, laid over the built-in table",
  },
  baseTypePrefix: {
    kind: kinds.repositoryPrefix,
    default: undefined,
    does: "what stands before the images of base resource types that are not replaced: a registry, or one and a path",
  },
  nodeRegistries: {
    kind: kinds.nodeRegistries,
    default: [],
    flag: "node-registry",
    does: "where nodes pull from instead of the registry that was asked; the longest name that fits is taken",
  },
  podNamespace: { kind: kinds.kubernetesName, default: undefined, does: "the namespace of pods and their Secrets" },
  serviceAccount: {
    kind: kinds.kubernetesName,
    default: undefined,
    does: "the service account of pods; it gives them no token",
  },
  podSecurity: {
    kind: kinds.oneOf("restricted", "baseline"),
    default: "restricted",
    does: "the Pod Security Standard of pods that are not privileged; `baseline` runs them as the image's own user",
  },
  podUser: {
    kind: kinds.wholeNumber(1, 2_147_483_647),
    default: 1000,
    does: "the user of `restricted` pods whose steps name none",
  },
  podDeadline: {
    kind: kinds.duration,
    default: 0,
    does: "how long a pod may run whose step has no `timeout`; 0 for as long as it takes",
  },
  nodeSelector: {
    kind: kinds.labels,
    default: [],
    does: "labels of the nodes that pods may run on",
  },
  pullSecrets: {
    kind: kinds.kubernetesNames,
    default: [],
    flag: "pull-secret",
    does: "Secrets that every pod pulls with, after the one for its own source's login",
  },
  registrySecret: {
    kind: kinds.kubernetesName,
    default: undefined,
    does: "the Secret for the deployment's own registry, tried after the others",
  },
  externalUrl: {
    kind: kinds.httpUrl,
    default: undefined,
    does: "the scheduler's address for people, which gets and puts are told as ATC_EXTERNAL_URL",
  },
  allowedImages: {
    kind: kinds.allowedImages,
    default: [],
    flag: "allowed-image",
    does: "repositories that images may be of, `*` standing for anything; `=soft` warns and goes on. Default: all",
  },
  deniedImages: {
    kind: kinds.deniedImages,
    default: [],
    flag: "denied-image",
    does: "repositories and digests that no image may be of, whatever is allowed; `=soft` warns and goes on",
  },
  digestRequired: {
    kind: kinds.oneOf("no", "soft", "hard"),
    default: "no",
    does: "whether an image must have a digest in the end: `soft` warns, `hard` fails the fetch",
  },
  opaUrl: {
    kind: kinds.httpUrl,
    default: undefined,
    does: "the Open Policy Agent's decision that every image is asked about, in Concourse's words; Default: none is asked",
  },
  opaTimeout: {
    kind: kinds.positiveDuration,
    default: 5000,
    does: "how long one question to the policy agent may take",
  },
  opaAttempts: {
    kind: kinds.wholeNumber(1, 10),
    default: 3,
    does: "how often the policy agent is asked one question, where it cannot be reached or is in trouble",
  },
  opaCa: {
    kind: kinds.optionalFile,
    default: undefined,
    does: "a PEM file with certificates that the policy agent's is checked against, beside the system's",
  },
  opaResultAllowedKey: {
    kind: kinds.keyPath,
    default: "result.allowed",
    does: "where the policy agent's answer has a boolean: whether the image is allowed",
  },
  opaResultShouldBlockKey: {
    kind: kinds.keyPath,
    default: "result.block",
    does: "where the answer has a boolean: whether a denial fails the fetch. Without it, it does",
  },
  opaResultMessagesKey: {
    kind: kinds.keyPath,
    default: "result.reasons",
    does: "where the answer has a list of texts: the reasons",
  },
  clusterName: { kind: kinds.words, default: "", does: "what the policy agent is told as `cluster_name`" },
  pushRegistry: {
    kind: kinds.pushRegistry,
    default: undefined,
    does: "where images go that a step has built and a task's `image:` names, so that nodes can pull them",
  },
  allowedRealms: {
    kind: kinds.origins,
    default: [],
    flag: "allowed-realm",
    does: "token servers that a registry may name although they are on a private address, or on http",
  },
  registryEndpoints: {
    kind: kinds.endpoints,
    default: [],
    flag: "registry-endpoint",
    does: "where registries are really served, by the domain in the reference",
  },
  ambientIdentity: {
    kind: kinds.listOf("aws", "azure"),
    default: [],
    does: "clouds at which sources without a key log in as this machine: its instance's, pod's or environment's identity",
  },
  dockerConfig: {
    kind: kinds.fileOrDefault,
    default: false,
    does: "docker's config.json, whose logins and credential helpers serve sources without a login; `true` for docker's own",
  },
  connectTimeout: {
    kind: kinds.duration,
    default: 10_000,
    does: "until a connection to a registry stands, TLS included",
  },
  headersTimeout: { kind: kinds.duration, default: 30_000, does: "from a request to the headers of its answer" },
  bodyTimeout: { kind: kinds.duration, default: 30_000, does: "the longest silence inside an answer's body" },
  exchangeTimeout: {
    kind: kinds.duration,
    default: 60_000,
    does: "one whole question about a manifest, login included",
  },
  downloadPatience: {
    kind: kinds.duration,
    default: 300_000,
    does: "how long one image's download puts up with failing and refused requests before it gives up",
  },
  connectionsPerRegistry: {
    kind: kinds.wholeNumber(1, 1024),
    default: 64,
    does: "connections to one registry for manifests and tokens; as many again for blobs",
  },
  concurrentQuestions: {
    kind: kinds.wholeNumber(1, 256),
    default: 8,
    does: "questions of one check asked at the same time: what its tags point to, or when its images were made",
  },
  mostTags: {
    kind: kinds.wholeNumber(1, 10_000_000),
    default: 100_000,
    does: "the most tags of one repository that are read; a source with a `tag` reads none",
  },
  mostTagPages: {
    kind: kinds.wholeNumber(1, 1_000_000),
    default: 2000,
    does: "the most pages of one repository's list of tags",
  },
  tagListSize: {
    kind: kinds.size,
    default: 16 * 1024 ** 2,
    does: "the largest list of tags that is read, all pages together",
  },
  concurrentBlobs: {
    kind: kinds.wholeNumber(1, 256),
    default: 4,
    does: "blobs of one image fetched at the same time",
  },
  manifestSize: { kind: kinds.size, default: 4 * 1024 ** 2, does: "the largest manifest that is read" },
  configSize: { kind: kinds.size, default: 8 * 1024 ** 2, does: "the largest image config that is read" },
  tokenSize: { kind: kinds.size, default: 64 * 1024, does: "the largest answer of a token server that is read" },
  redirects: { kind: kinds.wholeNumber(1, 20), default: 5, does: "redirects followed for one request" },
  unpackedSize: {
    kind: kinds.diskSize,
    default: 64 * 1024 ** 3,
    does: "the most bytes that the files of one image may have together, when it is unpacked",
  },
  unpackedEntries: {
    kind: kinds.wholeNumber(1, 1_000_000_000),
    default: 2_000_000,
    does: "the most files, directories and links that one image's layers may have",
  },
  expansion: {
    kind: kinds.wholeNumber(1, 1_000_000),
    default: 200,
    does: "how many times its compressed size a layer may unpack to, once it has given 256 MiB",
  },
  address: {
    kind: kinds.address,
    default: "127.0.0.1",
    does: "where `serve` listens; any but this machine's own loopback needs a token",
  },
  port: { kind: kinds.wholeNumber(0, 65_535), default: 8080, does: "the port of `serve`; 0 for a free one" },
  statelyPort: {
    kind: kinds.wholeNumber(0, 65_535),
    default: 8089,
    does: "the port of `serve --stately`, on this machine's loopback; 0 for a free one",
  },
  token: {
    kind: kinds.secret,
    default: undefined,
    does: "the bearer token that every request to `serve` must have",
  },
  allowedHosts: {
    kind: kinds.hosts,
    default: [],
    flag: "allowed-host",
    does: "the names, beside localhost, under which `serve` is asked for; with a token, any name where there are none",
  },
  logLevel: {
    kind: kinds.oneOf("debug", "info", "warn", "error"),
    default: "warn",
    does: "the least that is logged on standard error",
  },
  logFormat: { kind: kinds.oneOf("text", "json"), default: "text", does: "the form of log lines" },
};

export const settingKeys: readonly SettingKey[] = Object.keys(settings).filter(
  (key): key is SettingKey => key in settings,
);

/** As the config file and `config` name it: `check-interval`. */
export function settingName(key: SettingKey): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Without its dashes. */
export function flagOf(key: SettingKey): string {
  return settings[key].flag ?? settingName(key);
}

/** Its names in the environment, in the order in which they are looked up. */
export function environmentOf(key: SettingKey): readonly string[] {
  return [`FETCH_IMAGE_${settingName(key).replaceAll("-", "_").toUpperCase()}`, ...(settings[key].alsoEnv ?? [])];
}

/** The default as it could be written; empty for none. */
export function defaultOf(key: SettingKey): string {
  return showSetting(key, settings[key].default);
}

/** A value of the setting as it could be written, what is secret cut; empty for none. */
export function showSetting<Key extends SettingKey>(key: Key, value: Settings[Key]): string {
  const setting: Setting<Settings[Key]> = settings[key];
  return setting.kind.show(value);
}

/** Something for every setting. */
export function forSettings<All extends { readonly [Key in SettingKey]: unknown }>(
  of: (key: SettingKey) => All[SettingKey],
): All {
  return Object.fromEntries(settingKeys.map((key) => [key, of(key)])) as All;
}
