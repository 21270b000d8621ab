import { type JsonObject, type Plan, planJob, publicPlan } from "@fetch-image/core";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { mapTexts } from "../json.ts";
import { loadPipeline, varOptions } from "../pipeline-file.ts";

export const command: Command = {
  usage: "PIPELINE.yml [--job JOB] [--public]",
  about: `Prints the build plans of a pipeline as Concourse makes them, with image_check_plan and image_get_plan: of one
job, or one a line of every job. Asks nobody. Vars that are not given stay as they are, as in Concourse's own plans;
values of credential fields are cut.`,
  positionals: { min: 1, max: 1 },
  options: [
    { name: "job", value: "JOB", does: "the job; without it, every job's plan is printed" },
    ...varOptions,
    { name: "public", does: "print the public form: names, types and versions, never a source or params" },
    { name: "manual", does: "plan as for a build that somebody triggered: image checks skip their interval" },
  ],
  settings: ["baseTypes"],
  examples: ["fetch-image plan ci.yml --job unit", "fetch-image plan ci.yml --public | jq .do"],
  async run(context) {
    const { positionals, options, json, terminal } = context;
    const [file = ""] = positionals;
    const given = options.text("job");
    const { pipeline, secrets } = await loadPipeline(file, context, { job: () => given, missing: "stay" });
    const jobs = given === undefined ? pipeline.jobs.map(({ name }) => name) : [given];
    const plans = jobs.map((job) => {
      const planned = planJob(pipeline, job, options.on("manual") ? { manuallyTriggered: true } : {});
      if (!planned.ok) throw planned.error;
      return options.on("public") ? publicPlan(planned.plan) : withoutSecrets(planned.plan, secrets);
    });
    // One plan is for reading; several are one a line, for `jq` and its like.
    const pretty = !json && plans.length === 1;
    for (const plan of plans) terminal.out(`${JSON.stringify(plan, null, pretty ? 2 : undefined)}\n`);
    return exitStatus.done;
  },
};

const longSecret = 8;

/** Values that are secrets are cut, long ones wherever they stand; a short name within another word is left alone. */
function withoutSecrets(plan: Plan, secrets: readonly string[]): JsonObject {
  const exact = new Set(secrets);
  const long = secrets.filter(({ length }) => length >= longSecret);
  return mapTexts(JSON.parse(JSON.stringify(plan)), (text) =>
    exact.has(text) ? redacted : long.reduce((left, secret) => left.replaceAll(secret, redacted), text),
  );
}

const redacted = "((redacted))";
