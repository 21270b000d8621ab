import {
  buildStream,
  type CheckPlan,
  decodeBuildFact,
  type EventLog,
  type GetPlan,
  type JsonObject,
  type RecordedBuildFact,
  type Version,
} from "@fetch-image/core";
import { createFetchImageEngine, type EngineOptions, type FetchImageEngine } from "@fetch-image/engine";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { onTestFinished } from "vitest";
import { assertReadable } from "./concourse-readers/readable.ts";
import { type ScriptedRegistry, scriptedRegistry } from "./scripted-registry.ts";
import { type SimulatedClock, simulatedClock } from "./simulated-clock.ts";

export interface Scene {
  readonly engine: FetchImageEngine;
  readonly eventLog: EventLog;
  readonly registry: ScriptedRegistry;
  readonly clock: SimulatedClock;
}

/**
 * An engine over a log in memory, a scripted registry and a clock that stands still. Whatever the test makes of its builds,
 * Concourse's own clients must be able to read their logs at its end.
 */
export function scene(options: Partial<EngineOptions> = {}): Scene {
  const clock = simulatedClock();
  const registry = scriptedRegistry();
  const eventLog = createMemoryEventLog();
  onTestFinished(() => assertReadable(eventLog));
  const engine = createFetchImageEngine({
    eventLog,
    registry,
    clock,
    nativeImageFetch: true,
    soleNode: true,
    ...options,
  });
  return { engine, eventLog: options.eventLog ?? eventLog, registry, clock };
}

/** The two plans of a type's image, as a build plan holds them. */
export function typePlans(
  stepId: string,
  source: JsonObject,
  options: { readonly type?: string; readonly name?: string; readonly interval?: string; readonly skip?: boolean } = {},
): { readonly getPlan: GetPlan; readonly checkPlan: CheckPlan } {
  const { type = "registry-image", name = "my-type", interval, skip } = options;
  return {
    getPlan: { id: `${stepId}/image-get`, get: { name, type, source } },
    checkPlan: {
      id: `${stepId}/image-check`,
      check: {
        name,
        type,
        source,
        ...(interval === undefined ? {} : { interval }),
        ...(skip === undefined ? {} : { skip_interval: skip }),
      },
    },
  };
}

export function pinnedPlan(stepId: string, source: JsonObject, version: Version, type = "registry-image"): GetPlan {
  return { id: `${stepId}/image-get`, get: { name: "my-type", type, source, version } };
}

/** Every fact of a build, decoded. */
export async function factsOf(eventLog: EventLog, buildId: string): Promise<readonly RecordedBuildFact[]> {
  const recorded = await eventLog.read(buildStream(buildId));
  return recorded.map((each) => {
    const decoded = decodeBuildFact(each);
    if (!decoded.known) throw new Error(`unknown fact ${each.type}`);
    return decoded.fact;
  });
}

export async function factTypesOf(eventLog: EventLog, buildId: string): Promise<readonly string[]> {
  return (await factsOf(eventLog, buildId)).map(({ type }) => type);
}
