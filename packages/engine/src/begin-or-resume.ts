import { FetchImageError } from "@fetch-image/core/fetching";
import type { FetchRun } from "./fetch-run.ts";
import type { PastBuild } from "./stored-fetch.ts";

/** Sets a fetch going that has its place: from what the build's stream holds of it, or anew. */
export function beginOrResume(run: FetchRun, past: PastBuild, redact: (text: string) => string): void {
  const { buildId, telemetry, scopes } = run.build;
  const { fact, proof, trace } = run.request;
  const { fetchId, scope } = fact;
  const isStored = past.fetches.has(fetchId);
  const before = past.traces.get(fetchId);
  run.listener = telemetry.fetchBegun?.({ buildId, request: fact, trace, before, redact }, isStored);
  const lineage = scope === undefined ? undefined : { scope, proof };
  const isToBeRead =
    lineage !== undefined &&
    scopes !== undefined &&
    (isStored ? !scopes.isLoaded(lineage) : scopes.isReadFirst(lineage));
  if (isToBeRead) void goOnceRead(run, past, scopes.load(lineage));
  else go(run, past);
}

async function goOnceRead(run: FetchRun, past: PastBuild, loading: Promise<unknown>): Promise<void> {
  try {
    await loading;
  } catch (error) {
    run.stop(ofOurs(error));
  }
  if (!run.stopped) go(run, past);
}

function go(run: FetchRun, past: PastBuild): void {
  const { fetchId } = run.asker;
  try {
    const stored = past.fetches.get(fetchId);
    if (stored === undefined) run.begin();
    else run.resume(stored, past.causes.get(fetchId));
    run.abortIfUnwanted();
  } catch (error) {
    run.stop(ofOurs(error));
  }
}

function ofOurs(error: unknown): FetchImageError {
  return FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error });
}
