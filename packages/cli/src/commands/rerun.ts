import { FetchImageError, parseRegistryImageSource, type RegistryImageSource } from "@fetch-image/core";
import type { RerunImage, RerunPlan, RerunVerdict } from "@fetch-image/engine";
import { openAudit } from "../audit/open-audit.ts";
import { pipelineSources, type SourcesOf } from "../audit/pipeline-sources.ts";
import type { Command } from "../command.ts";
import { openRegistry } from "../open-engine.ts";
import { type Stores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { varOptions } from "../pipeline-file.ts";
import { type ImageRow, rowFormat, rowJson } from "../run/rows.ts";
import { registrySettings, storeSettings } from "../setting-groups.ts";
import { showError } from "../show-error.ts";

export const command: Command = {
  usage: "BUILD [--verify [--sources PIPELINE.yml]]",
  about: `Prints the images of a build to run it again with the same: digest for digest, those of types' types too, in the
lines that \`fetch-image run\` prints. No registry is asked and nothing is stored. With --verify each digest is asked for,
by HEAD: the exit status is 1 where one is gone, or where an image has no digest that could be run again. What is stored
holds no logins. They are those of Docker's configuration and of the cloud, as the settings say, and with --sources those
that a pipeline's sources have for the same repositories.`,
  positionals: { min: 1, max: 1 },
  options: [
    { name: "verify", does: "ask the registries whether each digest still exists" },
    { name: "sources", value: "PIPELINE.yml", does: "with --verify: the pipeline whose sources have the logins" },
    ...varOptions,
  ],
  settings: [...storeSettings, ...registrySettings, "baseTypes"],
  examples: [
    "fetch-image rerun 123 --json",
    "fetch-image rerun 123 --verify",
    "fetch-image rerun 123 --verify --sources ci.yml --load-vars-from credentials.yml",
  ],
  async run(context) {
    const { positionals, options, settings, json, terminal, logger, secrets } = context;
    const [build = ""] = positionals;
    const file = options.text("sources");
    if (file !== undefined && !options.on("verify")) {
      throw new FetchImageError("FI_USAGE", {
        message: "--sources has logins, and without --verify no registry is asked",
        hint: "Add --verify, or leave --sources out.",
      });
    }
    await using opened = await openAudit(settings, logger);
    const { audit, stores } = opened;
    const plan = await audit.rerunPlan(build);
    const sources = file === undefined ? () => [] : await pipelineSources(file, { ...context, job: plan.job });
    const verdicts: Verdicts = options.on("verify")
      ? await verify(plan, { stores, sources, open: () => openRegistry(settings, logger) })
      : new Map();
    const rows = plan.images.map((image) => rowOf(image, plan, verdicts.get(image)));
    const wanted = rows.map((row) => row.wanted);
    const format = rowFormat(wanted, { color: terminal.outColor, columns: terminal.outColumns });
    if (!json && rows.length > 0) terminal.out(format.head);
    for (const row of rows) {
      terminal.out(
        json ? `${JSON.stringify(rowJson(build, row, (text) => secrets.redact(text)))}\n` : format.line(row),
      );
    }
    const errors = new Map(rows.flatMap(({ error }) => (error === undefined ? [] : [[error.message, error] as const])));
    if (!json)
      for (const error of errors.values()) terminal.err(secrets.redact(showError(error, { color: terminal.errColor })));
    if (!json && rows.length === 0) terminal.err(`build ${build} fetched no image\n`);
    return errors.size > 0 ? exitStatus.failed : exitStatus.done;
  },
};

type Verdicts = ReadonlyMap<RerunImage, RerunVerdict>;

async function verify(
  plan: RerunPlan,
  {
    stores: { readModel },
    sources,
    open,
  }: { readonly stores: Stores; readonly sources: SourcesOf; readonly open: () => ReturnType<typeof openRegistry> },
): Promise<Verdicts> {
  const { verifyRerun } = await import("@fetch-image/engine");
  const registry = await open();
  const rows = await readModel.imagesOfBuild(plan.build);
  const { signal } = new AbortController();
  try {
    return await verifyRerun(plan, async ({ fetch, image, digest }) => {
      const repository = image.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
      const scope = rows.find(({ fetchId }) => fetchId === fetch)?.scope;
      const asked = scope === undefined ? undefined : (await readModel.scope(scope))?.source;
      const given = sources(image);
      const [first = sourceOf(repository, asked), ...others] = given;
      return await existsBy([first, ...others], (source) => registry.exists(source, digest, { signal }));
    });
  } finally {
    await registry.close();
  }
}

/** As the first source says that the registry lets in. */
async function existsBy(
  [first, ...others]: readonly [RegistryImageSource, ...RegistryImageSource[]],
  exists: (source: RegistryImageSource) => Promise<boolean>,
): Promise<boolean> {
  const [next, ...rest] = others;
  try {
    return await exists(first);
  } catch (error) {
    if (next === undefined || !isRefused(error)) throw error;
    return await existsBy([next, ...rest], exists);
  }
}

function isRefused(error: unknown): error is FetchImageError {
  return FetchImageError.is(error) && (error.code === "FI_UNAUTHORIZED" || error.code === "FI_FORBIDDEN");
}

/** As it was asked, but for what no fact keeps: credentials and certificates. */
function sourceOf(repository: string, asked: object | undefined): RegistryImageSource {
  const { insecure, registry_mirror: mirror } = { insecure: undefined, registry_mirror: undefined, ...asked };
  const known = {
    ...(insecure === undefined ? {} : { insecure }),
    ...(mirror === undefined ? {} : { registry_mirror: mirror }),
  };
  const parsed = parseRegistryImageSource({ repository, ...known });
  if (!parsed.ok) throw parsed.error;
  return parsed.source;
}

function rowOf(image: RerunImage, { build }: RerunPlan, verdict: RerunVerdict | undefined): ImageRow {
  const { plan, step = plan, kind, resourceType, version } = image;
  const wanted = {
    plan,
    step,
    kind: kind ?? "task",
    ...(resourceType === undefined ? {} : { resourceType }),
    how: "rerun",
  };
  const known = { wanted, ...(version === undefined ? {} : { version }), via: "rerun", ms: 0 };
  if (!image.repeatable) {
    const name = `${kind ?? "step"} ${step}${resourceType === undefined ? "" : `: type ${resourceType}`}`;
    const message = `the image of ${name} (plan ${plan}) cannot be run again: ${image.because}`;
    const details = { build, plan };
    return { ...known, state: "failed", error: new FetchImageError("FI_NOT_REPEATABLE", { message, details }) };
  }
  const found = { ...known, image: image.image, ...(image.imageURL === undefined ? {} : { imageURL: image.imageURL }) };
  if (verdict === "gone") return { ...found, state: "failed", error: gone(image.image, { build, plan }) };
  if (FetchImageError.is(verdict)) return { ...found, state: "failed", error: unanswered(verdict) };
  return { ...found, state: "resolved" };
}

/** No fact keeps a credential. */
function unanswered(error: FetchImageError): FetchImageError {
  if (!isRefused(error)) return error;
  const { code, message, details } = error;
  const hint =
    "What is stored holds no credentials: give a login with --docker-config, or name the pipeline that has it with --sources.";
  return new FetchImageError(code, { message, hint, details, cause: error });
}

function gone(image: string, details: { readonly build: string; readonly plan: string }): FetchImageError {
  const message = `${image} is no longer in the registry`;
  return new FetchImageError("FI_DIGEST_GONE", { message, details: { ...details, images: [image] } });
}
