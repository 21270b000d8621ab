import { createHash } from "node:crypto";

export type StepType = "check" | "get" | "put" | "task";

/** Whose pod it is. Two pods are the same exactly when all of it is, `buildName` aside. */
export interface PodIdentity {
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** The build's id, unique in the event log. */
  readonly buildId: string;
  /** The build's number within its job; default: the id. */
  readonly buildName?: string;
  readonly type: StepType;
  /** What runs in it, unique in the build: the plan's id, or the `effectKey` of a step that is run again after a crash. */
  readonly key: string;
}

/**
 * `<pipeline>-<job>-b<build>-<type>-<8 hex>`: a DNS label (RFC 1123), whatever the names are, of at most 63 characters.
 * The hex digits are of the whole identity, so that a scheduler which comes back finds the pod that it started.
 */
export function podName(identity: PodIdentity): string {
  return buildName(identity, `${identity.type}-${podHandle(identity).slice(0, 8)}`);
}

/** `<pipeline>-<job>-b<build>-<ending>`, of what there is and as much of it as a DNS label holds. */
export function buildName(build: Omit<PodIdentity, "type" | "key">, ending: string): string {
  const { pipeline = "", job = "", buildId, buildName: number = buildId } = build;
  const short = cut(dnsText(number), longestBuild);
  const end = short === "" ? ending : `b${short}-${ending}`;
  const beginning = shared(dnsText(pipeline), dnsText(job), longestName - end.length - 1);
  return beginning === "" ? end : `${beginning}-${end}`;
}

/** 40 hex digits, the same for the same pod after any restart and different for any other: what a pod is looked up by. */
export function podHandle({ team = "", pipeline = "", job = "", buildId, type, key }: PodIdentity): string {
  return hexOf([team, pipeline, job, buildId, type, key]).slice(0, 40);
}

/** The text as part of a DNS label: lower case, everything else than letters and digits a dash, none at the ends. */
function dnsText(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** Both texts joined by a dash within so many characters: where they are longer, the longer one gives first. */
function shared(one: string, other: string, most: number): string {
  if (one === "" || other === "") return cut(one + other, most);
  const room = most - 1;
  const first = cut(one, Math.max(Math.ceil(room / 2), room - other.length));
  return `${first}-${cut(other, room - first.length)}`;
}

/** SHA-256 of the texts, each told apart from the next whatever is in it; 64 hex digits. */
export function hexOf(texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex");
}

function cut(text: string, most: number): string {
  return text.slice(0, most).replace(/-$/, "");
}

const longestName = 63;
const longestBuild = 20;
