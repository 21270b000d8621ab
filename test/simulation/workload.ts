import type { JsonObject } from "@fetch-image/core";
import type { FetchImageRequest, FetchTaskImageRequest } from "@fetch-image/engine";
import { pinnedPlan, typePlans } from "../support/engine.ts";
import { logins } from "./credentials.ts";
import type { Chance } from "./world.ts";

/** One image that a build asks for. */
export interface FetchOrder {
  readonly buildId: string;
  readonly fetchId: string;
  readonly request:
    | { readonly kind: "type"; readonly request: FetchImageRequest }
    | { readonly kind: "task"; readonly request: FetchTaskImageRequest };
  /** Milliseconds from the beginning. */
  readonly startMs: number;
  /** When the scheduler takes it back; milliseconds from the beginning. */
  readonly abortMs?: number;
  /** Two callers ask for it. */
  readonly twice: boolean;
}

export const repositories = ["a.example.com/acme/git-resource", "a.example.com/acme/unit", "b.example.com/library/go"];
export const tags = ["1.0.0", "1.2.0", "2.0.0-rc.1", "latest", "v3"];

const pinnedDigest = `sha256:${"5".repeat(64)}`;

export function ordersOf(random: Chance, withinMs: number): readonly FetchOrder[] {
  return Array.from({ length: random.between(1, 4) }, (_, build) => {
    // What a build asks for, it asks for at about the same time.
    const beginsMs = random.between(0, Math.floor(withinMs / 2));
    return Array.from({ length: random.between(1, 4) }, (_unused, step) =>
      anOrder(random, String(build + 1), `s${step + 1}`, beginsMs),
    );
  }).flat();
}

function anOrder(random: Chance, buildId: string, stepId: string, beginsMs: number): FetchOrder {
  const startMs = beginsMs + random.pick([0, 0, random.between(0, 10_000)]);
  const common = {
    buildId,
    fetchId: `${stepId}/image-get`,
    startMs,
    ...(random.rarely(120) ? { abortMs: startMs + random.between(0, 8000) } : {}),
    twice: random.rarely(100),
  };
  return { ...common, request: random.rarely(400) ? aTask(random, stepId) : aType(random, stepId) };
}

function aTask(random: Chance, stepId: string): FetchOrder["request"] {
  const skipInterval = random.rarely(200);
  const common = { stepId, privileged: random.rarely(200), skipInterval };
  if (random.rarely(350)) {
    // A type of its own, whose image is fetched first.
    const resourceTypes = [{ name: "git-image", type: "registry-image", source: aSource(random) }];
    const imageResource = { type: "git-image", source: { uri: "https://git.example.com/images" } };
    return { kind: "task", request: { ...common, imageResource, resourceTypes } };
  }
  const pin = random.rarely(200) ? { version: { tag: "v3", digest: pinnedDigest } } : {};
  const imageResource = { type: "registry-image", source: aSource(random), ...pin };
  return { kind: "task", request: { ...common, imageResource, resourceTypes: [] } };
}

function aType(random: Chance, stepId: string): FetchOrder["request"] {
  const common = { privileged: false, ...(random.rarely(150) ? { artifact: true } : {}) };
  if (random.rarely(150)) {
    const getPlan = pinnedPlan(stepId, aSource(random), { digest: pinnedDigest });
    return { kind: "type", request: { ...common, getPlan } };
  }
  const plans = random.rarely(150)
    ? typePlans(stepId, { uri: "https://git.example.com/images" }, { type: "git-image" })
    : typePlans(stepId, aSource(random), {
        ...(random.rarely(150) ? { interval: random.pick(["1s", "30s", "never"]) } : {}),
        ...(random.rarely(200) ? { skip: true } : {}),
      });
  return { kind: "type", request: { ...common, ...plans } };
}

function aSource(random: Chance) {
  // Mostly the same one: what is asked once must be asked for at the same time.
  const repository = random.rarely(600) ? (repositories[0] ?? "") : random.pick(repositories);
  const tag = random.rarely(200) ? {} : { tag: random.rarely(600) ? "v3" : random.pick(tags) };
  const login = random.rarely(250) ? random.pick(logins) : {};
  return { repository, ...tag, ...login };
}

/** The source that is asked for as the fetch; undefined for one that nobody ordered. */
export function sourceOf(orders: readonly FetchOrder[], buildId: string, fetchId: string): JsonObject | undefined {
  const order = orderOf(orders, buildId, fetchId);
  if (order === undefined) return undefined;
  const { kind, request } = order.request;
  if (kind === "type") return request.getPlan.get.source;
  const { imageResource, resourceTypes } = request;
  return fetchId === order.fetchId ? imageResource.source : resourceTypes[0]?.source;
}

/** The order of a fetch, or of one whose type it is. */
export function orderOf(orders: readonly FetchOrder[], buildId: string, fetchId: string): FetchOrder | undefined {
  return orders.find(
    (each) => each.buildId === buildId && (each.fetchId === fetchId || fetchId.startsWith(stepOf(each.fetchId))),
  );
}

function stepOf(fetchId: string): string {
  return fetchId.slice(0, fetchId.indexOf("/") + 1);
}
