import type { JsonObject } from "@fetch-image/core";
import { randomOf } from "../fuzz/random.ts";
import { pinnedPlan, typePlans } from "../support/engine.ts";
import type { FetchOrder, KillOrder, RunOrder } from "./protocol.ts";

/** What a seed decides about a run. */
export interface CrashPlan {
  readonly run: RunOrder;
  /** The repository, below the registry's host, that this run alone asks for. */
  readonly repository: string;
  /** How the first processes die, one after the other; the next one lives. */
  readonly deaths: readonly Death[];
}

type Death = KillOrder | { readonly afterMs: number };

const pinnedDigest = `sha256:${"5".repeat(64)}`;

export function planOf(seed: number, registryHost: string): CrashPlan {
  const random = randomOf(seed);
  const repository = `acme/run-${seed}`;
  const source = { repository: `${registryHost}/${repository}`, tag: "v1" };
  // Whose secret only the one who asks shows: the process that takes over must be able to tell that it has the same.
  const login = seed % 2 === 0 ? {} : { username: "ci", password: `of run ${seed}` };
  const kinds = Array.from({ length: 1 + random.below(3) }, () =>
    random.pick(["tag", "tag", "task", "task", "pinned", "git-image", "artifact"] as const),
  );
  const fetches = kinds.map((kind, index) => aFetch(kind, `s${index + 1}`, { ...source, ...login }));
  const death = (): Death => {
    switch (random.below(8)) {
      case 0:
        return { afterMs: random.below(40) };
      case 1:
        return { of: "projection", moment: 1 + random.below(4), turns: random.below(6) };
      default:
        return { of: "work", moment: 1 + random.below(12 + 9 * fetches.length), turns: random.below(6) };
    }
  };
  // Mostly one, at times another while the first is being recovered from.
  const deaths = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, death);
  return { run: { buildId: `run-${seed}`, fetches }, repository, deaths };
}

function aFetch(
  kind: "tag" | "task" | "pinned" | "git-image" | "artifact",
  stepId: string,
  source: JsonObject,
): FetchOrder {
  const fetchId = `${stepId}/image-get`;
  const type = (request: Extract<FetchOrder, { kind: "type" }>["request"]) =>
    ({ kind: "type", fetchId, request }) as const;
  switch (kind) {
    case "tag":
      return type({ ...typePlans(stepId, source), privileged: false });
    case "artifact":
      return type({ ...typePlans(stepId, source), privileged: false, artifact: true });
    case "pinned":
      return type({ getPlan: pinnedPlan(stepId, source, { digest: pinnedDigest }), privileged: false });
    case "task": {
      const imageResource = { type: "registry-image", source };
      return { kind: "task", fetchId, request: { stepId, imageResource, resourceTypes: [], privileged: false } };
    }
    case "git-image":
      break;
  }
  // A type of its own, whose image is fetched first.
  const imageResource = { type: "git-image", source: { uri: "https://git.example.com/images" } };
  const resourceTypes = [{ name: "git-image", type: "registry-image", source }];
  return { kind: "task", fetchId, request: { stepId, imageResource, resourceTypes, privileged: false } };
}
