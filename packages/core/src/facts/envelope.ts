import type { JsonObject } from "../json.ts";
import type { NewFact } from "../ports/event-log.ts";
import type { Hash } from "../ports/hash.ts";
import { type BuildFact, type FactMetadata, machineVersion, type ScopeFact, schemaVersion } from "./facts.ts";
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
}

/** A fact of a build, ready to be stored. */
export function buildFactToStore(fact: BuildFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, { schema: schemaVersion, machine: machineVersion }, context, hash);
}

/** A fact of a scope, ready to be stored. */
export function scopeFactToStore(fact: ScopeFact, context: FactContext, hash: Hash): NewFact {
  return toStore(fact, { schema: schemaVersion }, context, hash);
}

function toStore(
  fact: BuildFact | ScopeFact,
  versions: { readonly schema: number; readonly machine?: string },
  { stream, key, buildId, causationId, node, at }: FactContext,
  hash: Hash,
): NewFact {
  const metadata: FactMetadata = {
    ...versions,
    $correlationId: buildId,
    ...(causationId === undefined ? {} : { $causationId: causationId }),
    node,
    time: formatTime(at),
  };
  return {
    id: nameUuid(`${stream}\n${key}`, hash),
    type: fact.type,
    data: fact.data as unknown as JsonObject,
    metadata: metadata as unknown as JsonObject,
  };
}
