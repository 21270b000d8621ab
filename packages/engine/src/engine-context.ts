import type {
  ArtifactPusher,
  Clock,
  EventLog,
  Hash,
  ImageRegistry,
  Logger,
  Policy,
  StepRunner,
} from "@fetch-image/core/fetching";
import type { EngineTelemetry } from "./engine-telemetry.ts";
import type { Flights } from "./flights.ts";
import type { EffectiveSettings } from "./engine-settings.ts";
import type { EngineTraits } from "./request.ts";
import type { ScopeBook } from "./scope-book.ts";
import type { Ticker } from "./ticker.ts";

/** What every open build of an engine shares. */
export interface EngineContext {
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly hash: Hash;
  readonly logger: Logger;
  readonly node: string;
  readonly ticker: Ticker;
  readonly telemetry: EngineTelemetry;
  readonly settings: EffectiveSettings;
  readonly traits: EngineTraits;
  readonly policy: Policy | undefined;
  readonly stepRunner: StepRunner | undefined;
  readonly artifacts: Pick<StepRunner, "get"> | undefined;
  readonly artifactPusher: ArtifactPusher | undefined;
  readonly registry: ImageRegistry | undefined;
  readonly scopes: ScopeBook | undefined;
  readonly flights: Flights;
  nextOpening(): number;
  /** Throws `FI_ENGINE_CLOSED` once the engine takes nothing new. */
  assertTaking(): void;
}
