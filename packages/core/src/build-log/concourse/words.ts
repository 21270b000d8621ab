import type { BuildFactData } from "../../facts/build-facts.ts";
import type { CheckEvidence, FetchRequest } from "../../facts/facts.ts";
import { parseTime } from "../../facts/time.ts";
import { referenceOfImageURL } from "../../image/image-url.ts";
import type { Version } from "../../plan/plan.ts";
import { duration } from "../../scope/duration.ts";
import {
  amongText,
  askerText,
  physicalReasons,
  rateLimitText,
  sparingText,
  staleText,
  versionText,
} from "../version-text.ts";

// What the log says to people, version 1. `fly` prints log lines and nothing of the get: the digest must stand in one.

/** `registry.example.com/app:v1 -> sha256:… (cached 41s)`: what was checked, what it is, and how that is known. */
export function checkedLine(
  request: FetchRequest,
  { version, evidence }: Pick<BuildFactData<"ImageChecked">, "version" | "evidence">,
  { at, buildId }: { readonly at: number; readonly buildId: string },
): string {
  const { digest, ...rest } = version;
  const isImage = request.type === "registry-image";
  const answer = !isImage ? versionText(version) : digest === undefined || digest === "" ? noDigest(rest) : digest;
  const age = duration(Math.max(0, at - parseTime(evidence.observedAt)));
  const warning = evidence.via === "stale-served" ? "warning: stale: " : "";
  const how = [amongText(evidence.among, version), howKnown(evidence, { age, buildId })];
  return `${warning}${subject(request, version, evidence)} -> ${answer} (${how.filter((one) => one !== undefined).join("; ")})`;
}

function subject({ type, name, ...request }: FetchRequest, version: Version, evidence: CheckEvidence): string {
  if (type !== "registry-image") return `${name} (${type})`;
  const repository = evidence.repository ?? request.repository ?? name;
  const tag = version["tag"] ?? request.tag;
  return tag === undefined ? repository : `${repository}:${tag}`;
}

function noDigest(version: Version): string {
  return `${versionText(version)}, without a digest`;
}

function howKnown(
  evidence: CheckEvidence,
  { age, buildId }: { readonly age: string; readonly buildId: string },
): string {
  const { via, host = "the registry", status, asker } = evidence;
  const who = asker === undefined ? "another fetch" : askerText(asker, buildId);
  switch (via) {
    case "HEAD":
    case "GET": {
      const limit = rateLimitText(evidence.rateLimit);
      const answered = [via, host, ...(status === undefined ? [] : [status])].join(" ");
      return limit === undefined ? answered : `${answered}, ${limit}`;
    }
    case "fresh":
      return `cached ${age}: ${who} asked ${host}, which was not asked again`;
    case "joined":
      return `joined: ${who} was asking ${host} the same`;
    case "stale-served":
      return `cached ${age}: ${who} asked, and ${staleText(evidence)}: ${sparingText(evidence)}`;
    case "step":
      break;
  }
  return "check step";
}

/** How the version was chosen, where no check's line has said so; and why the bytes are fetched, where they are. */
export function resolvedLines(
  request: FetchRequest,
  resolved: BuildFactData<"ImageVersionResolved">,
): readonly string[] {
  const { version, via, pinned, reference } = resolved;
  const shown = versionText(version);
  const unpinned = pinned ? "" : "warning: unpinned, it may be another image at the next pull: ";
  const reasons = physicalReasons(
    reference === undefined || request.repository !== undefined ? request : { ...request, repository: reference },
  );
  const what = reference ?? `${request.name} (${request.type}) ${shown}`;
  return [
    ...(chosen[via] === undefined && pinned ? [] : [`${unpinned}${chosen[via] ?? "the check's answer"}: ${shown}`]),
    ...(reasons.length === 0 ? [] : [`fetching ${what} as an artifact, since ${reasons.join("; ")}`]),
  ];
}

const chosen: { readonly [V in BuildFactData<"ImageVersionResolved">["via"]]?: string } = {
  pin: "pinned by the pipeline, nobody was asked",
  plan: "the check gave no digest, so the version of the get plan stands",
  tag: "nobody knew a digest, so the source's tag stands",
  latest: "nobody knew a digest or a tag, so latest stands",
};

export function shortCircuitedLine(imageURL: string): string {
  return `kubelet pulls ${referenceOfImageURL(imageURL) ?? imageURL}`;
}

export function fetchedLine(what: string, artifact: string): string {
  return `fetched ${what} as artifact ${artifact}`;
}

export function setbackLine(
  what: "check" | "get",
  { failure, retryAfterMs }: Pick<BuildFactData<"ImageCheckFailed">, "failure" | "retryAfterMs">,
): string {
  const pause =
    retryAfterMs === undefined || retryAfterMs === 0 ? "" : `, asked for a pause of ${duration(retryAfterMs)}`;
  return `warning: ${what} failed: ${failure.message} (${failure.code}${pause})`;
}

export function againLine(timer: "backoff" | "patience", attempt: number, attempts: number): string {
  return timer === "patience"
    ? "no answer of the other check: asking anew"
    : `trying again (attempt ${attempt} of ${attempts})`;
}

export function joinedLine({ asker }: BuildFactData<"CheckJoined">, buildId: string): string {
  return `waiting for the check of ${askerText(asker, buildId)}, which asks the same`;
}

export function warnedLine({ phase, reasons }: BuildFactData<"PolicyDecided">): string {
  const why = reasons.length === 0 ? "no reason given" : reasons.join("; ");
  return `warning: policy warns of ${phase === "request" ? "the image" : "the digest"}, and the fetch goes on: ${why}`;
}

export function adoptedLine(node: string, from: string): string {
  return `${node} took the build over from ${from}`;
}

export const notFetched = "not fetched, since there is no version";
export const notNeeded = "not needed: nothing ran in this image";
export const notChecked = "pinned, not checked";
export const buildEnded = "the build ended before the image was there";
