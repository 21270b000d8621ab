import {
  decodeRegistryFact,
  decodeScopeFact,
  type EventLog,
  evolveRegistry,
  formatTime,
  healthyRegistry,
  parseRegistryImageSource,
  type ReadModel,
  registryHealth,
  registryStream,
  scopeStream,
  type ScopeRow,
} from "@fetch-image/core";
import { defaultSettings, nodeHash, registryKeyOf } from "@fetch-image/engine";
import type { RegistryAnswer } from "./registry-answer.ts";

export interface RegistriesSource {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The scopes that were asked for last tell of their registries: as many as a page of observations names. */
const observationsRead = 500;
const mostScopes = 64;
const factsOfScope = 100;
const mostPoints = 500;
/** Facts of a registry that failed; while it answers there are none. */
const factsOfRegistry = 200;

/** The registries that were asked lately, by host. */
export async function registries({ eventLog, readModel, now }: RegistriesSource): Promise<readonly RegistryAnswer[]> {
  const seen = await readModel.observations({}, { limit: observationsRead, first: "newest" });
  const scopes = [...new Set(seen.map(({ scope }) => scope))].slice(0, mostScopes);
  const found = new Map<string, RegistryAnswer>();
  for (const { host, observedAt } of seen.toReversed()) {
    if (host !== undefined) found.set(host, { host, observedAt, points: [] });
  }
  const rows = (await Promise.all(scopes.map((scope) => readModel.scope(scope)))).filter((row) => row !== undefined);
  const observed = (await Promise.all(scopes.map((scope) => rateLimits(eventLog, scope)))).flat();
  for (const { host, ...point } of observed.toSorted((a, b) => (a.at < b.at ? -1 : 1))) {
    const before = found.get(host);
    found.set(host, told(before ?? { host, observedAt: point.at, points: [] }, point));
  }
  for (const failing of await Promise.all(
    [...registriesOf(rows)].map(([id, key]) => health(eventLog, id, key, now())),
  )) {
    if (failing === undefined) continue;
    const { host, ...rest } = failing;
    found.set(host, { ...(found.get(host) ?? { host, observedAt: failing.observedAt, points: [] }), ...rest });
  }
  return [...found.values()].toSorted((a, b) => (a.host < b.host ? -1 : 1));
}

interface Observed {
  readonly host: string;
  readonly at: string;
  readonly limit?: number;
  readonly remaining?: number;
  readonly windowSeconds?: number;
}

async function rateLimits(eventLog: EventLog, scope: string): Promise<readonly Observed[]> {
  const facts = await eventLog.read(scopeStream(scope), { direction: "backwards", limit: factsOfScope });
  return facts.flatMap((recorded) => {
    if (recorded.type !== "RateLimitObserved") return [];
    const decoded = decodeScopeFact(recorded);
    if (!decoded.known || decoded.fact.type !== "RateLimitObserved") return [];
    return [{ ...decoded.fact.data, at: decoded.fact.metadata.time }];
  });
}

function told(before: RegistryAnswer, { at, limit, remaining, windowSeconds }: Omit<Observed, "host">): RegistryAnswer {
  const named = limit === undefined ? {} : { limit };
  const points = remaining === undefined ? before.points : [...before.points, { at, remaining, ...named }];
  return {
    ...before,
    ...named,
    ...(remaining === undefined ? {} : { remaining }),
    ...(windowSeconds === undefined ? {} : { windowS: windowSeconds }),
    observedAt: at > before.observedAt ? at : before.observedAt,
    points: points.slice(-mostPoints),
  };
}

/** Registries and the identities that ask them: the keys of their streams, by id. */
function registriesOf(rows: readonly ScopeRow[]): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  for (const { repository, source = {}, credential = "anonymous" } of rows) {
    if (repository === undefined) continue;
    const parsed = parseRegistryImageSource({ ...source, repository });
    if (!parsed.ok) continue;
    const asked = { repository, source: parsed.source, credential: credential === "anonymous" ? null : credential };
    const { id, key } = registryKeyOf(asked, nodeHash);
    keys.set(id, key);
  }
  return keys;
}

async function health(eventLog: EventLog, id: string, key: string, now: number) {
  const facts = await eventLog.read(registryStream(id), { direction: "backwards", limit: factsOfRegistry });
  let state = healthyRegistry;
  for (const recorded of facts.toReversed()) {
    const decoded = decodeRegistryFact(recorded);
    if (decoded.known) state = evolveRegistry(state, decoded.fact);
  }
  const { failure, failures } = state;
  if (failure === null) return undefined;
  const { failureBackoffBaseMs: baseMs, failureBackoffCapMs: capMs } = defaultSettings;
  const current = registryHealth(state, { now, backOff: { baseMs, capMs }, key });
  const { code, message } = failure.failure;
  return {
    host: failure.host,
    observedAt: formatTime(failure.at),
    failing: { code, message, failures },
    ...(current.kind === "paused" ? { pausedUntil: formatTime(current.until) } : {}),
  };
}
