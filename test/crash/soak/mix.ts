import type { FetchImageRequest, FetchTaskImageRequest } from "@fetch-image/engine";
import type { Random } from "../../fuzz/random.ts";
import { pinnedPlan, typePlans } from "../../support/engine.ts";

export interface SoakFetch {
  readonly request: FetchImageRequest | FetchTaskImageRequest;
  /** How its caller is told that it ended. */
  readonly ends: "image" | "failed" | "aborted or image";
}

/** What one build of the load wants, all at once. */
export function soakBuild(random: Random, registryHost: string, number: number): readonly SoakFetch[] {
  const source = (tag: string) => ({ repository: `${registryHost}/acme/image`, tag });
  const type = (tag: string, stepId = "step"): SoakFetch => ({
    request: { ...typePlans(stepId, source(tag)), privileged: false },
    ends: "image",
  });
  const draw = random.below(100);
  if (draw < 35) return [type(`known-${random.below(20)}`)];
  if (draw < 55) return [type(`new-${number}`)];
  if (draw < 70) {
    const digest = `sha256:${"5".repeat(64)}`;
    const getPlan = pinnedPlan("step", source("v1"), { digest });
    return [{ request: { getPlan, privileged: false }, ends: "image" }];
  }
  if (draw < 75) return [{ ...type(`missing-${random.below(50)}`), ends: "failed" }];
  if (draw < 80) {
    const signal = AbortSignal.timeout(random.below(8));
    const { request } = type(`gone-${number}`);
    return [{ request: { ...request, signal }, ends: "aborted or image" }];
  }
  // Two of one build at once: one asks, the other joins.
  if (draw < 90) return [type(`both-${number}`, "one"), type(`both-${number}`, "two")];
  const imageResource = { type: "git-image", source: { uri: "https://git.example.com/images" } };
  const resourceTypes = [{ name: "git-image", type: "registry-image", source: source(`known-${random.below(20)}`) }];
  return [{ request: { stepId: "step", imageResource, resourceTypes, privileged: false }, ends: "image" }];
}
