import type { BuildFactData } from "../facts/build-facts.ts";
import {
  buildStreamPrefix,
  type CheckEvidence,
  type Failure,
  type RecordedBuildFact,
  type UnknownFact,
} from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { stateName, type FetchState } from "../fetch-image/step.ts";
import { referenceOfImageURL } from "../image/image-url.ts";
import type { Version } from "../plan/plan.ts";
import { duration } from "../scope/duration.ts";
import type { Tone } from "./paint.ts";
import { eventWords, printedWords } from "./event-words.ts";
import { countSteps } from "./plan-names.ts";
import { span, timeOfDay } from "./times.ts";
import {
  amongText,
  askerText,
  count,
  physicalReasons,
  rateLimitText,
  sparingText,
  versionText,
} from "./version-text.ts";

/** A fact in an operator's words. Not yet {@link visible}: stored strings stand in it as they are. */
export interface Words {
  readonly text: string;
  readonly tone: Tone;
  /** What belongs to it and has lines of its own. */
  readonly notes?: readonly string[];
}

/**
 * What a fact means. `after` is the fetch's state after it, where the caller replays: attempts and delays come from there.
 * `waitedMs`: how long the state lasted that a `TimerFired` ends.
 */
export function factWords(fact: RecordedBuildFact, after?: FetchState, waitedMs?: number): Words {
  const at = parseTime(fact.metadata.time);
  const ownBuild = fact.stream.slice(buildStreamPrefix.length);
  switch (fact.type) {
    case "BuildOpened":
      return plain(`opened on ${fact.metadata.node}`);
    case "BuildAdopted":
      return plain(`${fact.metadata.node} took the build over from ${fact.data.from}`);
    case "BuildPlanned":
      return muted(planned(countSteps(fact.data.plan)));
    case "FetchRequested":
      return requested(fact.data);
    case "PolicyDecided":
      return decided(fact.data);
    case "PolicyUnanswered":
      return bad(`policy gave no answer on the ${fact.data.phase}: ${fact.data.failure.message}`);
    case "ImageCheck":
      return muted(`announced check ${planId(fact.data.plan)}`);
    case "ImageGet":
      return muted(`announced get ${planId(fact.data.plan)}`);
    case "CheckJoined":
      return plain(`waits for the check of ${askerText(fact.data.asker, ownBuild)}, which asks the same`);
    case "ImageChecked":
      return checked(fact.data.version, fact.data.evidence, { at, ownBuild });
    case "ImageCheckFailed":
      return setback("check failed", fact.data, { after, at });
    case "ArtifactFetchFailed":
      return setback("fetching the artifact failed", fact.data, { after, at });
    case "TimerFired":
      return timerFired(fact.data.timer, after, waitedMs);
    case "ImageVersionResolved":
      return resolved(fact.data, after);
    case "ImageShortCircuited":
      return good(`kubelet pulls ${referenceOfImageURL(fact.data.imageURL) ?? fact.data.imageURL}`);
    case "ArtifactFetched":
      return good(`artifact ${fact.data.artifact}`);
    case "ArtifactImageResolved":
      return good(artifactImage(fact.data));
    case "ImageRan":
      return ranWords(fact.data);
    case "OutputWritten":
      return printedWords(`${fact.data.planId} ${fact.data.origin}`, fact.data.text);
    case "BuildEventSaved":
      return eventWords(fact.data);
    case "BuildLogSealed":
      return muted(`log sealed: ${count(fact.data.events, "event")}, sha256 ${fact.data.sha256}`);
    case "FetchFailed":
      return failed(fact.data.failure);
    case "FetchAborted":
      break;
  }
  return bad(`aborted: ${fact.data.reason}`);
}

/** What a fetch that has not ended waits for. Times are told on the `day` (milliseconds since the epoch). */
export function unfinishedWords(state: FetchState, day: number): Words {
  const { attempt, request, asker, work } = state.snapshot.context;
  const attempts = `attempt ${attempt} of ${request.retry.attempts}`;
  const due = state.timer === null ? "" : timeOfDay(state.timer.dueAt, day);
  const say = (text: string): Words => plain(`unfinished: waits ${text}`);
  switch (stateName(state)) {
    case "authorizing":
      return say("for the policy's answer on the request");
    case "checking":
      return say(`for ${request.checker === "registry" ? "the registry's answer" : "the check step"} (${attempts})`);
    case "waiting":
      return say(`until ${due} for the check of ${asker === null ? "another fetch" : askerText(asker)}`);
    case "backing-off":
      return say(
        `until ${due} to ${work === "check" ? "check" : "fetch"} again (attempt ${attempt + 1} of ${request.retry.attempts})`,
      );
    case "resolving":
      return say("for the policy's answer on the digest");
    case "fetching-artifact":
      return say(`for the artifact (${attempts})`);
    case "short-circuited":
    case "fetched":
    case "failed":
    case "aborted":
      break;
  }
  return plain(`ended: ${stateName(state)}`);
}

/** A fact of a newer version: kept, and not read. */
export function unknownWords({ type, revision }: UnknownFact): Words {
  return warning(`${type} at revision ${revision} is a fact of a newer version, and is not read here`);
}

function artifactImage(data: BuildFactData<"ArtifactImageResolved">): string {
  const { planId: task, artifact, via, reference, uploadedBytes = 0 } = data;
  const how = via === "push" ? `was pushed (${count(uploadedBytes, "byte")} sent)` : "came from a registry";
  return `image of ${task}: artifact ${artifact} ${how}, kubelet pulls ${reference}`;
}

function planned(steps: number): string {
  return `planned: ${steps} ${steps === 1 ? "step" : "steps"}`;
}

function requested(request: BuildFactData<"FetchRequested">): Words {
  const traits = [...(request.privileged ? ["privileged"] : []), ...(request.credentials ? ["with credentials"] : [])];
  const reasons = physicalReasons(request);
  const text = ["requested", ...traits].join(", ");
  return plain(reasons.length === 0 ? text : `${text}; to be fetched as an artifact: ${reasons.join("; ")}`);
}

function decided({ phase, decision, enforcement, reasons }: BuildFactData<"PolicyDecided">): Words {
  const subject = phase === "request" ? "the request" : "the digest";
  if (decision === "allowed") return muted(`policy allows ${subject}`);
  const why = reasons.length === 0 ? "no reason given" : reasons.join("; ");
  if (enforcement === "soft") return warning(`policy warns of ${subject}, and the fetch goes on: ${why}`);
  return bad(`policy denies ${subject}: ${why}`);
}

function checked(
  version: Version,
  evidence: CheckEvidence,
  { at, ownBuild }: { readonly at: number; readonly ownBuild: string },
): Words {
  const { via, host, status, asker } = evidence;
  const { tag, digest } = version;
  const answer = tag !== undefined && digest !== undefined ? `tag ${tag} is ${digest}` : versionText(version);
  const age = duration(Math.max(0, at - parseTime(evidence.observedAt)));
  const where = [...(host === undefined ? [] : [host]), ...(status === undefined ? [] : [String(status)])].join(", ");
  const whose = asker === undefined ? "" : ` by ${askerText(asker, ownBuild)}`;
  switch (via) {
    case "HEAD":
    case "GET": {
      const answered = status === undefined ? "answered" : `answered ${status}`;
      const limit = rateLimitText(evidence.rateLimit);
      const asides = [...(via === "GET" ? ["the manifest's hash"] : []), ...(limit === undefined ? [] : [limit])];
      const aside = asides.length === 0 ? "" : ` (${asides.join("; ")})`;
      const tags = amongText(evidence.among, version);
      return plain(
        `${tags === undefined ? "" : `${tags}; `}${via}: ${host ?? "the registry"} ${answered}, ${answer}${aside}`,
      );
    }
    case "fresh":
      return plain(`observed ${age} ago${whose}, not asked again: ${answer}${where === "" ? "" : ` (${where})`}`);
    case "stale-served":
      return warning(`stale: observed ${age} ago${whose}, ${notAsked(evidence)} (${sparingText(evidence)}): ${answer}`);
    case "joined":
      return plain(
        `joined the check${whose === "" ? "" : ` made${whose}`}: ${answer}${where === "" ? "" : ` (${where})`}`,
      );
    case "step":
      break;
  }
  return plain(`check step gave ${answer}`);
}

function notAsked({ stale }: CheckEvidence): string {
  if (stale?.because === "revalidating") return "asked again meanwhile";
  return stale?.because === "failing" ? "not answered since" : "not asked again";
}

function setback(
  what: string,
  { failure, retryAfterMs }: { readonly failure: Failure; readonly retryAfterMs?: number },
  { after, at }: { readonly after: FetchState | undefined; readonly at: number },
): Words {
  const text = `${what}: ${failure.message} (${failure.code})`;
  if (after === undefined) return warning(text);
  const { attempt, request } = after.snapshot.context;
  const { attempts, patienceMs } = request.retry;
  if (stateName(after) === "backing-off" && after.timer !== null) {
    const delay = after.timer.dueAt - at;
    const isTold = retryAfterMs !== undefined && retryAfterMs > 0 && delay === retryAfterMs;
    const ours = failure.details?.["notBefore"] !== undefined;
    const why = !isTold ? "" : ours ? ", when somebody may ask again" : ", as it was asked";
    return warning(`${text}; to be tried again in ${span(delay)}${why} (attempt ${attempt + 1} of ${attempts})`);
  }
  if (!failure.retryable) return bad(`${text}; not tried again, since it would fail the same way`);
  if (attempt >= attempts) return bad(`${text}; not tried again after attempt ${attempt} of ${attempts}`);
  const asks = `it asks for a pause of ${span(retryAfterMs ?? 0)}, and ${span(patienceMs)} is the longest`;
  return bad(`${text}; not tried again: ${asks}`);
}

function timerFired(timer: "backoff" | "patience", after: FetchState | undefined, waitedMs: number | undefined): Words {
  const waited = waitedMs === undefined ? "" : ` after ${span(waitedMs)}`;
  if (timer === "patience") return warning(`no answer of the other check${waited}: asking anew`);
  if (after === undefined) return plain(`tried again${waited}`);
  const { attempt, request } = after.snapshot.context;
  return plain(`tried again${waited} (attempt ${attempt} of ${request.retry.attempts})`);
}

function resolved(fact: BuildFactData<"ImageVersionResolved">, after: FetchState | undefined): Words {
  const { version, via, pinned } = fact;
  const shown = versionText(version);
  const notes = fact.rejected.map(({ candidate, reason }) => `not ${candidate}: ${reason}`);
  const fetching = after !== undefined && stateName(after) === "fetching-artifact" ? "; fetching the artifact" : "";
  const say = (text: string): Words => ({ text: `${text}${fetching}`, tone: "plain", notes });
  const warn = (text: string): Words => ({
    text: `warning: unpinned: ${text}; it may be another image at the next pull${fetching}`,
    tone: "warning",
    notes,
  });
  switch (via) {
    case "pin":
      return pinned
        ? say(`pinned by the pipeline, no request: ${shown}`)
        : warn(`the pipeline pins ${shown} without a digest, no request`);
    case "plan":
      return pinned ? say(`version of the get plan: ${shown}`) : warn(`the get plan's ${shown} is used`);
    case "tag":
      return warn(`nobody knew a digest, so the source's ${shown} is used`);
    case "latest":
      return warn(`nobody knew a digest or a tag, so ${shown} is used`);
    case "HEAD":
    case "GET":
    case "fresh":
    case "joined":
    case "step":
    case "stale-served":
      break;
  }
  return pinned ? say("takes the check's version") : warn(`the check's ${shown} is used`);
}

export function ranWords({ imageID, pod, resolved = "", outcome, reason = "" }: BuildFactData<"ImageRan">): Words {
  const where = pod === undefined ? "" : `pod ${pod} `;
  switch (outcome) {
    case "same":
      return good(`${where}ran what was resolved: ${imageID}`);
    case "platform":
      return good(`${where}ran ${imageID}, which is the same image: one of the two is the index that lists the other`);
    case "different":
      return bad(`warning: ${where}ran ${imageID}, and ${resolved} was resolved`);
    case "unknown":
      break;
  }
  return warning(
    `${where}ran ${imageID === "" ? "an image without a name" : imageID}; whether that is what was resolved is unknown: ${reason}`,
  );
}

function failed({ code, message, hint, cause }: Failure): Words {
  const codes = cause === undefined ? code : `${code}, ${cause.code}`;
  // Only a hint that is stored: the catalogue's words may be better tomorrow, and an old log must not change.
  const stored = hint ?? cause?.hint;
  const text = `failed: ${message} (${codes})`;
  return stored === undefined ? bad(text) : { text, tone: "bad", notes: [`hint: ${stored}`] };
}

function planId(plan: { readonly [key: string]: unknown }): string {
  return String(plan["id"]);
}

function plain(text: string): Words {
  return { text, tone: "plain" };
}

function muted(text: string): Words {
  return { text, tone: "muted" };
}

function good(text: string): Words {
  return { text, tone: "good" };
}

function warning(text: string): Words {
  return { text: `warning: ${text}`, tone: "warning" };
}

function bad(text: string): Words {
  return { text, tone: "bad" };
}
