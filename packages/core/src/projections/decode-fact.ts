import { buildFactSchemas } from "../facts/build-facts.ts";
import { decodeBuildFact, decodeScopeFact } from "../facts/decode.ts";
import {
  buildStreamPrefix,
  type Recorded,
  type RecordedBuildFact,
  type RecordedScopeFact,
  schemaVersion,
  scopeStreamPrefix,
  type UnknownFact,
} from "../facts/facts.ts";
import { scopeFactSchemas } from "../facts/scope-facts.ts";
import type { RecordedFact } from "../ports/event-log.ts";

export type DecodedFact =
  | { readonly known: true; readonly fact: RecordedBuildFact | RecordedScopeFact }
  | { readonly known: false; readonly fact: UnknownFact };

/**
 * A stored fact, checked against the schemas of its stream's kind, which the stream's name tells. Facts of a newer version
 * and of other streams come back as unknown. Throws `FI_FACT_UNREADABLE` where a known type's data has another shape.
 */
export function decodeFact(recorded: RecordedFact): DecodedFact {
  if (recorded.stream.startsWith(buildStreamPrefix)) return decodeBuildFact(recorded);
  if (recorded.stream.startsWith(scopeStreamPrefix)) return decodeScopeFact(recorded);
  return { known: false, fact: recorded as unknown as UnknownFact };
}

/** Whether a decoded fact is one of a build that this version knows. */
export function isBuildFact(fact: RecordedBuildFact | RecordedScopeFact | UnknownFact): fact is RecordedBuildFact {
  return isKnown(fact, buildStreamPrefix, buildFactSchemas);
}

/** Whether a decoded fact is one of a scope that this version knows. */
export function isScopeFact(fact: RecordedBuildFact | RecordedScopeFact | UnknownFact): fact is RecordedScopeFact {
  return isKnown(fact, scopeStreamPrefix, scopeFactSchemas);
}

function isKnown(fact: Recorded & { readonly type: string }, prefix: string, schemas: object): boolean {
  const { stream, type, metadata } = fact;
  // As decoding has it: a fact without a schema version is held to the schema that there is.
  return stream.startsWith(prefix) && Object.hasOwn(schemas, type) && !(metadata.schema > schemaVersion);
}
