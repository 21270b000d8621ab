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
import type { JsonObject } from "../json.ts";
import type { BuildImageRow, ReadModelChanges, ScopeRow, VersionRow } from "../ports/read-model.ts";
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
    case "FetchFailed":
      return image(fact, { state: "failed", failure: json(fact.data.failure), endedAt: time });
    case "FetchAborted":
      return image(fact, { state: "aborted", failure: json(aborted(fact.data.reason)), endedAt: time });
    case "CheckClaimed":
      return { scopes: [claimedRow(fact.data, keyOf(fact, scopeStreamPrefix))] };
    case "VersionObserved": {
      const scope = keyOf(fact, scopeStreamPrefix);
      return { scopes: [{ scope, lastCheckedAt: time }], versions: observedRows(fact, scope) };
    }
    case "VersionVanished":
    case "CheckFailed": {
      const { asker } = fact.data;
      const failure = fact.type === "CheckFailed" ? fact.data.failure : vanished(fact.data);
      const lastFailure = json({ at: time, failure, asker });
      return { scopes: [{ scope: keyOf(fact, scopeStreamPrefix), lastCheckedAt: time, lastFailure }] };
    }
    case "BuildAdopted":
    case "BuildPlanned":
    case "PolicyUnanswered":
    case "ImageCheck":
    case "ImageGet":
    case "OutputWritten":
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

function requestRow({ planId, name, type, scope, policy, version, checkPlan }: FetchRequest) {
  const pinned = version !== undefined && checkPlan === undefined;
  const state: FetchStateName = policy ? "authorizing" : pinned ? "resolving" : "checking";
  return { planId, name, type, ...(scope === undefined ? {} : { scope }), state };
}

function resolvedRow({ fetchId: _key, ...resolved }: BuildFactData<"ImageVersionResolved">) {
  const { version, reference, via } = resolved;
  const digest = version["digest"];
  return {
    state: "resolving" as const,
    version,
    ...(reference === undefined ? {} : { reference }),
    ...(digest === undefined || !isDigest(digest) ? {} : { digest }),
    via,
    evidence: json(resolved),
  };
}

/** As the fetch's caller meets it. */
function aborted(reason: string): Failure {
  return { code: "FI_ABORTED", message: `the fetch was aborted: ${reason}`, retryable: false };
}

function claimedRow(
  { type, repository, tag, source }: { type: string; repository: string; tag?: string; source: JsonObject },
  scope: string,
): ScopeRow {
  return { scope, type, repository, ...(tag === undefined ? {} : { tag }), source };
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
