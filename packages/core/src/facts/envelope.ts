import type { JsonObject } from "../json.ts";
import type { NewFact } from "../ports/event-log.ts";
import type { Hash } from "../ports/hash.ts";
import {
  type BuildFact,
  type FactMetadata,
  machineVersion,
  type RegistryFact,
  type ScopeFact,
  schemaVersion,
  type ShadowFact,
  type TraceContext,
} from "./facts.ts";
import { formatTime } from "./time.ts";
import { nameUuid } from "./uuid.ts";

export interface FactContext {
  readonly stream: string;
  /** Names the fact within its stream, the same whenever the same fact is made: the id is derived from it. */
  readonly key: string;
  readonly buildId: string;
  /** The id of the fact that caused this one. */
  readonly causationId?: string | undefined;
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly trace?: TraceContext | undefined;
}

/** A fact of a build, ready to be stored. */
export function buildFactToStore(fact: BuildFact, context: FactContext, hash: Hash): NewFact {
  const { buildId, causationId, node, at } = context;
  const schema = schemaVersion;
  const machine = machineVersion;
  const time = formatTime(at);
  // Written out both times: a field that is added to an object later lies outside of it.
  const metadata: Metadata =
    causationId === undefined
      ? { schema, machine, $correlationId: buildId, node, time }
      : { schema, machine, $correlationId: buildId, $causationId: causationId, node, time };
  return toStore(fact, metadata, context, hash);
}

/** A fact of a scope, ready to be stored. */
export function scopeFactToStore(fact: ScopeFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, metadataOf(context), context, hash);
}

/** A fact of a registry, ready to be stored. */
export function registryFactToStore(fact: RegistryFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, metadataOf(context), context, hash);
}

/** A comparison, ready to be stored. */
export function shadowFactToStore(fact: ShadowFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, metadataOf(context), context, hash);
}

type Metadata = { -readonly [Name in keyof FactMetadata]: FactMetadata[Name] };

function metadataOf({ buildId, causationId, node, at }: FactContext): Metadata {
  const time = formatTime(at);
  return causationId === undefined
    ? { schema: schemaVersion, $correlationId: buildId, node, time }
    : { schema: schemaVersion, $correlationId: buildId, $causationId: causationId, node, time };
}

function toStore(
  fact: BuildFact | ScopeFact | RegistryFact | ShadowFact,
  metadata: Metadata,
  { stream, key, trace }: FactContext,
  hash: Hash,
): NewFact {
  if (trace !== undefined) {
    metadata.traceparent = trace.traceparent;
    if (trace.tracestate !== undefined) metadata.tracestate = trace.tracestate;
  }
  return {
    id: nameUuid(`${stream}\n${key}`, hash),
    type: fact.type,
    data: fact.data as unknown as JsonObject,
    metadata,
  };
}
