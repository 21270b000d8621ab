import {
  type CheckPlan,
  FetchImageError,
  type GetPlan,
  type JsonObject,
  type Plan,
  type PutPlanBody,
  showText,
  type Version,
} from "@fetch-image/core";

/** A step of a resource: what its script reads on standard input. Upstream: concourse/docs, "Implementing a Resource Type". */
export interface ResourceStep {
  readonly plan: Plan;
  readonly type: "check" | "get" | "put";
  readonly name: string;
  readonly source: JsonObject;
  readonly request: JsonObject;
}

export interface PutPlan extends Plan {
  readonly put: PutPlanBody;
}

/** What a get or put says of the version that it made or fetched. */
export interface ResourceAnswer {
  readonly version: Version;
  readonly metadata: readonly { readonly name: string; readonly value: string }[];
}

export function checkStep(plan: CheckPlan): ResourceStep {
  const { name, source, from_version: version } = plan.check;
  return { plan, type: "check", name, source, request: { source, version: version ?? null } };
}

export function getStep(plan: GetPlan): ResourceStep {
  const { name, source, params = {}, version } = plan.get;
  return { plan, type: "get", name, source, request: { source, params, version: version ?? null } };
}

export function putStep(plan: PutPlan): ResourceStep {
  const { name, source, params = {} } = plan.put;
  return { plan, type: "put", name, source, request: { source, params } };
}

/** Throws `FI_STEP_ANSWER_INVALID`. */
export function readVersions(step: ResourceStep, answer: string): readonly Version[] {
  const read = parse(step, answer);
  if (!Array.isArray(read) || !read.every(isVersion)) {
    throw invalid(step, "a list of versions, each an object of texts", answer);
  }
  return read;
}

/** Throws `FI_STEP_ANSWER_INVALID`. */
export function readAnswer(step: ResourceStep, answer: string): ResourceAnswer {
  const read = parse(step, answer);
  const wanted = "an object with a version, itself an object of texts, and metadata, a list of names and values";
  if (typeof read !== "object" || read === null || !("version" in read) || !isVersion(read.version)) {
    throw invalid(step, wanted, answer);
  }
  const metadata: unknown = "metadata" in read ? (read.metadata ?? []) : [];
  if (!Array.isArray(metadata) || !metadata.every(isMetadata)) throw invalid(step, wanted, answer);
  return { version: read.version, metadata: metadata.map(({ name, value }) => ({ name, value })) };
}

function parse(step: ResourceStep, answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    throw invalid(step, "JSON", answer);
  }
}

function isVersion(value: unknown): value is Version {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === "string")
  );
}

function isMetadata(value: unknown): value is { name: string; value: string } {
  if (typeof value !== "object" || value === null || !("name" in value) || !("value" in value)) return false;
  return typeof value.name === "string" && typeof value.value === "string";
}

function invalid({ type, name }: ResourceStep, wanted: string, answer: string): FetchImageError {
  const printed = answer.trim() === "" ? "nothing" : showText(answer.trim().slice(0, 200));
  return new FetchImageError("FI_STEP_ANSWER_INVALID", {
    message: `the ${type} of ${name} was to print ${wanted}, and printed ${printed}`,
    details: { step: name, type },
  });
}
