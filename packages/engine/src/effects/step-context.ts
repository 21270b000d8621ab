import {
  type BuildFact,
  buildFactToStore,
  type CheckPlan,
  type GetPlan,
  type ImageSpec,
  type StepContext,
} from "@fetch-image/core/fetching";
import type { FetchRun } from "../fetch-run.ts";
import { OutputWriter } from "../output-writer.ts";

/** The context of a check or get run as a step: first the image that the step itself runs in, by the same rules. */
export async function stepContext(
  run: FetchRun,
  { plan, since, signal }: { plan: CheckPlan | GetPlan; since: number; signal: AbortSignal },
): Promise<StepContext & { readonly end: () => void }> {
  const { buildId, team, pipeline, job, clock } = run.build;
  const output = new OutputWriter({
    fetchId: run.asker.fetchId,
    planId: plan.id,
    clock,
    redact: (text) => run.build.redact(text),
    write: (fact) => store(run, fact),
  });
  // What the step wrote before it was called off is kept, and what it writes after that is not.
  const end = () => {
    output.end();
  };
  signal.addEventListener("abort", end);
  return {
    buildId,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
    signal,
    effectKey: `${buildId}/${run.asker.fetchId}/${since}`,
    image: await imageOf(run, plan, signal),
    output: (chunk, origin) => output.write(chunk, origin),
    ...ranOf(run, plan),
    end: () => {
      signal.removeEventListener("abort", end);
      end();
    },
  };
}

async function imageOf(run: FetchRun, plan: CheckPlan | GetPlan, signal: AbortSignal): Promise<ImageSpec> {
  const body = plan.check ?? plan.get;
  const privileged = body?.privileged === true;
  const getPlan = body?.image_get_plan;
  if (getPlan === undefined) return { resourceType: body?.type ?? "", privileged };
  const checkPlan = body?.image_check_plan;
  return run.build.fetchImage({
    getPlan,
    ...(checkPlan === undefined ? {} : { checkPlan }),
    privileged,
    signal,
    ...run.request.trace,
    ...(run.asked.secrets === undefined ? {} : { secrets: run.asked.secrets }),
  });
}

/** Nothing was resolved for a base type. */
function ranOf(run: FetchRun, plan: CheckPlan | GetPlan): Pick<StepContext, "ran"> {
  const getPlan = (plan.check ?? plan.get)?.image_get_plan;
  return getPlan === undefined ? {} : { ran: (imageID) => run.build.ran({ fetchId: getPlan.id, imageID }) };
}

let written = 0;

function store(run: FetchRun, fact: BuildFact): Promise<void> {
  const { buildId, hash, node, stream } = run.build;
  // Output is no part of the machine's history: its ids only need to be this process's own.
  const key = `${run.asker.fetchId}\noutput\n${node}\n${written++}`;
  const at = run.build.stampTime();
  return run.build.submit([buildFactToStore(fact, { stream, key, buildId, node, at, trace: run.request.trace }, hash)]);
}
