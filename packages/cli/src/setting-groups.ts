import type { SettingKey } from "./settings.ts";

/** Settings of what is logged. */
export const logSettings: readonly SettingKey[] = ["logLevel", "logFormat"];

/** Settings of every command that opens the store. */
export const storeSettings: readonly SettingKey[] = [
  "data",
  "databaseUrl",
  "databaseConnections",
  "databasePipeline",
  "eventStore",
  ...logSettings,
];

/** Settings of how images are fetched. */
export const fetchSettings: readonly SettingKey[] = [
  "runtime",
  "checkInterval",
  "staleWhileRevalidate",
  "stalenessBound",
  "failureBackoff",
  "failureBackoffCap",
  "refusalMemory",
  "repositories",
  "credentialKey",
  "rateLimitReserve",
  "attempts",
  "backoff",
  "backoffCap",
  "retryAfterPatience",
  "claim",
  "storePatience",
  "concurrency",
  "baseTypes",
  "pushRegistry",
  "baseTypePrefix",
];

/** Settings of pods and what they pull with. */
export const podSettings: readonly SettingKey[] = [
  "baseTypes",
  "baseTypePrefix",
  "nodeRegistries",
  "podNamespace",
  "serviceAccount",
  "podSecurity",
  "podUser",
  "podDeadline",
  "nodeSelector",
  "pullSecrets",
  "registrySecret",
  "externalUrl",
];

/** Settings of what images may be used. */
export const policySettings: readonly SettingKey[] = [
  "allowedImages",
  "deniedImages",
  "digestRequired",
  "opaUrl",
  "opaTimeout",
  "opaAttempts",
  "opaCa",
  "opaResultAllowedKey",
  "opaResultShouldBlockKey",
  "opaResultMessagesKey",
  "clusterName",
];

/** Settings of commands that ask registries. */
export const registrySettings: readonly SettingKey[] = [
  "allowedRealms",
  "registryEndpoints",
  "ambientIdentity",
  "dockerConfig",
  "connectTimeout",
  "headersTimeout",
  "bodyTimeout",
  "exchangeTimeout",
  "downloadPatience",
  "connectionsPerRegistry",
  "concurrentQuestions",
  "mostTags",
  "mostTagPages",
  "tagListSize",
  "concurrentBlobs",
  "manifestSize",
  "configSize",
  "tokenSize",
  "redirects",
];

/** Settings of commands that unpack images. */
export const unpackSettings: readonly SettingKey[] = ["unpackedSize", "unpackedEntries", "expansion"];

/** Settings of what is served over HTTP. */
export const serveSettings: readonly SettingKey[] = ["address", "port", "statelyPort", "token", "allowedHosts"];
