import type { BuildFactData } from "../facts/build-facts.ts";
import {
  buildStreamPrefix,
  type Failure,
  type FetchRequest,
  type RecordedBuildFact,
  type RecordedScopeFact,
  scopeStreamPrefix,
} from "../facts/facts.ts";
import type { FetchStateName } from "../fetch-image/codec.ts";
import { isDigest } from "../image/digest.ts";
import { imageURL } from "../image/image-url.ts";
import { parseReference } from "../image/reference.ts";
import type { JsonObject } from "../json.ts";
import type { BuildImageRow, ObservationRow, ReadModelChanges, ScopeRow, VersionRow } from "../ports/read-model.ts";
import type { ScopeFactData } from "../facts/scope-facts.ts";
import { planSteps } from "./plan-steps.ts";
import { changesOf, type Rows } from "./rows.ts";

/**
 * What a page of facts, in the store's order, changes in the read model. Each fact is projected by itself, so that pages
 * may be cut anywhere: their changes, applied one after the other, are those of all facts at once.
 *
 * `state` is therefore the machine's for a fetch that has ended; of one that has not, it is the state that its last fact
 * names by itself. `backing-off` and `resolving` stand until the next fact of the fetch that names another.
 * `digest` stands from the moment it is chosen: a fetch that then failed or was aborted did not run it.
 */
export function projectFacts(facts: readonly (RecordedBuildFact | RecordedScopeFact)[]): ReadModelChanges {
  return changesOf(facts.map(rowsOf));
}

function rowsOf(fact: RecordedBuildFact | RecordedScopeFact): Rows {
  const { time } = fact.metadata;
  switch (fact.type) {
    case "BuildOpened":
      return { builds: [buildRow(fact.data, { buildId: keyOf(fact, buildStreamPrefix), openedAt: time })] };
    case "BuildPlanned":
      return { builds: [{ buildId: keyOf(fact, buildStreamPrefix), steps: planSteps(fact.data.plan) }] };
    case "FetchRequested":
      return image(fact, { ...requestRow(fact.data), requestedAt: time });
    case "PolicyDecided":
      return image(fact, { state: fact.data.phase === "request" ? "checking" : "fetching-artifact" });
    case "CheckJoined":
      return image(fact, { state: "waiting" });
    case "ImageChecked":
      return image(fact, { state: "resolving" });
    case "ImageCheckFailed":
    case "ArtifactFetchFailed":
      return image(fact, { state: "backing-off" });
    case "TimerFired":
      // After a pause the machine goes back to what it did before, which this fact does not name.
      return fact.data.timer === "patience" ? image(fact, { state: "checking" }) : {};
    case "ImageVersionResolved":
      return image(fact, resolvedRow(fact.data));
    case "ImageShortCircuited":
      return image(fact, { state: "short-circuited", imageURL: fact.data.imageURL, endedAt: time });
    case "ArtifactFetched":
      return image(fact, { state: "fetched", artifact: fact.data.artifact, endedAt: time });
    case "ArtifactImageResolved":
      return { images: [{ buildId: keyOf(fact, buildStreamPrefix), ...artifactImageRow(fact.data, time) }] };
    case "FetchFailed":
      return image(fact, { state: "failed", failure: json(fact.data.failure), endedAt: time });
    case "FetchAborted":
      return image(fact, { state: "aborted", failure: json(aborted(fact.data.reason)), endedAt: time });
    case "CheckClaimed":
      return { scopes: [claimedRow(fact.data, keyOf(fact, scopeStreamPrefix))] };
    case "VersionObserved": {
      const scope = keyOf(fact, scopeStreamPrefix);
      const { repository } = fact.data;
      const pulled = repository === undefined ? {} : { pullRepository: repository };
      return {
        scopes: [{ scope, ...pulled, lastCheckedAt: time }],
        versions: observedRows(fact, scope),
        observations: [observationRow(fact, scope)],
      };
    }
    case "VersionVanished":
    case "CheckFailed": {
      const { asker } = fact.data;
      const failure = fact.type === "CheckFailed" ? fact.data.failure : vanished(fact.data);
      const lastFailure = json({ at: time, failure, asker });
      const scope = keyOf(fact, scopeStreamPrefix);
      return { scopes: [{ scope, lastCheckedAt: time, lastFailure }], observations: [observationRow(fact, scope)] };
    }
    case "BuildAdopted":
    case "PolicyUnanswered":
    case "ImageCheck":
    case "ImageGet":
    case "OutputWritten":
    case "ImageRan":
    case "BuildEventSaved":
    case "BuildLogSealed":
    case "RateLimitObserved":
      break;
  }
  return {};
}

type FetchFact = Extract<RecordedBuildFact, { data: { fetchId: string } }>;

function image(fact: FetchFact, row: Omit<BuildImageRow, "buildId" | "fetchId" | "state"> & State): Rows {
  return { images: [{ buildId: keyOf(fact, buildStreamPrefix), fetchId: fact.data.fetchId, ...row }] };
}

interface State {
  readonly state: FetchStateName;
}

function keyOf(fact: { readonly stream: string }, prefix: string): string {
  return fact.stream.slice(prefix.length);
}

function buildRow(data: BuildFactData<"BuildOpened">, row: { readonly buildId: string; readonly openedAt: string }) {
  const { team, pipeline, job } = data;
  return {
    ...row,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
  };
}

function requestRow({ planId, name, type, scope, repository, tag, policy, version, checkPlan }: FetchRequest) {
  const pinned = version !== undefined && checkPlan === undefined;
  const state: FetchStateName = policy ? "authorizing" : pinned ? "resolving" : "checking";
  return {
    planId,
    name,
    type,
    ...(scope === undefined ? {} : { scope }),
    ...(repository === undefined ? {} : { repository }),
    ...(tag === undefined ? {} : { tag }),
    state,
  };
}

function resolvedRow({ fetchId: _key, ...resolved }: BuildFactData<"ImageVersionResolved">) {
  const { version, reference, via, observedAt } = resolved;
  const digest = version["digest"];
  const tag = version["tag"];
  return {
    state: "resolving" as const,
    version,
    ...(reference === undefined ? {} : { reference, repository: repositoryOf(reference) }),
    ...(reference === undefined || tag === undefined || tag === "" ? {} : { tag }),
    ...(digest === undefined || !isDigest(digest) ? {} : { digest }),
    via,
    ...(observedAt === undefined ? {} : { observedAt }),
    evidence: json(resolved),
  };
}

/** A row of the task's own, beside that of the fetch that brought its artifact, if one did. */
function artifactImageRow(data: BuildFactData<"ArtifactImageResolved">, time: string) {
  const { planId, artifact: name, via, reference } = data;
  const parsed = parseReference(reference);
  const { tag, digest } = parsed.ok ? parsed.reference : {};
  return {
    fetchId: planId,
    planId,
    name,
    type: "registry-image",
    state: "short-circuited" as const,
    reference,
    repository: repositoryOf(reference),
    imageURL: imageURL(reference),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest, version: { ...(tag === undefined ? {} : { tag }), digest } }),
    via: via === "push" ? "push" : "artifact",
    requestedAt: time,
    endedAt: time,
  };
}

/** `domain/path` of `domain/path:tag@digest`; a domain may have a port. */
function repositoryOf(reference: string): string {
  return reference.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
}

/** As the fetch's caller meets it. */
function aborted(reason: string): Failure {
  return { code: "FI_ABORTED", message: `the fetch was aborted: ${reason}`, retryable: false };
}

function claimedRow(
  { type, repository, tag, source, credential }: ScopeFactData<"CheckClaimed">,
  scope: string,
): ScopeRow {
  const named = { scope, type, repository, ...(tag === undefined ? {} : { tag }) };
  return { ...named, credential: credential ?? "anonymous", source };
}

function observationRow(
  fact: Extract<RecordedScopeFact, { type: "VersionObserved" | "VersionVanished" | "CheckFailed" }>,
  scope: string,
): ObservationRow {
  const { revision, metadata } = fact;
  const { buildId, fetchId } = fact.data.asker;
  const by = { observedAt: metadata.time, buildId, fetchId, node: metadata.node };
  switch (fact.type) {
    case "VersionObserved": {
      const { version, changed, via, host, status } = fact.data;
      const { tag, digest } = version;
      const given = { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
      const outcome = changed ? "changed" : "same";
      return { scope, revision, outcome, ...by, ...given, via, host, status };
    }
    case "VersionVanished": {
      const { tag, host, status } = fact.data;
      const given = tag === undefined ? {} : { tag };
      return { scope, revision, outcome: "vanished", ...by, ...given, host, status };
    }
    case "CheckFailed":
      break;
  }
  return { scope, revision, outcome: "failed", ...by, failure: json(fact.data.failure) };
}

function observedRows(fact: Extract<RecordedScopeFact, { type: "VersionObserved" }>, scope: string): VersionRow[] {
  const { version, changed } = fact.data;
  const { tag = "", digest } = version;
  if (digest === undefined) return [];
  const { time } = fact.metadata;
  const order = changed ? { checkOrder: fact.revision } : {};
  return [{ scope, tag, digest, ...order, firstObservedAt: time, lastObservedAt: time }];
}

function vanished({ tag, host, status }: { tag?: string; host: string; status: number }): Failure {
  const what = tag === undefined ? "no tag that the source wants is left" : `the tag ${tag} is gone`;
  return { code: "FI_IMAGE_UNKNOWN", message: `${host} answered ${status}: ${what}`, retryable: false };
}

function json(value: object): JsonObject {
  return value as JsonObject;
}
