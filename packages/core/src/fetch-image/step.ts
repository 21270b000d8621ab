import type { BuildFactData } from "../facts/build-facts.ts";
import type { Asker, FactOf, Failure, FetchRequest } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { imageURL as toImageURL } from "../image/image-url.ts";
import { withVersion } from "../image/reference.ts";
import {
  type FetchInput,
  type FetchSnapshot,
  type FetchStateName,
  initialStep,
  type MachineAction,
  machineStep,
  type TimerName,
} from "./codec.ts";
import { repositoryToPull } from "./machine.ts";
import { resolveVersion } from "./resolve-version.ts";

/** Something to be done while the fetch is in its state. Doing it again is safe; its answer is a fact. */
export type FetchEffect =
  | { readonly kind: "ask-policy"; readonly phase: "request" | "digest" }
  | { readonly kind: "check-image"; readonly attempt: number }
  | { readonly kind: "join-check"; readonly asker: Asker }
  | { readonly kind: "fetch-artifact"; readonly attempt: number; readonly version: { readonly [key: string]: string } };

/** Facts that a fetch says; the facts that move it are {@link FetchInput}s. */
export type FetchOutput = FactOf<
  "ImageCheck" | "ImageGet" | "ImageVersionResolved" | "ImageShortCircuited" | "FetchFailed"
>;

export interface FetchState {
  readonly snapshot: FetchSnapshot;
  readonly resolved: BuildFactData<"ImageVersionResolved"> | null;
  readonly imageURL: string | null;
  readonly failure: Failure | null;
  /** What is owed in this state, and since which of the fetch's facts: late answers to an earlier one are recognised. */
  readonly owed: { readonly effect: FetchEffect; readonly since: number } | null;
  readonly timer: { readonly name: TimerName; readonly dueAt: number } | null;
  /** How many facts the fetch has. */
  readonly facts: number;
}

export interface Step {
  readonly state: FetchState;
  /** Facts to store behind the one that caused them, in this order. */
  readonly says: readonly FetchOutput[];
}

/** `at`: the fact's time, milliseconds since the epoch. */
export function begin(request: FetchRequest, at: number): Step {
  const { snapshot, actions } = initialStep(request);
  const before: FetchState = {
    snapshot,
    resolved: null,
    imageURL: null,
    failure: null,
    owed: null,
    timer: null,
    facts: 0,
  };
  return settle(before, snapshot, actions, at, undefined);
}

/** Undefined where the fact means nothing in this state: it must not be stored. */
export function step(state: FetchState, input: FetchInput, at: number): Step | undefined {
  const { snapshot, actions } = machineStep(state.snapshot, input);
  if (snapshot === state.snapshot) return undefined;
  return settle(state, snapshot, actions, at, input);
}

export function stateName(state: FetchState): FetchStateName {
  return state.snapshot.value;
}

export function isFinished(state: FetchState): boolean {
  return state.snapshot.status !== "active";
}

/** The one state in which each effect is owed. Entering and leaving it in one step owes nothing. */
const effectStates = {
  askPolicy: { request: "authorizing", digest: "resolving" },
  checkImage: "checking",
  joinCheck: "waiting",
  fetchArtifact: "fetching-artifact",
} as const;

function settle(
  before: FetchState,
  snapshot: FetchSnapshot,
  actions: readonly MachineAction[],
  at: number,
  cause: FetchInput | undefined,
): Step {
  const says: FetchOutput[] = [];
  let { resolved, imageURL, failure, timer } = before;
  let effect: FetchEffect | null = null;
  // Leaving a state lets go of what was owed in it.
  const stays = snapshot.value === before.snapshot.value && cause !== undefined;
  let owed = stays ? before.owed : null;

  for (const action of actions) {
    if (action.kind === "set-timer") {
      timer = { name: action.timer, dueAt: at + action.delayMs };
      continue;
    }
    if (action.kind === "cancel-timer") {
      if (timer?.name === action.timer) timer = null;
      continue;
    }
    const { request } = snapshot.context;
    switch (action.type) {
      case "announceCheck":
        if (request.kind === "task" && request.checkPlan !== undefined) {
          says.push({ type: "ImageCheck", data: announcement(request, request.checkPlan) });
        }
        break;
      case "announceGet":
        if (request.kind === "task") says.push({ type: "ImageGet", data: announcement(request, request.getPlan) });
        break;
      case "recordVersion":
        resolved = versionResolved(snapshot, at);
        says.push({ type: "ImageVersionResolved", data: resolved });
        break;
      case "recordShortCircuit":
        if (resolved?.reference === undefined) throw new Error("a fetch without a reference cannot short-circuit");
        imageURL = toImageURL(resolved.reference);
        says.push({ type: "ImageShortCircuited", data: { fetchId: request.fetchId, imageURL } });
        break;
      case "recordFailure":
        failure = explain(request, action.params as unknown as FailureParams);
        says.push({ type: "FetchFailed", data: { fetchId: request.fetchId, failure } });
        break;
      case "askPolicy": {
        const phase = action.params["phase"] === "digest" ? "digest" : "request";
        if (snapshot.value === effectStates.askPolicy[phase]) effect = { kind: "ask-policy", phase };
        break;
      }
      case "checkImage":
        if (snapshot.value === effectStates.checkImage) {
          effect = { kind: "check-image", attempt: snapshot.context.attempt };
        }
        break;
      case "joinCheck":
        if (snapshot.value === effectStates.joinCheck && snapshot.context.asker !== null) {
          effect = { kind: "join-check", asker: snapshot.context.asker };
        }
        break;
      case "fetchArtifact":
        if (snapshot.value === effectStates.fetchArtifact) {
          const { attempt } = snapshot.context;
          effect = { kind: "fetch-artifact", attempt, version: resolved?.version ?? {} };
        }
        break;
      default:
        throw new Error(`the machine has an action that nobody reads: ${action.type}`);
    }
  }
  if (effect !== null) owed = { effect, since: before.facts };
  if (snapshot.value !== "waiting" && snapshot.value !== "backing-off") timer = null;
  const facts = before.facts + 1 + says.length;
  return { state: { snapshot, resolved, imageURL, failure, owed, timer, facts }, says };
}

function announcement(request: FetchRequest, plan: FetchRequest["getPlan"]): BuildFactData<"ImageGet"> {
  return { fetchId: request.fetchId, planId: request.planId, plan };
}

function versionResolved(snapshot: FetchSnapshot, at: number): VersionResolved {
  const { request, checked } = snapshot.context;
  const chosen = resolveVersion({
    checked: checked ?? undefined,
    planVersion: request.version,
    sourceTag: request.tag,
    hasCheckPlan: request.checkPlan !== undefined,
    isRegistryImage: request.type === "registry-image",
  });
  const repository = repositoryToPull(snapshot.context);
  // Field by field, in the order in which they are stored: spreads cost more than all else here.
  const { fetchId } = request;
  const { version, via, pinned, rejected } = chosen;
  const resolved: { -readonly [Name in keyof VersionResolved]?: VersionResolved[Name] } = { fetchId, version };
  if (repository !== undefined) resolved.reference = withVersion(repository, version);
  resolved.via = via;
  resolved.pinned = pinned;
  if (checked !== null && via === checked.evidence.via) {
    const { evidence } = checked;
    resolved.observedAt = evidence.observedAt;
    resolved.ageMs = Math.max(0, at - parseTime(evidence.observedAt));
    resolved.evidence = evidence;
  }
  resolved.rejected = rejected;
  return resolved as VersionResolved;
}

type VersionResolved = BuildFactData<"ImageVersionResolved">;

interface FailureParams {
  readonly failure: Failure;
  readonly during: "policy" | "check" | "get";
}

/** The failure as the fetch's caller meets it, the one behind it as its cause. */
function explain(request: FetchRequest, { failure, during }: FailureParams): Failure {
  const image = request.repository ?? `${request.name} (${request.type})`;
  if (during === "policy") {
    const denied = failure.code === "FI_POLICY_DENIED";
    return denied
      ? { ...failure, message: `policy denies ${image}: ${failure.message || "it gave no reason"}` }
      : failure;
  }
  const { code, message, hint, details, retryable } = failure;
  return {
    code: during === "check" ? "FI_CHECK_FAILED" : "FI_GET_FAILED",
    message: `${during === "check" ? "image check failed" : "image fetching failed"}: ${message}`,
    ...(hint === undefined ? {} : { hint }),
    retryable,
    cause: {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
    },
  };
}
