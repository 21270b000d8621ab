import { FetchImageError } from "../errors/fetch-image-error.ts";
import { type BuildFactData, buildFactSchemas } from "../facts/build-facts.ts";
import type { Asker, FetchRequest } from "../facts/facts.ts";
import type { BuildImageRow } from "../ports/read-model.ts";
import { duration } from "../scope/duration.ts";
import { amongText, askerText, count, rateLimitText, sparingText, staleText, versionText } from "./version-text.ts";

/** What is kept of an `ImageVersionResolved` in a build image's `evidence`: all but the fetch, which is the row's key. */
export type ResolvedVersion = Omit<BuildFactData<"ImageVersionResolved">, "fetchId">;

export interface VersionExplanation {
  /** `domain/path:tag@digest`; for other types than registry-image, the version. */
  readonly chosen: string;
  /** One sentence, without a full stop. */
  readonly because: string;
  /** Whether the pipeline pins it: nobody was asked. */
  readonly pinned: boolean;
  /** False where nobody knew a digest: the reference may mean another image at the next pull. */
  readonly digestKnown: boolean;
  /** In the order in which they come into question. */
  readonly candidates: readonly VersionCandidate[];
  /** Where the answer came from: name and value, in a fixed order. */
  readonly evidence: readonly { readonly name: string; readonly value: string }[];
}

export interface VersionCandidate {
  readonly candidate: string;
  readonly taken: boolean;
  readonly reason: string;
}

/** Why a fetch has the version that it has: told from the facts alone, in the same words wherever it is told. */
export function explainVersion(resolved: ResolvedVersion, request: Pick<FetchRequest, "type">): VersionExplanation {
  return {
    chosen: resolved.reference ?? versionText(resolved.version),
    because: because(resolved),
    pinned: resolved.via === "pin",
    digestKnown: resolved.pinned,
    candidates: candidates(resolved, request.type === "registry-image"),
    evidence: evidence(resolved),
  };
}

/**
 * The explanation of a build's image, from its row of the read model: it needs no log. Undefined where no version was
 * chosen. Throws `FI_FACT_UNREADABLE` where the row's evidence is not what the projection writes.
 */
export function explainImage(row: BuildImageRow): VersionExplanation | undefined {
  if (row.evidence === undefined) return undefined;
  const read = evidenceSchema.safeParse(row.evidence);
  if (!read.success) {
    throw new FetchImageError("FI_FACT_UNREADABLE", {
      message: `the evidence of build ${row.buildId}, image ${row.fetchId}, is not readable in the read model`,
      hint: "Run `fetch-image rebuild`: it makes the read model again from the facts.",
      details: { build: row.buildId, fetch: row.fetchId, field: read.error.issues[0]?.path.map(String).join(".") },
    });
  }
  return explainVersion(read.data, { type: row.type ?? "registry-image" });
}

const evidenceSchema = buildFactSchemas.ImageVersionResolved.omit({ fetchId: true });

function because({ via, version, evidence: found, ageMs = 0 }: ResolvedVersion): string {
  const host = found?.host ?? "the registry";
  const status = found?.status === undefined ? "" : ` with ${found.status}`;
  const tags = amongText(found?.among, version);
  const among = tags === undefined ? "" : `${tags}: `;
  const asker = found?.asker === undefined ? "another fetch" : askerText(found.asker);
  switch (via) {
    case "pin":
      return "the pipeline pins it, so nobody was asked";
    case "plan":
      return "the check gave no digest, so the version of the get plan stands";
    case "tag":
      return `nobody knew a digest, so the source's tag ${version["tag"] ?? ""} stands`;
    case "latest":
      return "nobody knew a digest, and the source has no tag";
    case "HEAD":
      return `${among}${host} answered a HEAD request${status} and this digest`;
    case "GET":
      return `${among}${host} answered a GET request${status}, and the manifest hashes to this digest`;
    case "fresh":
      return `${asker} observed it ${duration(ageMs)} before, so the registry was not asked again`;
    case "joined":
      return `${asker} was asking the same, and its answer was taken`;
    case "stale-served":
      return `${asker} observed it ${duration(ageMs)} before, and ${found === undefined ? "nobody was asked again: to spare the registry" : `${staleText(found)}: ${sparingText(found)}`}`;
    case "step":
      break;
  }
  return "the check step gave it";
}

/** The check's digest, the get plan's version, the source's tag, `latest`: those before the taken one were passed over. */
function candidates(resolved: ResolvedVersion, isRegistryImage: boolean): readonly VersionCandidate[] {
  const { via, version, rejected } = resolved;
  const passedOver = rejected.map(({ candidate, reason }) => ({ candidate, taken: false, reason }));
  const taken = { candidate: `${names[via]} ${versionText(version)}`, taken: true, reason: because(resolved) };
  const fromCheck = resolved.evidence !== undefined;
  // Behind a check's digest comes what the check made needless; every other rejection led to the choice.
  const needless = (one: VersionCandidate) => fromCheck && one.candidate.startsWith("plan ");
  const unasked = { candidate: "check", taken: false, reason: "the version is pinned, so there is no check" };
  const unneeded = { candidate: "source tag, else latest", taken: false, reason: "only where nobody knows a digest" };
  return [
    ...(via === "pin" ? [unasked] : []),
    ...passedOver.filter((one) => !needless(one)),
    taken,
    ...passedOver.filter(needless),
    ...(isRegistryImage && resolved.pinned ? [unneeded] : []),
  ];
}

const names: { readonly [V in ResolvedVersion["via"]]: string } = {
  pin: "plan",
  plan: "plan",
  tag: "source",
  latest: "default",
  HEAD: "check",
  GET: "check",
  fresh: "scope",
  joined: "check",
  step: "check",
  "stale-served": "scope",
};

function evidence({
  via,
  pinned,
  observedAt,
  ageMs,
  evidence: found,
}: ResolvedVersion): VersionExplanation["evidence"] {
  const credential = found?.credential === null ? "anonymous" : found?.credential;
  const all: readonly [name: string, value: string | undefined][] = [
    ["via", via],
    ["pinned", via === "pin" ? "yes, by the pipeline" : "no"],
    ["digest", pinned ? undefined : "unknown: the reference may mean another image at the next pull"],
    ["host", found?.host],
    ["status", found?.status?.toString()],
    ["observed", observedAt === undefined ? undefined : `${observedAt}${age(ageMs)}`],
    ["credential", credential],
    ["tags", tagsAsked(found?.among)],
    ["rate limit", rateLimitText(found?.rateLimit)],
    [
      "stale",
      found?.stale === undefined ? undefined : `${sparingText(found)}; at most ${duration(found.stale.boundMs)} old`,
    ],
    [via === "joined" ? "joined" : "asked by", asked(found?.asker)],
  ];
  return all.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

function tagsAsked(among: NonNullable<ResolvedVersion["evidence"]>["among"]): string | undefined {
  if (among === undefined) return undefined;
  const { by, listed, candidates, asked } = among;
  return `${count(listed, "tag")} listed, ${count(candidates, "candidate")} by ${by}, ${count(asked, "digest")} asked for`;
}

function age(ageMs: number | undefined): string {
  return ageMs === undefined ? "" : `, ${duration(ageMs)} before it was used`;
}

function asked(asker: Asker | undefined): string | undefined {
  return asker === undefined ? undefined : askerText(asker);
}
