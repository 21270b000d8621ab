// The one place that wires adapters. Each is imported when it is wired, so that a command that needs none loads none.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, readdirSync, statSync } from "node:fs";
import type { EventLog, Logger, ReadModel } from "@fetch-image/core";
import type { EngineOptions, EngineSettings, FetchImageEngine, Projector, Shadow } from "@fetch-image/engine";
import type { OciRegistry, UnpackLimits } from "@fetch-image/registry";
import { artifactPlaces } from "./artifact-places.ts";
import type { EffectiveSettings } from "./effective-settings.ts";
import { repositoryRule } from "./repository-rules.ts";
import { databaseUrl } from "./setting-kinds.ts";

export interface Stores extends AsyncDisposable {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  /** For messages. */
  readonly where: string;
  /** Whether this process is the only one that writes. */
  readonly soleNode: boolean;
  /** The process that holds an embedded store, where it is another one. */
  holder(): Promise<{ readonly pid: number } | undefined>;
}

export interface OpenStoresOptions {
  /** The embedded store has one writer; `read` works beside it, and projects through it. */
  readonly access: "read" | "write";
  /** A reader that stays makes the store where there is none: what is written later is in it. */
  readonly makes?: true;
  readonly logger: Logger;
}

/**
 * The facts, and what is projected from them: on one PostgreSQL or in one data directory, or the facts in EventStoreDB.
 * Throws `FI_STORE_LOCKED` naming the holder's pid, `FI_STORE_UNREADABLE`, `FI_STORE_UNAVAILABLE`.
 */
export async function openStores(settings: EffectiveSettings, options: OpenStoresOptions): Promise<Stores> {
  const { eventStore } = settings.values;
  const stores = await openPostgres(settings, options);
  if (eventStore === "postgres") return stores;
  try {
    const { openEventStoreDb } = await import("@fetch-image/store/eventstoredb");
    const { logger } = options;
    const facts = await openEventStoreDb({ connectionString: eventStore, logger });
    const { eventLog, where } = facts;
    logger.info(facts.guarantees, { where });
    return {
      eventLog,
      readModel: stores.readModel,
      where,
      // Others may keep their facts there, too.
      soleNode: false,
      holder: () => stores.holder(),
      async [Symbol.asyncDispose]() {
        await facts.close();
        await stores[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await stores[Symbol.asyncDispose]();
    throw error;
  }
}

async function openPostgres(
  settings: EffectiveSettings,
  { access, makes, logger }: OpenStoresOptions,
): Promise<Stores> {
  const { databaseUrl: url, databaseConnections: poolSize, data } = settings.values;
  if (url !== undefined) return await openServer(url, poolSize);
  const isNew = access === "read" && isEmpty(data);
  if (isNew && makes !== true) return await openNothing(data);
  const { openEmbedded } = await import("@fetch-image/store/pglite");
  if (isNew) await (await openEmbedded({ directory: data, access: "write" })).close();
  const store = await openEmbedded({ directory: data, access });
  const { eventLog, readModel, guarantees } = store;
  logger.info(guarantees, { directory: data });
  return {
    eventLog,
    readModel,
    where: data,
    soleNode: access === "write",
    holder: async () => ("holder" in store ? await store.holder() : undefined),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

async function openServer(url: string, poolSize: number): Promise<Stores> {
  const { openPostgresStore } = await import("@fetch-image/store/postgres");
  const store = await openPostgresStore({ connectionString: url, poolSize });
  const { eventLog, readModel } = store;
  return { eventLog, readModel, where: databaseUrl.show(url), ...shared, [Symbol.asyncDispose]: () => store.close() };
}

/** What is read where nothing was ever stored: reading makes no data directory. */
async function openNothing(data: string): Promise<Stores> {
  const { createMemoryEventLog, createMemoryReadModel } = await import("@fetch-image/store/memory");
  const eventLog = createMemoryEventLog();
  const readModel = createMemoryReadModel();
  return { eventLog, readModel, where: data, ...shared, [Symbol.asyncDispose]: () => eventLog.close() };
}

const shared = { soleNode: false, holder: () => Promise.resolve(undefined) } as const;

function isEmpty(directory: string): boolean {
  return !existsSync(directory) || (statSync(directory).isDirectory() && readdirSync(directory).length === 0);
}

export async function openProjector({ eventLog, readModel }: Stores, logger: Logger): Promise<Projector> {
  const { createProjector, systemClock } = await import("@fetch-image/engine");
  return createProjector({ eventLog, readModel, clock: systemClock, logger });
}

/** Brings the read model up to what is stored now. */
export async function projectToHead(stores: Stores, logger: Logger): Promise<void> {
  await (await openProjector(stores, logger)).catchUp();
}

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
  const [{ createFetchImageEngine }, { createRegistryImageRunner }, { createFileArtifactStore }] = await Promise.all([
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
  const store = createFileArtifactStore({ directory: artifacts.store });
  const engine = createFetchImageEngine({
    eventLog: stores.eventLog,
    readModel: stores.readModel,
    registry,
    stepRunner: createRegistryImageRunner({
      registry: counting,
      store,
      directory: artifacts.gets,
      unpackLimits: unpackLimits({ values }),
    }),
    nativeImageFetch: values.runtime === "kubernetes",
    soleNode: stores.soleNode,
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
