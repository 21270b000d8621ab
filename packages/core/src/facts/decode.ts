import { z } from "zod";
import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { RecordedFact } from "../ports/event-log.ts";
import { buildFactSchemas } from "./build-facts.ts";
import {
  type RecordedBuildFact,
  type RecordedRegistryFact,
  type RecordedScopeFact,
  type RecordedShadowFact,
  schemaVersion,
  type UnknownFact,
} from "./facts.ts";
import { quickCheck } from "./quick-check.ts";
import { registryFactSchemas } from "./registry-facts.ts";
import { time } from "./schema.ts";
import { scopeFactSchemas } from "./scope-facts.ts";
import { shadowFactSchemas } from "./shadow-facts.ts";

/** A stored fact with its data and metadata checked against their schemas, or one of a newer version, as it stands. */
export type Decoded<Fact> =
  { readonly known: true; readonly fact: Fact } | { readonly known: false; readonly fact: UnknownFact };

/**
 * A stored fact of a build's stream, its data and metadata checked against their schemas.
 * Undefined type names are facts of a newer version: `known: false`, to be kept and skipped with a warning.
 * Throws `FI_FACT_UNREADABLE` where a known type's data has another shape.
 */
export function decodeBuildFact(recorded: RecordedFact): Decoded<RecordedBuildFact> {
  return decode(recorded, buildFactSchemas);
}

/** As {@link decodeBuildFact}, for a scope's stream. */
export function decodeScopeFact(recorded: RecordedFact): Decoded<RecordedScopeFact> {
  return decode(recorded, scopeFactSchemas);
}

/** As {@link decodeBuildFact}, for a registry's stream. */
export function decodeRegistryFact(recorded: RecordedFact): Decoded<RecordedRegistryFact> {
  return decode(recorded, registryFactSchemas);
}

/** As {@link decodeBuildFact}, for a stream of comparisons. */
export function decodeShadowFact(recorded: RecordedFact): Decoded<RecordedShadowFact> {
  return decode(recorded, shadowFactSchemas);
}

// The schemas say what the fact's type does: that is what makes the casts true.
function decode<Fact>(recorded: RecordedFact, schemas: { readonly [type: string]: z.ZodType }): Decoded<Fact> {
  return isKnown(recorded, schemas)
    ? { known: true, fact: recorded as unknown as Fact }
    : { known: false, fact: recorded as unknown as UnknownFact };
}

/** The metadata that folds read; see `FactMetadata`. */
const metadataSchema = z.object({ schema: z.number(), $correlationId: z.string(), node: z.string(), time });

function isKnown(recorded: RecordedFact, schemas: { readonly [type: string]: z.ZodType }): boolean {
  const schema = Object.hasOwn(schemas, recorded.type) ? schemas[recorded.type] : undefined;
  const stored = recorded.metadata["schema"];
  if (schema === undefined || (typeof stored === "number" && stored > schemaVersion)) return false;
  assertFits(recorded, "data", schema);
  assertFits(recorded, "metadata", metadataSchema);
  return true;
}

function assertFits(recorded: RecordedFact, part: "data" | "metadata", schema: z.ZodType): void {
  if (quickCheck(schema)(recorded[part])) return;
  // The schema itself says what is wrong.
  const result = schema.safeParse(recorded[part]);
  if (!result.success) throw unreadable(recorded, part, result.error.issues[0]);
}

function unreadable(
  recorded: RecordedFact,
  part: "data" | "metadata",
  issue: { path: PropertyKey[]; message: string } | undefined,
) {
  const where = `${recorded.type} at ${recorded.stream}@${recorded.revision}`;
  const what = issue === undefined ? "" : `: ${[part, ...issue.path].map(String).join(".")}: ${issue.message}`;
  return new FetchImageError("FI_FACT_UNREADABLE", {
    message: `${where} is not readable${what}`,
    details: { stream: recorded.stream, revision: String(recorded.revision), type: recorded.type },
  });
}
