import type { CheckEvidence, Rejected, ResolvedVia } from "../facts/facts.ts";
import { isDigest } from "../image/digest.ts";
import type { Version } from "../plan/plan.ts";

/** What the choice of a version is made from. */
export interface VersionCandidates {
  readonly checked?:
    | {
        readonly version: Version;
        readonly evidence: CheckEvidence;
        readonly rejected: readonly Rejected[];
      }
    | undefined;
  /** The version on the get plan: a pin where there is no check, else the fallback of a check without a digest. */
  readonly planVersion?: Version | undefined;
  readonly hasCheckPlan: boolean;
  readonly sourceTag?: string | undefined;
  /** Only a registry-image's version must have a digest; other types' versions are taken as they are. */
  readonly isRegistryImage: boolean;
}

export interface ChosenVersion {
  readonly version: Version;
  readonly via: ResolvedVia;
  /** Whether the version names the image by its digest. */
  readonly pinned: boolean;
  readonly rejected: readonly Rejected[];
}

/**
 * The digest of the check's result, else the get plan's static version, else the source's tag, else `latest`;
 * every candidate passed over is told, with the reason.
 */
export function resolveVersion(candidates: VersionCandidates): ChosenVersion {
  if (!candidates.isRegistryImage) return otherTypesVersion(candidates);
  const { checked, hasCheckPlan, sourceTag } = candidates;
  const planVersion = withoutEmpty(candidates.planVersion);

  const rejected: Rejected[] = [...(checked?.rejected ?? [])];
  if (checked !== undefined) {
    const { digest = "" } = checked.version;
    if (isDigest(digest)) {
      if (planVersion !== undefined) {
        rejected.push({ candidate: `plan ${show(planVersion)}`, reason: "the check gave a digest, which comes first" });
      }
      return { version: checked.version, via: checked.evidence.via, pinned: true, rejected };
    }
    const reason = digest === "" ? "it has no digest" : "its digest is not one";
    rejected.push({ candidate: `check ${show(checked.version)}`, reason });
  }
  if (planVersion !== undefined) {
    const pinned = planVersion["digest"] !== undefined;
    // A pin is pulled under the tag that the pipeline names, where the pin itself has none.
    const tag = planVersion["tag"] ?? sourceTag;
    const version = tag === undefined ? planVersion : { ...planVersion, tag };
    if (pinned || planVersion["tag"] !== undefined) {
      return { version, via: hasCheckPlan ? "plan" : "pin", pinned, rejected };
    }
    rejected.push({ candidate: `plan ${show(planVersion)}`, reason: "it has neither digest nor tag" });
  }
  if (sourceTag !== undefined) return { version: { tag: sourceTag }, via: "tag", pinned: false, rejected };
  rejected.push({ candidate: "source tag", reason: "the source has none" });
  return { version: { tag: "latest" }, via: "latest", pinned: false, rejected };
}

function otherTypesVersion({ checked, planVersion, hasCheckPlan }: VersionCandidates): ChosenVersion {
  if (checked !== undefined) {
    return { version: checked.version, via: checked.evidence.via, pinned: true, rejected: checked.rejected };
  }
  return { version: planVersion ?? {}, via: hasCheckPlan ? "plan" : "pin", pinned: true, rejected: [] };
}

/** Versions come from programs in which a string that is not there is an empty one. */
function withoutEmpty(version: Version | undefined): Version | undefined {
  return version && Object.fromEntries(Object.entries(version).filter(([, value]) => value !== ""));
}

/** Part of a stored fact, so the same whatever order a store gives the fields back in. */
function show(version: Version): string {
  const text = Object.entries(version)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
  return text === "" ? "(empty)" : text;
}
