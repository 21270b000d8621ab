import {
  type Json,
  parseReference,
  parseRegistryImageSource,
  pullableRepository,
  type RegistryImageSource,
  secretsOf,
} from "@fetch-image/core";
import type { CommandContext } from "../command.ts";
import { loadPipeline } from "../pipeline-file.ts";

/** The sources that a pipeline has for an image, the likeliest first. */
export type SourcesOf = (image: string) => readonly RegistryImageSource[];

/**
 * The registry-image sources of a pipeline, by what is pulled from them: of types, of resources and of tasks' images. With
 * the job that is named, where the pipeline has it, the vars of other jobs may be missing; their sources are left out then.
 * Throws `FI_PIPELINE_…`, `FI_VAR_MISSING`.
 */
export async function pipelineSources(
  file: string,
  context: Pick<CommandContext, "options" | "settings" | "terminal" | "secrets" | "cwd"> & {
    readonly job: string | undefined;
  },
): Promise<SourcesOf> {
  const { pipeline } = await loadPipeline(file, context, {
    job: ({ jobs }) => jobs.find(({ name }) => name === context.job)?.name,
    missing: "refuse",
  });
  const found: RegistryImageSource[] = [];
  for (const source of imageSources({ ...pipeline } as unknown as Json)) {
    const parsed = parseRegistryImageSource(source);
    if (!parsed.ok || hasVar.test(JSON.stringify(source))) continue;
    await context.secrets.add(secretsOf(source));
    found.push(parsed.source);
  }
  return (image) => {
    const { repository, tag } = partsOf(image);
    const same = found.filter((source) => pullableRepository(source) === repository);
    return same.toSorted((a, b) => Number(b.tag === tag) - Number(a.tag === tag));
  };
}

/** What had no value is no login. */
const hasVar = /\(\([^()]+\)\)/;

/** Every object that says it is of type `registry-image` and has a source, wherever it stands. */
function* imageSources(root: Json): Generator<{ readonly [field: string]: Json }, void> {
  const left: Json[] = [root];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null) continue;
    if (!Array.isArray(next)) {
      const { type, source } = next as { readonly [field: string]: Json };
      if (type === "registry-image" && typeof source === "object" && source !== null && !Array.isArray(source)) {
        yield source as { readonly [field: string]: Json };
      }
    }
    left.push(...Object.values(next));
  }
}

function partsOf(image: string): { readonly repository?: string; readonly tag?: string } {
  const parsed = parseReference(image);
  if (!parsed.ok) return {};
  const { domain, path, tag } = parsed.reference;
  return { repository: `${domain}/${path}`, ...(tag === undefined ? {} : { tag }) };
}
