import {
  FetchImageError,
  type JsonObject,
  parseReference,
  parseRegistryImageSource,
  type Pipeline,
  type Plan,
  planJob,
} from "@fetch-image/core";
import type { BaseTypeOverrides } from "@fetch-image/kubernetes";
import type { CommandContext } from "../command.ts";
import { chosenJob, loadPipeline } from "../pipeline-file.ts";
import { intervalOf, repositoryRule } from "../repository-rules.ts";
import { duration } from "../setting-kinds.ts";
import { settings } from "../settings.ts";
import { type Wanted, wantedImages } from "./images.ts";

export interface PreparedJob {
  readonly job: string;
  readonly plan: Plan;
  readonly wanted: readonly Wanted[];
  readonly baseTypes: BaseTypeOverrides;
  readonly secrets: readonly string[];
  /** Sources that are wrong: nothing can be asked for them. */
  readonly problems: readonly FetchImageError[];
}

export type PrepareJobContext = Pick<CommandContext, "options" | "settings" | "terminal" | "secrets" | "cwd"> & {
  readonly inputs: ReadonlyMap<string, string>;
  readonly manual: boolean;
  /** Default: what `--job` names, else the only one. */
  readonly job?: string;
};

/** Plans a job and finds what its steps run in; asks nobody. Throws `FI_PIPELINE_…`, `FI_JOB_UNKNOWN`, `FI_VAR_MISSING`. */
export async function prepareJob(file: string, context: PrepareJobContext): Promise<PreparedJob> {
  const { cwd, inputs, manual, job: named = context.options.text("job") } = context;
  const loaded = await loadPipeline(file, context, {
    job: (pipeline) => chosenJob(pipeline, named),
    missing: "refuse",
  });
  const job = chosenJob(loaded.pipeline, named);
  const { checkInterval, repositories } = context.settings.values;
  const intervalFor = intervalsOf(checkInterval, repositories);
  const isDefault = checkInterval === settings.checkInterval.default && repositories.length === 0;
  const pipeline = isDefault ? loaded.pipeline : withCheckInterval(loaded.pipeline, intervalFor);
  const planned = planJob(pipeline, job, manual ? { manuallyTriggered: true } : {});
  if (!planned.ok) throw planned.error;
  const { values, baseTypes } = loaded;
  const found = await wantedImages(planned.plan, { pipeline, values, inputs, cwd, manual });
  await context.secrets.add(found.secrets);
  const wanted = isDefault ? found.wanted : found.wanted.map((one) => withTaskInterval(one, intervalFor));
  const secrets = [...loaded.secrets, ...found.secrets];
  return { job, plan: planned.plan, wanted, baseTypes, secrets, problems: wanted.flatMap(sourceProblems) };
}

/** How often what stands in a source's repository is asked for. */
type IntervalFor = (type: string, source: JsonObject | undefined) => string;

function intervalsOf(checkInterval: number, repositories: readonly string[]): IntervalFor {
  const rules = repositories.flatMap((text) => repositoryRule(text) ?? []);
  return (type, source) => {
    const repository = type === "registry-image" ? source?.["repository"] : undefined;
    const parsed = typeof repository === "string" ? parseReference(repository) : undefined;
    const named = parsed?.ok === true ? `${parsed.reference.domain}/${parsed.reference.path}` : undefined;
    return duration.show((named === undefined ? undefined : intervalOf(rules, named)) ?? checkInterval);
  };
}

/** The setting stands where the pipeline does not say `check_every` itself. */
function withCheckInterval(pipeline: Pipeline, intervalFor: IntervalFor): Pipeline {
  const everyOf = ({ type, source }: { readonly type: string; readonly source?: JsonObject }) => ({
    check_every: intervalFor(type, source),
  });
  return {
    ...pipeline,
    resourceTypes: pipeline.resourceTypes.map((type) => ({ ...everyOf(type), ...type })),
    resources: pipeline.resources.map((resource) => ({ ...everyOf(resource), ...resource })),
  };
}

/** A task's image has no `check_every`. */
function withTaskInterval(wanted: Wanted, intervalFor: IntervalFor): Wanted {
  if (wanted.how !== "fetch" || !wanted.announce || wanted.checkPlan === undefined) return wanted;
  const { checkPlan } = wanted;
  const interval = intervalFor(checkPlan.check.type, checkPlan.check.source);
  return { ...wanted, checkPlan: { ...checkPlan, check: { ...checkPlan.check, interval } } };
}

function sourceProblems(wanted: Wanted): readonly FetchImageError[] {
  if (wanted.how !== "fetch" || wanted.getPlan.get.type !== "registry-image") return [];
  const parsed = parseRegistryImageSource(wanted.getPlan.get.source);
  if (parsed.ok) return [];
  const { message, hint, details } = parsed.error;
  const whose = wanted.resourceType === undefined ? `${wanted.kind} ${wanted.step}` : `type ${wanted.resourceType}`;
  return [new FetchImageError("FI_SOURCE_INVALID", { message: `${whose}: ${message}`, hint, details })];
}
