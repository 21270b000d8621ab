import { FetchImageError, type GetPlan } from "@fetch-image/core/fetching";
import { retryAfterOf, toFailure } from "../failure.ts";
import type { FetchRun } from "../fetch-run.ts";
import type { Owed } from "./owed.ts";
import type { EffectOf } from "./run-effect.ts";
import { stepContext } from "./step-context.ts";

/** Fetches the bytes: by the host's own get step, else, for a registry-image, in this process. */
export async function fetchArtifact(
  run: FetchRun,
  effect: EffectOf<"fetch-artifact">,
  { since, durable, signal }: Owed,
): Promise<void> {
  const { fetchId } = run.asker;
  try {
    await durable;
    if (signal.aborted) return;
    const { getPlan } = run.asked;
    const plan: GetPlan = { ...getPlan, get: { ...getPlan.get, version: effect.version } };
    const context = await stepContext(run, { plan, since, signal });
    const { handle } = await getter(run).get(plan, context).finally(context.end);
    run.answer(since, { type: "ArtifactFetched", data: { fetchId, artifact: handle } });
  } catch (error) {
    if (signal.aborted) return;
    const failure = toFailure(error, "FI_GET_FAILED", (text) => run.build.redact(text));
    run.answer(since, { type: "ArtifactFetchFailed", data: { fetchId, failure, ...retryAfterOf(error) } });
  }
}

function getter(run: FetchRun) {
  const { stepRunner, artifacts } = run.build;
  const found = stepRunner ?? (run.request.fact.type === "registry-image" ? artifacts : undefined);
  if (found === undefined) throw new FetchImageError("FI_STEP_RUNNER_MISSING");
  return found;
}
