import type { BuildFactData, PolicyQuestion } from "@fetch-image/core/fetching";
import { toFailure } from "../failure.ts";
import type { FetchRun } from "../fetch-run.ts";
import type { Owed } from "./owed.ts";
import type { EffectOf } from "./run-effect.ts";

/** Asking changes nothing, so it does not wait for the facts that owe it. */
export async function askPolicy(
  run: FetchRun,
  { phase }: EffectOf<"ask-policy">,
  { since, signal }: Owed,
): Promise<void> {
  const { fetchId } = run.asker;
  try {
    const { policy } = run.build;
    if (policy === undefined) throw new Error("the fetch was requested under a policy, and none is configured now");
    const answer = await policy.decide(questionOf(run, phase), { signal });
    const data: BuildFactData<"PolicyDecided"> =
      answer.decision === "allowed"
        ? { fetchId, phase, decision: "allowed", reasons: [] }
        : {
            fetchId,
            phase,
            decision: "denied",
            enforcement: answer.enforcement,
            reasons: answer.reasons.map((reason) => run.build.redact(reason)),
          };
    run.answer(since, { type: "PolicyDecided", data });
  } catch (error) {
    if (signal.aborted) return;
    const failure = toFailure(error, "FI_POLICY_UNAVAILABLE", (text) => run.build.redact(text));
    run.answer(since, { type: "PolicyUnanswered", data: { fetchId, phase, failure } });
  }
}

function questionOf(run: FetchRun, phase: PolicyQuestion["phase"]): PolicyQuestion {
  const { buildId, team, pipeline, job } = run.build;
  const { name, type, source, privileged } = run.request.fact;
  const reference = phase === "digest" ? run.state?.resolved?.reference : undefined;
  return {
    phase,
    buildId,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
    name,
    type,
    source,
    privileged,
    ...(reference === undefined ? {} : { reference }),
  };
}
