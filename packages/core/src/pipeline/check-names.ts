import { showText } from "../image/show-text.ts";
import type { ResourceType } from "../plan/plan.ts";
import { didYouMean } from "../source/did-you-mean.ts";
import type { DecodeContext, Mention } from "./decoder.ts";
import type { DecodedPipeline } from "./decode-pipeline.ts";
import type { PipelineResource } from "./pipeline.ts";

/**
 * The resource types that Concourse's own workers bring along (its release's resource-types bundle). A deployment with
 * others names them to `parsePipeline`.
 */
export const defaultBaseTypes: readonly string[] = [
  "bosh-io-release",
  "bosh-io-stemcell",
  "cf",
  "docker-image",
  "git",
  "github-release",
  "hg",
  "mock",
  "pool",
  "registry-image",
  "s3",
  "semver",
  "time",
];

/** Custom types that rest on one another: each level doubles the sub-plans of every step that needs them. */
const deepestNesting = 8;

/** Puts every name that nothing is called, and every resource type that rests on itself, into the context's problems. */
export function checkNames(pipeline: DecodedPipeline, baseTypes: readonly string[], context: DecodeContext): void {
  const { resourceTypes, resources, jobs } = pipeline;
  const known: Known = {
    resource: new Set(resources.map(({ name }) => name)),
    type: new Set([...resourceTypes.map(({ name }) => name), ...baseTypes]),
    job: new Set(jobs.map(({ name }) => name)),
  };
  const open = openEnds(known, context);
  for (const mention of context.mentions) {
    if (context.isFull) return;
    const { of, name } = mention;
    if (open[of] || known[of].has(name) || (of === "job" && /[*?[{]/.test(name))) continue;
    const near = didYouMean(name, [...known[of]]);
    const hint = near === undefined ? unknownHint(of, known) : `Did you mean ${near}?`;
    context.problem(mention, mention.path, `unknown ${words[of]} ${showText(name)}`, hint);
  }
  checkNesting(resourceTypes, new Set(baseTypes), context);
  if (!open.resource && context.deferred.length === 0) warnUnused(resources, context);
}

type Known = { readonly [Of in Mention["of"]]: ReadonlySet<string> };
const words: { readonly [Of in Mention["of"]]: string } = { resource: "resource", type: "resource type", job: "job" };
const sections = { resource: "resources", type: "resource_types", job: "jobs" } as const;

/** Where any name may yet turn up: a list that waits for a var may bring it, and so may an item named by one. */
function openEnds(known: Known, { deferred }: DecodeContext): { readonly [Of in Mention["of"]]: boolean } {
  const open = (of: Mention["of"]): boolean =>
    deferred.some(({ structural, path }) => structural && path.startsWith(sections[of])) ||
    [...known[of]].some((name) => name.includes("(("));
  return { resource: open("resource"), type: open("type"), job: open("job") };
}

function unknownHint(of: Mention["of"], known: Known): string {
  if (of === "type") return "Declare it under resource_types, or name it as one of the base resource types.";
  const names = [...known[of]]
    .slice(0, 10)
    .map((name) => showText(name).slice(1, -1))
    .join(", ");
  return names === "" ? `The pipeline declares no ${sections[of]}.` : `The pipeline has ${names}.`;
}

/**
 * Follows each type to the base type it rests on. A type is out of sight below itself, as in a plan: so
 * `{name: registry-image, type: registry-image}` overrides the base type and is no cycle.
 */
function checkNesting(types: readonly ResourceType[], baseTypes: ReadonlySet<string>, context: DecodeContext): void {
  // What a var will name is not known yet.
  const typeOf = new Map(types.filter(({ name }) => !name.includes("((")).map(({ name, type }) => [name, type]));
  const depths = new Map<string, number>();
  for (const { name } of types) {
    const chain: string[] = [];
    const places = new Map<string, number>();
    let next: string | undefined = name;
    while (next !== undefined && typeOf.has(next) && !depths.has(next) && !places.has(next)) {
      places.set(next, chain.length);
      chain.push(next);
      next = typeOf.get(next);
    }
    const ring = chain.slice(places.get(next ?? "") ?? chain.length);
    const broken = ring.findIndex((member) => !baseTypes.has(member));
    if (broken !== -1) cycle([...ring.slice(broken), ...ring.slice(0, broken), ring[broken] ?? ""], context);
    let depth = depths.get(next ?? "") ?? 0;
    for (const member of chain.toReversed()) {
      depths.set(member, ++depth);
      if (depth === deepestNesting + 1) tooDeep(member, context);
    }
  }
}

function cycle(chain: readonly string[], context: DecodeContext): void {
  const [start = ""] = chain;
  const says =
    chain.length === 2
      ? `the resource type ${showText(start)} is of its own type`
      : `the resource type ${showText(start)} depends on itself: ${chain.slice(0, 10).map(showText).join(" of ")}`;
  const mention = mentionOf(start, context);
  if (!context.isFull) context.problems.push({ ...mention, says, code: "FI_RESOURCE_TYPE_CYCLE" });
}

function tooDeep(name: string, context: DecodeContext): void {
  const mention = mentionOf(name, context);
  const says = `the resource type ${showText(name)} rests on more than ${deepestNesting - 1} other custom types`;
  context.problem(mention, mention.path, says, "Shorten the chain of types.");
}

function mentionOf(type: string, { mentions }: DecodeContext): { readonly at: number; readonly path: string } {
  const path = `resource_types.${type}.type`;
  return { at: mentions.find((mention) => mention.path === path)?.at ?? 0, path };
}

function warnUnused(resources: readonly PipelineResource[], context: DecodeContext): void {
  const used = new Set(context.mentions.filter(({ of }) => of === "resource").map(({ name }) => name));
  for (const { name } of resources) {
    if (!used.has(name)) context.warn({ at: 0 }, `resources.${name}`, `the resource ${showText(name)} is not used`);
  }
}
