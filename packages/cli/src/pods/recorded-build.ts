import {
  FetchImageError,
  isBuildFact,
  type Json,
  type JsonObject,
  type Plan,
  type RecordedBuildFact,
  type UnknownFact,
} from "@fetch-image/core";
import type { PodBuild } from "@fetch-image/kubernetes";

/** An image that a build asked for, as far as its facts tell. */
export interface RecordedImage {
  readonly fetchId: string;
  /** The step that runs in it. */
  readonly planId: string;
  readonly kind: "task" | "type";
  readonly name: string;
  readonly privileged: boolean;
  /** Whether its source held credentials or certificates, which are in no fact. */
  readonly credentials: boolean;
  readonly imageURL?: string;
  readonly artifact?: string;
  readonly failed?: string;
}

export interface RecordedBuild {
  readonly build: PodBuild;
  /** Gets, puts, checks and tasks in the order of the plan, of which facts have names and types alone. */
  readonly steps: readonly Plan[];
  readonly images: readonly RecordedImage[];
  /** What tasks run in that name an artifact as their image, by the task's plan id. */
  readonly artifactImages: ReadonlyMap<string, ArtifactImage>;
}

interface ArtifactImage {
  /** `domain/path:tag@digest`. */
  readonly reference: string;
  /** The id of the fetch that brought it; absent where a step has built it. */
  readonly fetchedBy?: string;
}

/** Throws `FI_NOT_REPEATABLE` for a build whose scheduler never told its plan. */
export function recordedBuild(buildId: string, facts: readonly (RecordedBuildFact | UnknownFact)[]): RecordedBuild {
  const images = new Map<string, RecordedImage>();
  const artifactImages = new Map<string, ArtifactImage>();
  let build: PodBuild = { buildId };
  let plan: JsonObject | undefined;
  const more = (fetchId: string, known: Partial<RecordedImage>) => {
    const image = images.get(fetchId);
    if (image !== undefined) images.set(fetchId, { ...image, ...known });
  };
  for (const fact of facts.filter(isBuildFact)) {
    if (fact.type === "BuildOpened") build = ofBuild(fact.data);
    else if (fact.type === "BuildPlanned") plan = fact.data.plan;
    else if (fact.type === "FetchRequested") {
      const { fetchId, planId, kind, name, privileged, credentials } = fact.data;
      images.set(fetchId, { fetchId, planId, kind, name, privileged, credentials });
    } else if (fact.type === "ArtifactImageResolved") artifactImages.set(fact.data.planId, fact.data);
    else if (fact.type === "ImageShortCircuited") more(fact.data.fetchId, { imageURL: fact.data.imageURL });
    else if (fact.type === "ArtifactFetched") more(fact.data.fetchId, { artifact: fact.data.artifact });
    else if (fact.type === "FetchFailed") more(fact.data.fetchId, { failed: fact.data.failure.message });
    else if (fact.type === "FetchAborted") more(fact.data.fetchId, { failed: "it was aborted" });
  }
  if (plan !== undefined) return { build, steps: stepsIn(plan), images: [...images.values()], artifactImages };
  throw new FetchImageError("FI_NOT_REPEATABLE", {
    message: `build ${buildId} has no plan among its facts, so that nobody knows its steps`,
    hint: "Hand the build's plan to openBuild.",
    details: { build: buildId },
  });
}

function ofBuild({ buildId, team, pipeline, job }: PodBuild): PodBuild {
  return {
    buildId,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
  };
}

/** The steps of a plan in its public form, which is whatever the scheduler gave. */
function stepsIn(plan: Json): readonly Plan[] {
  const steps: Plan[] = [];
  const left: Json[] = [plan];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null) continue;
    const step = stepIn(Object.fromEntries(Object.entries<Json>(next)));
    if (step !== undefined) steps.push(step);
    else left.push(...Object.values<Json>(next).toReversed());
  }
  return steps;
}

function stepIn({ id, get, put, check, task }: { readonly [field: string]: Json }): Plan | undefined {
  if (typeof id !== "string") return undefined;
  const source = {};
  const named = [get, put, check].map(nameAndType);
  const [ofGet, ofPut, ofCheck] = named;
  if (ofGet !== undefined) return { id, get: { ...ofGet, source } };
  if (ofPut !== undefined) return { id, put: { ...ofPut, source } };
  if (ofCheck !== undefined) return { id, check: { ...ofCheck, source } };
  const name = textAt(task, "name");
  if (name === undefined) return undefined;
  return { id, task: { name, privileged: isTrue(task, "privileged"), hermetic: isTrue(task, "hermetic") } };
}

function nameAndType(body: Json | undefined): { readonly name: string; readonly type: string } | undefined {
  const [name, type] = [textAt(body, "name"), textAt(body, "type")];
  return name === undefined || type === undefined ? undefined : { name, type };
}

function textAt(body: Json | undefined, field: string): string | undefined {
  const value = fieldOf(body, field);
  return typeof value === "string" ? value : undefined;
}

function isTrue(body: Json | undefined, field: string): boolean {
  return fieldOf(body, field) === true;
}

function fieldOf(body: Json | undefined, field: string): Json | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  return Object.entries<Json>(body).find(([name]) => name === field)?.[1];
}
