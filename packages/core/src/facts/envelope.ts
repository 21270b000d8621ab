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
  return toStore(fact, machineVersion, context, hash);
}

/** A fact of a scope, ready to be stored. */
export function scopeFactToStore(fact: ScopeFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, undefined, context, hash);
}

/** A fact of a registry, ready to be stored. */
export function registryFactToStore(fact: RegistryFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, undefined, context, hash);
}

/** A comparison, ready to be stored. */
export function shadowFactToStore(fact: ShadowFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, undefined, context, hash);
}

function toStore(
  fact: BuildFact | ScopeFact | RegistryFact | ShadowFact,
  machine: string | undefined,
  { stream, key, buildId, causationId, node, at, trace }: FactContext,
  hash: Hash,
): NewFact {
  // Field by field: made for every fact, and spreads cost more than all else here.
  const metadata: { -readonly [Name in keyof FactMetadata]?: FactMetadata[Name] } = { schema: schemaVersion };
  if (machine !== undefined) metadata.machine = machine;
  metadata.$correlationId = buildId;
  if (causationId !== undefined) metadata.$causationId = causationId;
  metadata.node = node;
  metadata.time = formatTime(at);
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
