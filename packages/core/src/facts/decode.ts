import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { RecordedFact } from "../ports/event-log.ts";
import { buildFactSchemas } from "./build-facts.ts";
import { type RecordedBuildFact, type RecordedScopeFact, schemaVersion, type UnknownFact } from "./facts.ts";
import { scopeFactSchemas } from "./scope-facts.ts";

/**
 * A stored fact of a build's stream, its data checked against its schema.
 * Undefined type names are facts of a newer version: `known: false`, to be kept and skipped with a warning.
 * Throws `FI_FACT_UNREADABLE` where a known type's data has another shape.
 */
export function decodeBuildFact(
  recorded: RecordedFact,
): { readonly known: true; readonly fact: RecordedBuildFact } | { readonly known: false; readonly fact: UnknownFact } {
  return decode<RecordedBuildFact>(recorded, buildFactSchemas);
}

/** As {@link decodeBuildFact}, for a scope's stream. */
export function decodeScopeFact(
  recorded: RecordedFact,
): { readonly known: true; readonly fact: RecordedScopeFact } | { readonly known: false; readonly fact: UnknownFact } {
  return decode<RecordedScopeFact>(recorded, scopeFactSchemas);
}

interface Schema {
  safeParse(data: unknown): {
    success: boolean;
    error?: { issues: readonly { path: PropertyKey[]; message: string }[] };
  };
}

function decode<F>(recorded: RecordedFact, schemas: { readonly [type: string]: Schema }) {
  const schema = Object.hasOwn(schemas, recorded.type) ? schemas[recorded.type] : undefined;
  const stored = recorded.metadata["schema"];
  if (schema === undefined || (typeof stored === "number" && stored > schemaVersion)) {
    return { known: false as const, fact: recorded as unknown as UnknownFact };
  }
  const result = schema.safeParse(recorded.data);
  if (!result.success) throw unreadable(recorded, result.error?.issues[0]);
  return { known: true as const, fact: recorded as unknown as F };
}

function unreadable(recorded: RecordedFact, issue: { path: PropertyKey[]; message: string } | undefined) {
  const where = `${recorded.type} at ${recorded.stream}@${recorded.revision}`;
  const what = issue === undefined ? "" : `: ${issue.path.map(String).join(".")}: ${issue.message}`;
  return new FetchImageError("FI_FACT_UNREADABLE", {
    message: `${where} is not readable${what}`,
    details: { stream: recorded.stream, revision: String(recorded.revision), type: recorded.type },
  });
}
