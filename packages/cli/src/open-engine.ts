// Wires the engine, its shadow and the registries. Each adapter is imported when it is wired, so that a command that needs
// none loads none.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Logger } from "@fetch-image/core";
import type { EngineOptions, EngineSettings, FetchImageEngine, Shadow } from "@fetch-image/engine";
import type { createArtifactPusher, OciRegistry, UnpackLimits } from "@fetch-image/registry";
import { artifactPlaces } from "./artifact-places.ts";
import { keyOfDirectory } from "./credential-key.ts";
import type { EffectiveSettings } from "./effective-settings.ts";
import type { Stores } from "./open-stores.ts";
import { openPolicy } from "./open-policy.ts";
import { repositoryRule } from "./repository-rules.ts";

/** What went over the network to registries and token servers. */
export interface Traffic {
  readonly requests: number;
  /** Manifests, configs and layers of images that were fetched as artifacts. */
  readonly imageBytes: number;
}

export interface WiredEngine extends AsyncDisposable {
  readonly engine: FetchImageEngine;
  readonly traffic: Traffic;
}

/** The engine over the stores, registries and the data directory. Closes what it opened; the stores stay open. */
export async function openEngine(
  { values }: EffectiveSettings,
  { stores, logger }: { readonly stores: Stores; readonly logger: Logger },
): Promise<WiredEngine> {
  const [{ createFetchImageEngine }, oci, { createFileArtifactStore }] = await Promise.all([
    import("@fetch-image/engine"),
    import("@fetch-image/registry"),
    import("@fetch-image/store/filesystem"),
  ]);
  const traffic = { requests: 0, imageBytes: 0 };
  // undici tells of every request that it sends, logins and redirects included.
  const countRequest = () => void traffic.requests++;
  subscribe("undici:client:sendHeaders", countRequest);
  const registry = await openRegistry({ values }, logger);
  const counting: OciRegistry = {
    ...registry,
    async fetchImage(source, digest, options) {
      const image = await registry.fetchImage(source, digest, options);
      traffic.imageBytes += image.downloadedBytes;
      return image;
    },
  };
  const artifacts = artifactPlaces(values.data);
  const policy = await openPolicy({ values });
  const store = createFileArtifactStore({ directory: artifacts.store });
  const isLocal = values.databaseUrl === undefined;
  const credentialKey = values.credentialKey ?? (isLocal ? await keyOfDirectory(values.data) : undefined);
  const engine = createFetchImageEngine({
    eventLog: stores.eventLog,
    readModel: stores.readModel,
    registry,
    ...artifactPusher({ values }, { registry, create: oci.createArtifactPusher }),
    stepRunner: oci.createRegistryImageRunner({
      registry: counting,
      store,
      directory: artifacts.gets,
      unpackLimits: unpackLimits({ values }),
    }),
    ...(policy === undefined ? {} : { policy }),
    nativeImageFetch: values.runtime === "kubernetes",
    soleNode: stores.soleNode,
    ...(credentialKey === undefined ? {} : { credentialKey }),
    logger,
    ...checkRules({ values }),
  });
  return {
    engine,
    traffic,
    async [Symbol.asyncDispose]() {
      await engine.close();
      await registry.close();
      unsubscribe("undici:client:sendHeaders", countRequest);
    },
  };
}

/** Where images go that a step has built. */
function artifactPusher(
  { values: { pushRegistry } }: Pick<EffectiveSettings, "values">,
  { registry, create }: { readonly registry: OciRegistry; readonly create: typeof createArtifactPusher },
): Pick<EngineOptions, "artifactPusher"> {
  if (pushRegistry === undefined) return {};
  const insecure = pushRegistry.startsWith("http://");
  const prefix = pushRegistry.replace(/^http:\/\//, "");
  return { artifactPusher: create({ registry, prefix, source: { insecure } }) };
}

/** A shadow over the stores and registries. Closes what it opened; the stores stay open. */
export async function openShadow(
  { values }: EffectiveSettings,
  { stores, logger }: { readonly stores: Stores; readonly logger: Logger },
): Promise<AsyncDisposable & { readonly shadow: Shadow }> {
  const { createShadow } = await import("@fetch-image/engine");
  const registry = await openRegistry({ values }, logger);
  const shadow = createShadow({
    eventLog: stores.eventLog,
    registry,
    concurrency: values.concurrency,
    logger,
    ...checkRules({ values }),
  });
  return {
    shadow,
    async [Symbol.asyncDispose]() {
      await shadow.close();
      await registry.close();
    },
  };
}

/** How registries are asked: for all repositories, and for some. */
function checkRules({ values }: Pick<EffectiveSettings, "values">): Pick<EngineOptions, "scopes" | "settings"> {
  const settings: Partial<EngineSettings> = {
    checkIntervalMs: values.checkInterval,
    staleWhileRevalidateMs: values.staleWhileRevalidate,
    stalenessBoundMs: values.stalenessBound,
    failureBackoffBaseMs: values.failureBackoff,
    failureBackoffCapMs: Math.max(values.failureBackoff, values.failureBackoffCap),
    refusalMemoryMs: values.refusalMemory,
    rateLimitReserve: values.rateLimitReserve,
    attempts: values.attempts,
    backoffBaseMs: values.backoff,
    backoffCapMs: values.backoffCap,
    retryAfterPatienceMs: values.retryAfterPatience,
    claimMs: values.claim,
    storePatienceMs: values.storePatience,
  };
  return { settings, scopes: values.repositories.flatMap((text) => repositoryRule(text) ?? []) };
}

/** Where unpacking an image stops. */
export function unpackLimits({ values }: Pick<EffectiveSettings, "values">): Partial<UnpackLimits> {
  return { bytes: values.unpackedSize, entries: values.unpackedEntries, expansion: values.expansion };
}

export async function openRegistry(
  { values }: Pick<EffectiveSettings, "values">,
  logger: Logger,
): Promise<OciRegistry> {
  const { createImageRegistry } = await import("@fetch-image/registry/client");
  return createImageRegistry({
    timeouts: {
      connectMs: values.connectTimeout,
      headersMs: values.headersTimeout,
      bodyMs: values.bodyTimeout,
      exchangeMs: values.exchangeTimeout,
      downloadPatienceMs: values.downloadPatience,
    },
    limits: {
      manifestBytes: values.manifestSize,
      configBytes: values.configSize,
      tokenBytes: values.tokenSize,
      redirects: values.redirects,
      connectionsPerOrigin: values.connectionsPerRegistry,
      concurrentQuestions: values.concurrentQuestions,
      tags: values.mostTags,
      tagPages: values.mostTagPages,
      tagListBytes: values.tagListSize,
      concurrentBlobs: values.concurrentBlobs,
    },
    allowedRealms: values.allowedRealms,
    ambientIdentity: values.ambientIdentity,
    ...(values.dockerConfig === false ? {} : { dockerConfig: values.dockerConfig }),
    endpoints: Object.fromEntries(
      values.registryEndpoints.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    ),
    logger,
  });
}
