import type { BuildFactData, BuildFactType } from "./build-facts.ts";
import type { RegistryFactData, RegistryFactType } from "./registry-facts.ts";
import type { ScopeFactData, ScopeFactType } from "./scope-facts.ts";
import type { ShadowFactData, ShadowFactType } from "./shadow-facts.ts";
import type { Position } from "../ports/event-log.ts";

/** What stands beside a fact's data. Fields in this order. */
export interface FactMetadata {
  /** Version of the fact's shape. */
  readonly schema: number;
  /** Version of the FetchImage machine that made or took the fact; absent on scopes. */
  readonly machine?: string;
  /** The build, by EventStoreDB's convention. */
  readonly $correlationId: string;
  /** The id of the fact that caused this one. */
  readonly $causationId?: string;
  /** The process that wrote it: name and incarnation. */
  readonly node: string;
  /** ISO 8601, UTC, milliseconds. Never decreases within a build. */
  readonly time: string;
  /** The scheduler's trace (W3C Trace Context), on facts of builds and fetches that were asked for within one. */
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** Where in a trace something was asked for: W3C Trace Context's two headers, valid. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** A fact before it is stored. */
export type BuildFact = { [T in BuildFactType]: { readonly type: T; readonly data: BuildFactData<T> } }[BuildFactType];
export type ScopeFact = { [T in ScopeFactType]: { readonly type: T; readonly data: ScopeFactData<T> } }[ScopeFactType];
export type RegistryFact = {
  [T in RegistryFactType]: { readonly type: T; readonly data: RegistryFactData<T> };
}[RegistryFactType];
export type ShadowFact = {
  [T in ShadowFactType]: { readonly type: T; readonly data: ShadowFactData<T> };
}[ShadowFactType];
export type FactOf<T extends BuildFactType> = Extract<BuildFact, { type: T }>;

/** Where and how a fact is stored. */
export interface Recorded {
  readonly id: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly position: Position;
  readonly metadata: FactMetadata;
}

export type RecordedBuildFact = BuildFact & Recorded;
export type RecordedScopeFact = ScopeFact & Recorded;
export type RecordedShadowFact = ShadowFact & Recorded;
export type RecordedRegistryFact = RegistryFact & Recorded;

/** A fact that this version does not know: kept, and skipped with a warning. */
export type UnknownFact = Recorded & { readonly type: string; readonly data: unknown };

/** What stands for a fetch in the facts of its build. */
export type FetchRequest = BuildFactData<"FetchRequested">;
export type Failure = BuildFactData<"FetchFailed">["failure"];
export type CheckEvidence = BuildFactData<"ImageChecked">["evidence"];
export type Rejected = BuildFactData<"ImageChecked">["rejected"][number];
export type ResolvedVia = BuildFactData<"ImageVersionResolved">["via"];
export type Asker = BuildFactData<"CheckJoined">["asker"];

export const schemaVersion = 1;
export const machineVersion = "1";
export const rendererVersion = "1";

/** Stream names are public API. */
export function buildStream(buildId: string): string {
  return `build-${buildId}`;
}

export function scopeStream(scope: string): string {
  return `imageScope-${scope}`;
}

/** `id`: of a registry and an identity that asks it. */
export function registryStream(id: string): string {
  return `${registryStreamPrefix}${id}`;
}

/** Comparisons of a day, UTC, `2026-11-22`. */
export function shadowStream(day: string): string {
  return `${shadowStreamPrefix}${day}`;
}

export const buildStreamPrefix = "build-";
export const scopeStreamPrefix = "imageScope-";
export const registryStreamPrefix = "imageRegistry-";
/** What was compared with the scheduler's own fetches. No build ran it, and it is projected nowhere. */
export const shadowStreamPrefix = "shadow-";
/** Which process has drawn which number for a build. Its facts belong to no build, and are projected nowhere. */
export const buildNumbersStream = "buildNumbers";
/** What the names of all our streams begin with: whatever else is in a shared event store is not ours. */
export const streamPrefixes: readonly string[] = [
  buildStreamPrefix,
  scopeStreamPrefix,
  registryStreamPrefix,
  shadowStreamPrefix,
  buildNumbersStream,
];
