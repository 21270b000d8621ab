import type { ShadowFactData } from "../facts/shadow-facts.ts";
import { formatTime, parseTime } from "../facts/time.ts";
import { duration } from "../scope/duration.ts";

/** What a comparison may come to, those first that stand in the way of a switch; in words, for people. */
export const shadowClasses = {
  unexplained: "another digest, and nothing explains it",
  "we-failed": "we would have failed where the scheduler did not",
  credentials: "the registry refused the credentials that we were given",
  "tag-moved": "the tag moved between the two looks",
  "older-check": "the scheduler's check was older than ours",
  platform: "one is the index, the other its image for a platform",
  mirror: "one came from a mirror",
  unpinned: "there is no digest to compare with",
  physical: "we would fetch it physically, as the scheduler does",
  "they-failed": "the scheduler failed where we did not",
  "both-failed": "both failed",
  same: "the same digest",
} as const;

export type ShadowClass = keyof typeof shadowClasses;
export type Theirs = ShadowFactData<"ImageCompared">["theirs"];
export type Ours = ShadowFactData<"ImageCompared">["ours"];

/** A version that the scope's stream holds, oldest first: when the registry gave which digest. */
export interface Seen {
  readonly digest: string;
  readonly at: number;
}

/** The tag as it was found by a look of its own; without a digest where there was none or no answer. */
export interface Look {
  readonly digest?: string;
  readonly at: string;
  readonly host?: string;
}

/** What was looked at so far. */
export interface Looks {
  readonly history?: readonly Seen[];
  /** What our digest, and theirs, list where they are indexes; null where the registry has no such digest or gave no answer. */
  readonly index?: { readonly ours: Listed; readonly theirs: Listed };
  readonly again?: Look;
  readonly origin?: Look;
}

type Listed = readonly { readonly digest: string; readonly platform?: string }[] | null;

export type LookAt = keyof Looks;

export interface Explanation {
  readonly class: ShadowClass;
  readonly proof: "observed" | "inferred";
  readonly because: string;
}

export interface Difference {
  readonly theirs: Theirs;
  readonly ours: Ours;
  /** How old their check's answer may be, in milliseconds, where they did not say when it asked. */
  readonly intervalMs: number;
  /** Whether the source names a mirror. */
  readonly mirrored: boolean;
  readonly looks: Looks;
}

/**
 * Says why two ways of fetching one image came to what they came to, or what must be looked at before that can be said:
 * the cheapest look first, and none where the digests agree. What no look explains is `unexplained`: a plausible cause
 * counts as `inferred`, and only where the times allow it and the registry does have their digest.
 */
export function explainDifference(
  difference: Difference,
): { readonly explanation: Explanation } | { readonly look: LookAt } {
  const plain = withoutDigests(difference);
  if (plain !== undefined) return { explanation: plain };
  const { looks, ours, mirrored } = difference;
  const asksTag = ours.observedAt !== undefined;
  const steps: readonly (readonly [LookAt, boolean, (difference: Difference) => Explanation | undefined])[] = [
    ["history", asksTag, byHistory],
    ["index", true, byIndex],
    ["again", asksTag, byAgain],
    ["origin", mirrored && asksTag, byOrigin],
  ];
  for (const [look, applies, explain] of steps) {
    if (!applies) continue;
    if (looks[look] === undefined) return { look };
    const explanation = explain(difference);
    if (explanation !== undefined) return { explanation };
  }
  return { explanation: byName(difference) ?? byAge(difference) ?? unexplained(difference) };
}

/** What needs no look: failures, what has no digest, and agreement. */
function withoutDigests({ theirs, ours }: Difference): Explanation | undefined {
  const found = (name: ShadowClass, because: string): Explanation => ({ class: name, proof: "observed", because });
  const { failure, unsupported } = ours;
  if (ours.outcome === "physical") {
    const { field = "type", reason = "" } = unsupported ?? {};
    return found("physical", `${field}: ${reason}`);
  }
  if (theirs.failure !== undefined) {
    if (failure !== undefined) return found("both-failed", `they: ${theirs.failure}; we: ${failure.message}`);
    return found("they-failed", theirs.failure);
  }
  if (failure !== undefined) {
    const code = failure.cause?.code ?? failure.code;
    const refused = code === "FI_UNAUTHORIZED" || code === "FI_FORBIDDEN";
    return found(refused ? "credentials" : "we-failed", `${code}: ${failure.cause?.message ?? failure.message}`);
  }
  if (theirs.digest === undefined) return found("unpinned", "the scheduler told no digest");
  const digest = ours.version?.["digest"];
  if (digest === undefined || digest === "") return found("unpinned", "the pinned version has no digest");
  return theirs.digest === digest ? found("same", digest) : undefined;
}

/** When they may have asked the registry: at the time that they told, or within the interval before their fetch ended. */
function windowOf({ theirs, intervalMs }: Difference): readonly [number, number] {
  if (theirs.observedAt !== undefined) {
    const at = parseTime(theirs.observedAt);
    return [at - clockSkewMs, at + clockSkewMs];
  }
  const at = parseTime(theirs.at);
  return [at - intervalMs - clockSkewMs, at + clockSkewMs];
}

/** Their digest stood in our own observations at a time at which they may have asked. */
function byHistory(difference: Difference): Explanation | undefined {
  const { theirs, ours, looks } = difference;
  const { history = [] } = looks;
  const [from, to] = windowOf(difference);
  for (const [index, seen] of history.entries()) {
    if (seen.digest !== theirs.digest) continue;
    // It was the tag's at some time between the observations around it.
    const after = history[index - 1]?.at ?? Number.NEGATIVE_INFINITY;
    const before = history[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    if (after > to || before < from) continue;
    const when = `the tag was at ${short(theirs.digest)} when we asked at ${formatTime(seen.at)}`;
    return { class: "tag-moved", proof: "observed", because: `${when}, and at ours at ${ours.observedAt ?? ""}` };
  }
  return undefined;
}

function byIndex({ theirs, ours, looks }: Difference): Explanation | undefined {
  const digest = ours.version?.["digest"];
  const below = looks.index?.ours?.find((entry) => entry.digest === theirs.digest);
  const above = looks.index?.theirs?.find((entry) => entry.digest === digest);
  const entry = below ?? above;
  if (entry === undefined) return undefined;
  const [index, whose, image] = below === undefined ? [theirs.digest, "theirs", "ours"] : [digest, "ours", "theirs"];
  const platform = entry.platform === undefined ? "" : ` for ${entry.platform}`;
  const because = `${whose}, ${short(index)}, is the index, and ${image}, ${short(entry.digest)}, its image${platform}`;
  return { class: "platform", proof: "observed", because };
}

function byAgain(difference: Difference): Explanation | undefined {
  const { theirs, ours, looks } = difference;
  const { digest, at = "" } = looks.again ?? {};
  if (digest === undefined || digest === ours.version?.["digest"]) return undefined;
  const since = `ours is of ${ours.observedAt ?? ""}, and`;
  if (digest === theirs.digest) {
    return { class: "tag-moved", proof: "observed", because: `${since} at ${at} the tag is at theirs` };
  }
  if (!exists(difference) || windowOf(difference)[1] < parseTime(ours.observedAt ?? at)) return undefined;
  return { class: "tag-moved", proof: "inferred", because: `${since} at ${at} the tag has moved on, past theirs` };
}

function byOrigin({ theirs, ours, looks }: Difference): Explanation | undefined {
  const { digest, host = "the registry itself", at = "" } = looks.origin ?? {};
  if (digest === undefined || digest !== theirs.digest) return undefined;
  const because = `${ours.host ?? "the mirror"} gave ours, and ${host} gives theirs at ${at}: the mirror is behind`;
  return { class: "mirror", proof: "observed", because };
}

/** They pulled from another registry than the one that the source names. */
function byName({ theirs, ours }: Difference): Explanation | undefined {
  const [theirHost, ourHost] = [theirs.repository, ours.repository].map((name) => name?.split("/", 1)[0]);
  if (theirHost === undefined || ourHost === undefined || theirHost === ourHost) return undefined;
  const because = `they pulled from ${theirs.repository ?? ""}, the source names ${ours.repository ?? ""}`;
  return { class: "mirror", proof: "observed", because };
}

/** They may have asked before our first sight of our digest, where nothing that we saw around that time says otherwise. */
function byAge(difference: Difference): Explanation | undefined {
  const { theirs, ours, looks } = difference;
  const { history = [] } = looks;
  const digest = ours.version?.["digest"];
  let first = history.findLastIndex((seen) => seen.digest === digest);
  while (first > 0 && history[first - 1]?.digest === digest) first--;
  const firstAt = history[first]?.at;
  if (firstAt === undefined || !exists(difference)) return undefined;
  const [from, to] = windowOf(difference);
  if (from + clockSkewMs >= firstAt || to < (history[first - 1]?.at ?? Number.NEGATIVE_INFINITY)) return undefined;
  const when = theirs.observedAt ?? `up to ${duration(difference.intervalMs)} before ${theirs.at}`;
  return {
    class: "older-check",
    proof: "inferred",
    because: `they asked ${when}, and we saw ours first at ${formatTime(firstAt)}`,
  };
}

/** Whether the registry does have what they ran. */
function exists({ looks }: Difference): boolean {
  return looks.index !== undefined && looks.index.theirs !== null;
}

function unexplained(difference: Difference): Explanation {
  const { theirs, ours } = difference;
  const tags = [theirs.tag, ours.version?.["tag"]];
  const [their, our] = tags;
  const tag = their !== undefined && our !== undefined && their !== our ? `, of the tags ${their} and ${our}` : "";
  const there = exists(difference) ? "" : "; the registry did not say that it has theirs";
  const because = `theirs is ${theirs.digest ?? ""}, ours ${ours.version?.["digest"] ?? ""}${tag}${there}`;
  return { class: "unexplained", proof: "observed", because };
}

function short(digest: string | undefined): string {
  return (digest ?? "").slice(0, 19);
}

/** What the clocks of two machines may differ by. */
const clockSkewMs = 5000;
