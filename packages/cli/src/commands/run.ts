import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { FetchImageError, showText } from "@fetch-image/core";
import type { Command, CommandContext } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { mapTexts } from "../json.ts";
import { varOptions } from "../pipeline-file.ts";
import { prepareJob } from "../run/prepare-job.ts";
import { runBuild } from "../run/run-build.ts";
import { fetchSettings, policySettings, registrySettings, storeSettings, unpackSettings } from "../setting-groups.ts";
import { errorJson, showError } from "../show-error.ts";

export const command: Command = {
  usage: "PIPELINE.yml [--job JOB] [--var NAME=TEXT]…",
  about: `Fetches every image that the steps of a job run in: those of custom resource types, of tasks, and of the types
below them. On the kubernetes runtime nothing is downloaded but what a task's \`image:\` needs; the references printed are
what the kubelet pulls; what a step has built is pushed to \`push-registry\` first. Base resource types come from a
table. What happens is stored as a build: see \`fetch-image log\`.
An image that cannot be fetched does not stop the others; the exit status is 1 then.`,
  positionals: { min: 1, max: 1 },
  options: [
    { name: "job", value: "JOB", does: "the job; may be left out where the pipeline has one only" },
    ...varOptions,
    {
      name: "input",
      value: "NAME=DIR",
      repeatable: true,
      does: "where an artifact's files are, for a task's `file:` or `image:`",
    },
    { name: "manual", does: "ask for every image, however fresh it is, as for a build that somebody triggered" },
    { name: "build", value: "ID", does: "the build's id; default: the next number. One that was left is resumed" },
    { name: "id-file", value: "FILE", does: "write the build's id to FILE, once something of it is stored" },
    { name: "team", value: "TEAM", does: "the build's team (default main)" },
    { name: "pipeline", value: "NAME", does: "the pipeline's name (default: that of its file)" },
  ],
  settings: [...storeSettings, ...fetchSettings, ...policySettings, ...registrySettings, ...unpackSettings],
  examples: [
    "fetch-image run ci.yml",
    "fetch-image run ci.yml --job unit --var registry=registry.example.com --load-vars-from credentials.yml",
    "fetch-image run ci.yml --runtime artifact --json",
  ],
  async run(context) {
    const { positionals, options } = context;
    const [file = ""] = positionals;
    const id = buildId(options.text("build"));
    const inputs = inputsOf(options.list("input"), context.cwd);
    const job = await prepareJob(file, { ...context, inputs, manual: options.on("manual") });
    if (job.problems.length > 0) return refuse(job.problems, context);
    return await runBuild(job, {
      ...context,
      id,
      idFile: options.text("id-file"),
      team: options.text("team") ?? "main",
      pipelineName: options.text("pipeline") ?? basename(file).replace(/\.ya?ml$/, ""),
    });
  },
};

/** The input is wrong: every problem is told, nothing is requested, nothing stored. */
function refuse(problems: readonly FetchImageError[], { json, terminal, secrets }: CommandContext): number {
  for (const problem of problems) {
    const redact = (text: string) => secrets.redact(text);
    if (json) terminal.out(`${JSON.stringify(mapTexts(errorJson(problem), redact))}\n`);
    else terminal.err(redact(showError(problem, { color: terminal.errColor })));
  }
  return exitStatus.wrongInput;
}

function inputsOf(texts: readonly string[], cwd: string): ReadonlyMap<string, string> {
  return new Map(
    texts.map((text) => {
      const [, name = "", directory = ""] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
      if (name !== "" && isDirectory(resolve(cwd, directory))) return [name, directory] as const;
      if (name !== "") {
        throw new FetchImageError("FI_USAGE", {
          message: `--input: there is no directory ${showText(directory)}`,
          hint: `Name the directory that the files of artifact ${name} are in.`,
        });
      }
      throw new FetchImageError("FI_USAGE", {
        message: `--input ${showText(text)} is not of the form NAME=DIR`,
        hint: "Write --input repo=. for the files of the artifact repo.",
      });
    }),
  );
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** A build's id is part of its stream's name, and stands in paths and URLs. */
function buildId(text: string | undefined): string | undefined {
  if (text === undefined || /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text)) return text;
  throw new FetchImageError("FI_USAGE", {
    message: `--build ${showText(text)} is no id for a build`,
    hint: "Use up to 100 letters, digits, dots, dashes and underscores, a letter or digit first.",
  });
}
