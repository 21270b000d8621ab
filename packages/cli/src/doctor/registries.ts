import {
  checkMode,
  FetchImageError,
  formatReference,
  parseReference,
  parseRegistryImageSource,
  type RegistryImageSource,
  sourceHasCredentials,
} from "@fetch-image/core";
import type { OciRegistry } from "@fetch-image/registry";
import type { CommandContext } from "../command.ts";
import { openRegistry } from "../open-engine.ts";
import { loadPipeline } from "../pipeline-file.ts";
import { prepareJob } from "../run/prepare-job.ts";
import { type Finding, problem } from "./finding.ts";

/** Asks for a reference, or for every image of a pipeline's jobs, each source once. */
export async function registryFindings(target: string, context: CommandContext): Promise<readonly Finding[]> {
  const sources = /\.ya?ml$/.test(target) ? await sourcesOfPipeline(target, context) : [sourceOfReference(target)];
  await using registry = await openRegistry(context.settings, context.logger);
  const asked = await Promise.all(sources.map((source) => ask(source, registry, context.signal)));
  return [...asked, ...keyFinding(sources, context)];
}

/** Processes that share a store and no key cannot tell that their sources have one password. */
function keyFinding(sources: readonly RegistryImageSource[], { settings }: CommandContext): readonly Finding[] {
  const { credentialKey, databaseUrl, eventStore } = settings.values;
  const isShared = databaseUrl !== undefined || eventStore !== "postgres";
  if (credentialKey !== undefined || !isShared || !sources.some(sourceHasCredentials)) return [];
  return [
    {
      is: "warning",
      what: "credential-key",
      says: "none is set, so each process of this store asks for itself where a source has a password",
      fix: "Give all of them the same FETCH_IMAGE_CREDENTIAL_KEY: `openssl rand -base64 32`.",
    },
  ];
}

function sourceOfReference(text: string): RegistryImageSource {
  const parsed = parseReference(text);
  if (!parsed.ok) throw parsed.error;
  const { domain, path, tag = "latest" } = parsed.reference;
  return { repository: formatReference({ domain, path }), tag };
}

async function sourcesOfPipeline(file: string, context: CommandContext): Promise<readonly RegistryImageSource[]> {
  const named = context.options.text("job");
  const { pipeline } = await loadPipeline(file, context, { job: () => named, missing: "refuse" });
  const jobs = named === undefined ? pipeline.jobs.map(({ name }) => name) : [named];
  const sources = new Map<string, RegistryImageSource>();
  for (const job of jobs) {
    // Its warnings were told above.
    const quiet = { ...context, terminal: { ...context.terminal, err: () => undefined } };
    const { wanted, problems } = await prepareJob(file, { ...quiet, job, inputs: new Map(), manual: true });
    const [wrong] = problems;
    if (wrong !== undefined) throw wrong;
    for (const one of wanted) {
      if (one.how !== "fetch" || one.getPlan.get.type !== "registry-image") continue;
      const parsed = parseRegistryImageSource(one.getPlan.get.source);
      if (parsed.ok) sources.set(JSON.stringify(parsed.source), parsed.source);
    }
  }
  return [...sources.values()];
}

async function ask(source: RegistryImageSource, registry: OciRegistry, signal: AbortSignal): Promise<Finding> {
  const mode = checkMode(source, registry);
  if (mode.mode === "unsupported") {
    const says = `not asked natively, because of ${mode.field}: ${mode.reason}`;
    return { is: "warning", what: source.repository, says, fix: fixFor(mode.field) };
  }
  const what = source.tag === undefined ? source.repository : `${source.repository}:${source.tag}`;
  if (mode.mode === "invalid") return problem(what, mode.error);
  const started = performance.now();
  try {
    const { versions, via, host, status } = await registry.check(source, { signal });
    const newest = versions.at(-1);
    if (newest === undefined) throw new FetchImageError("FI_IMAGE_UNKNOWN", { message: "there is no such tag" });
    const ms = Math.round(performance.now() - started);
    const found = source.tag === undefined ? `${newest.tag}, ${newest.digest}` : newest.digest;
    return {
      is: "ok",
      what,
      says: `${found} (${via} ${host} answered ${status} in ${ms} ms, ${askedBy(source, registry)})`,
    };
  } catch (error) {
    const finding = problem(what, error);
    return { ...finding, says: `${finding.says} (${askedBy(source, registry)})` };
  }
}

function askedBy(source: RegistryImageSource, registry: OciRegistry): string {
  const { from, says } = registry.login(source);
  return from === "nobody" ? says : `with ${says}`;
}

/** Clouds' logins are a matter of settings; anything else is for the resource itself. */
function fixFor(field: string): string {
  const asStep = "Its check runs as a step of the scheduler.";
  const cloud = field.startsWith("aws_") ? "aws" : field.startsWith("azure_") ? "azure" : undefined;
  return cloud === undefined
    ? asStep
    : `${asStep} To ask natively with this machine's identity, set --ambient-identity ${cloud}: every source may then use it.`;
}
