import type { FetchRequest } from "../facts/facts.ts";
import type { Json, JsonObject } from "../json.ts";

/** What the plans of a build call things. */
export interface PlanNames {
  /** Which step and which of its images a fetch is for: `get pr: type pull-request`, `task unit: image`. */
  wantedBy(request: FetchRequest): string;
  /** A step, or the image that a plan of the build fetches: `task unit`, `get pr: its image`. */
  of(planId: string): string;
}

/** Reads the build's public plan (null where none is stored) and, for what it lacks, the plans of the fetches themselves. */
export function planNames(plan: JsonObject | null, requests: readonly FetchRequest[]): PlanNames {
  const named = new Map<string, Named>();
  if (plan !== null) walk(named, { plan, imageOf: undefined, of: "type" });
  for (const { planId, kind, getPlan, checkPlan } of requests) {
    for (const own of [getPlan, checkPlan ?? null]) walk(named, { plan: own, imageOf: planId, of: kind });
  }
  return {
    wantedBy(request) {
      const [step, ...images] = lineage(named, request.planId);
      const image = request.kind === "task" ? "image" : `type ${request.name}`;
      return `${step}: ${[image, ...images].join(" for ")}`;
    },
    of(planId) {
      const [step, ...images] = lineage(named, planId);
      return images.length === 0 ? `${step}` : `${step}: ${images.join(" for ")}`;
    },
  };
}

/** How many gets, puts, checks and tasks a build's public plan has, those for images aside. */
export function countSteps(plan: JsonObject): number {
  const named = new Map<string, Named>();
  walk(named, { plan, imageOf: undefined, of: "type" });
  return [...named.values()].filter(({ imageOf }) => imageOf === undefined).length;
}

interface Named {
  /** `get pr`; of an image's sub-plan, `type pull-request` or `its image`. */
  readonly label: string;
  /** For sub-plans of an image: the plan that needs it. */
  readonly imageOf: string | undefined;
}

interface Place {
  readonly plan: Json;
  readonly imageOf: string | undefined;
  /** Whose image the sub-plan is for. */
  readonly of: "task" | "type";
}

// With a stack of its own: a stored plan may be nested deeper than the runtime's.
function walk(named: Map<string, Named>, root: Place): void {
  const places = [root];
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const plan = object(place.plan);
    if (plan === undefined) continue;
    const { imageOf, of } = place;
    const id = plan["id"];
    for (const kind of ["get", "put", "check", "task"]) {
      const body = object(plan[kind]);
      if (body === undefined || typeof id !== "string") continue;
      const name = text(body["name"]);
      const label = imageOf === undefined ? `${kind} ${name}` : of === "task" ? "its image" : `type ${name}`;
      if (!named.has(id)) named.set(id, { label, imageOf });
      for (const image of [body["image_check_plan"], body["image_get_plan"]]) {
        places.push({ plan: image ?? null, imageOf: id, of: "type" });
      }
    }
    places.push(...stepsWithin(plan).map((inner) => ({ plan: inner, imageOf, of })));
  }
}

/** The plans that a plan is made of (upstream atc/public_plan.go), its images aside. */
function stepsWithin(plan: JsonObject): readonly Json[] {
  const hooks = ["on_success", "on_failure", "on_abort", "on_error", "ensure"];
  return [
    ...list(plan["do"]),
    ...list(plan["retry"]),
    ...list(object(plan["in_parallel"])?.["steps"]),
    ...list(object(plan["across"])?.["steps"]).map((step) => object(step)?.["step"] ?? null),
    ...[...hooks, "try", "timeout"].map((wrapper) => object(plan[wrapper])?.["step"] ?? null),
    ...hooks.map((hook) => object(plan[hook])?.[hook] ?? null),
  ];
}

/** The step that a plan belongs to, and the images between the two, from the inside out. */
function lineage(named: ReadonlyMap<string, Named>, planId: string): readonly string[] {
  const images: string[] = [];
  const seen = new Set<string>();
  let id = planId;
  // A stored plan can claim to be its own image.
  while (!seen.has(id)) {
    seen.add(id);
    const found = named.get(id);
    if (found?.imageOf !== undefined) {
      images.push(found.label);
      id = found.imageOf;
    } else if (found !== undefined) {
      return [found.label, ...images];
    }
  }
  return [`plan ${id}`, ...images];
}

function object(value: Json | undefined): JsonObject | undefined {
  return typeof value !== "object" || value === null || isList(value) ? undefined : value;
}

function list(value: Json | undefined): readonly Json[] {
  return value !== undefined && isList(value) ? value : [];
}

// `Array.isArray` knows nothing of readonly arrays.
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
