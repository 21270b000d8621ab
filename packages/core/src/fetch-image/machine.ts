import { assign, setup } from "xstate";
import type { BuildFactData, BuildFactType } from "../facts/build-facts.ts";
import type { Asker, CheckEvidence, Failure, FetchRequest, Rejected } from "../facts/facts.ts";

/** Facts that move the machine; a fetch's other facts are what it says. */
export type FetchInputType =
  | "PolicyDecided"
  | "PolicyUnanswered"
  | "CheckJoined"
  | "ImageChecked"
  | "ImageCheckFailed"
  | "TimerFired"
  | "ArtifactFetched"
  | "ArtifactFetchFailed"
  | "FetchAborted";

type FactEvent<T extends BuildFactType> = { [K in T]: { readonly type: K } & BuildFactData<K> }[T];

/** The events the config names. `TimerFired` arrives as the event of a state's `after`: `codec.ts` knows its name. */
export type FetchEvent = FactEvent<Exclude<FetchInputType, "TimerFired">>;

export interface FetchContext {
  readonly request: FetchRequest;
  /** From 1; of the check, and anew of the get. */
  readonly attempt: number;
  readonly work: "check" | "get";
  readonly asker: Asker | null;
  readonly checked: {
    readonly version: { readonly [key: string]: string };
    readonly evidence: CheckEvidence;
    readonly rejected: readonly Rejected[];
  } | null;
  readonly retryAfterMs: number;
  readonly artifact: string | null;
}

type Setback = { readonly failure: Failure; readonly retryAfterMs?: number | undefined };
type Decision = { readonly decision: "allowed" | "denied"; readonly enforcement?: "hard" | "soft" | undefined };
/** What a policy's answer is about, and what the state asked: an answer that comes late or twice is about another. */
type Asked = { readonly phase: "request" | "digest"; readonly asked: "request" | "digest" };

const s = setup({
  types: {
    context: {} as FetchContext,
    events: {} as FetchEvent,
    input: {} as FetchRequest,
  },
  guards: {
    isPinnedAndUnasked: ({ context: { request } }) => !request.policy && isPinned(request),
    isUnasked: ({ context }) => !context.request.policy,
    isUnaskedOnDigest: ({ context }) => !context.request.policy || repositoryToPull(context) === undefined,
    canShortCircuitUnasked: ({ context }) => !context.request.policy && nobodyNeedsBytes(context),
    isAnswered: (_, params: Asked) => params.phase === params.asked,
    isDenied: (_, params: Asked & Decision) => params.phase === params.asked && denies(params),
    mayGoOn: (_, params: Asked & Decision) => params.phase === params.asked && !denies(params),
    mayGoOnPinned: ({ context }, params: Asked & Decision) =>
      params.phase === params.asked && !denies(params) && isPinned(context.request),
    mayShortCircuit: ({ context }, params: Asked & Decision) =>
      params.phase === params.asked && !denies(params) && nobodyNeedsBytes(context),
    mayRetry: ({ context: { attempt, request } }, params: Setback) =>
      params.failure.retryable &&
      attempt < request.retry.attempts &&
      (params.retryAfterMs ?? 0) <= request.retry.patienceMs,
    wasChecking: ({ context }) => context.work === "check",
  },
  actions: {
    // Effects, owed while the machine is in the state whose entry they are.
    askPolicy: (_args, _params: { readonly phase: "request" | "digest" }) => {},
    checkImage: () => {},
    joinCheck: () => {},
    fetchArtifact: () => {},
    // Facts, stored beside the one that caused them.
    announceCheck: () => {},
    announceGet: () => {},
    recordVersion: () => {},
    recordShortCircuit: () => {},
    recordFailure: (_args, _params: { readonly failure: Failure; readonly during: "policy" | "check" | "get" }) => {},
    // What is remembered.
    rememberAsker: assign({ asker: (_, params: { readonly asker: Asker }) => params.asker }),
    rememberChecked: assign({ checked: (_, params: NonNullable<FetchContext["checked"]>) => params }),
    rememberRetryAfter: assign({ retryAfterMs: (_, params: Setback) => params.retryAfterMs ?? 0 }),
    rememberArtifact: assign({ artifact: (_, params: { readonly artifact: string }) => params.artifact }),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    turnToGet: assign({ work: "get", attempt: 1, retryAfterMs: 0 }),
  },
  delays: {
    backoff: ({ context: { attempt, request, retryAfterMs } }) => {
      const { baseMs, capMs, jitter } = request.retry;
      const exponential = Math.min(baseMs * 2 ** (attempt - 1), capMs);
      return Math.max(Math.round(exponential * (0.5 + jitter / 2)), retryAfterMs);
    },
    patience: ({ context }) => context.request.joinMs,
  },
});

/**
 * FetchImage: one literal config that imports values only from xstate, so that Stately's tools can open this file.
 *
 * It runs nothing. Its events are facts of a build's stream; the actions that a transition returns are read by
 * `step.ts`: effects owed in a state, facts to store beside the one that caused them.
 */
export const fetchImageMachine = s.createMachine({
  id: "fetchImage",
  version: "1",
  description: "Resolves an image to repo:tag@digest, and fetches its bytes only where a step needs them.",
  context: ({ input }) => ({
    request: input,
    attempt: 1,
    work: "check",
    asker: null,
    checked: null,
    retryAfterMs: 0,
    artifact: null,
  }),
  entry: ["announceCheck", "announceGet"],
  initial: "authorizing",
  on: { FetchAborted: ".aborted" },
  states: {
    authorizing: {
      description: "The policy is asked before any request leaves.",
      entry: { type: "askPolicy", params: { phase: "request" } },
      always: [
        { guard: "isPinnedAndUnasked", target: "resolving" },
        { guard: "isUnasked", target: "checking" },
      ],
      on: {
        PolicyDecided: [
          {
            guard: { type: "isDenied", params: ({ event }) => ({ ...event, asked: "request" }) },
            target: "failed",
            actions: {
              type: "recordFailure",
              params: ({ event }) => ({
                failure: { code: "FI_POLICY_DENIED", message: event.reasons.join("; "), retryable: false },
                during: "policy",
              }),
            },
          },
          {
            guard: { type: "mayGoOnPinned", params: ({ event }) => ({ ...event, asked: "request" }) },
            target: "resolving",
          },
          { guard: { type: "mayGoOn", params: ({ event }) => ({ ...event, asked: "request" }) }, target: "checking" },
        ],
        PolicyUnanswered: {
          guard: { type: "isAnswered", params: ({ event }) => ({ ...event, asked: "request" }) },
          target: "failed",
          actions: {
            type: "recordFailure",
            params: ({ event }) => ({ failure: event.failure, during: "policy" }),
          },
        },
      },
    },
    checking: {
      description: "The version is asked for: in the scope's history, at the registry, or by a check step.",
      entry: "checkImage",
      on: {
        ImageChecked: {
          target: "resolving",
          actions: { type: "rememberChecked", params: ({ event }) => event },
        },
        CheckJoined: {
          target: "waiting",
          actions: { type: "rememberAsker", params: ({ event }) => event },
        },
        ImageCheckFailed: [
          {
            guard: { type: "mayRetry", params: ({ event }) => event },
            target: "backing-off",
            actions: { type: "rememberRetryAfter", params: ({ event }) => event },
          },
          {
            target: "failed",
            actions: {
              type: "recordFailure",
              params: ({ event }) => ({ failure: event.failure, during: "check" }),
            },
          },
        ],
      },
    },
    waiting: {
      description: "Another fetch asks the same question; its answer will do.",
      entry: "joinCheck",
      on: {
        ImageChecked: {
          target: "resolving",
          actions: { type: "rememberChecked", params: ({ event }) => event },
        },
        ImageCheckFailed: [
          {
            guard: { type: "mayRetry", params: ({ event }) => event },
            target: "backing-off",
            actions: { type: "rememberRetryAfter", params: ({ event }) => event },
          },
          {
            target: "failed",
            actions: {
              type: "recordFailure",
              params: ({ event }) => ({ failure: event.failure, during: "check" }),
            },
          },
        ],
      },
      after: { patience: "checking" },
    },
    "backing-off": {
      description: "A failure that may pass; tried again after a growing delay, or when the registry said.",
      after: {
        backoff: [
          { guard: "wasChecking", target: "checking", actions: "countAttempt" },
          { target: "fetching-artifact", actions: "countAttempt" },
        ],
      },
    },
    resolving: {
      description: "The version is chosen: the check's digest, the plan's version, the source's tag, latest.",
      entry: ["turnToGet", "recordVersion", { type: "askPolicy", params: { phase: "digest" } }],
      always: [
        { guard: "canShortCircuitUnasked", target: "short-circuited" },
        { guard: "isUnaskedOnDigest", target: "fetching-artifact" },
      ],
      on: {
        PolicyDecided: [
          {
            guard: { type: "isDenied", params: ({ event }) => ({ ...event, asked: "digest" }) },
            target: "failed",
            actions: {
              type: "recordFailure",
              params: ({ event }) => ({
                failure: { code: "FI_POLICY_DENIED", message: event.reasons.join("; "), retryable: false },
                during: "policy",
              }),
            },
          },
          {
            guard: { type: "mayShortCircuit", params: ({ event }) => ({ ...event, asked: "digest" }) },
            target: "short-circuited",
          },
          {
            guard: { type: "mayGoOn", params: ({ event }) => ({ ...event, asked: "digest" }) },
            target: "fetching-artifact",
          },
        ],
        PolicyUnanswered: {
          guard: { type: "isAnswered", params: ({ event }) => ({ ...event, asked: "digest" }) },
          target: "failed",
          actions: {
            type: "recordFailure",
            params: ({ event }) => ({ failure: event.failure, during: "policy" }),
          },
        },
      },
    },
    "fetching-artifact": {
      description: "A step needs the bytes, or the image cannot be resolved natively.",
      entry: "fetchArtifact",
      on: {
        ArtifactFetched: {
          target: "fetched",
          actions: { type: "rememberArtifact", params: ({ event }) => event },
        },
        ArtifactFetchFailed: [
          {
            guard: { type: "mayRetry", params: ({ event }) => event },
            target: "backing-off",
            actions: { type: "rememberRetryAfter", params: ({ event }) => event },
          },
          {
            target: "failed",
            actions: {
              type: "recordFailure",
              params: ({ event }) => ({ failure: event.failure, during: "get" }),
            },
          },
        ],
      },
    },
    "short-circuited": {
      description: "An ImageURL, and no download: the kubelet pulls.",
      type: "final",
      entry: "recordShortCircuit",
    },
    fetched: { description: "The image's bytes are an artifact.", type: "final" },
    failed: { description: "No image; the failure says why.", type: "final" },
    aborted: { description: "Somebody asked to stop.", type: "final" },
  },
});

/** Whether the version is known without a check. */
function isPinned(request: FetchRequest): boolean {
  return request.version !== undefined && request.checkPlan === undefined;
}

/** Where the image is pulled from: where the source does not say it all, the check's answer does. */
export function repositoryToPull({ request, checked }: Pick<FetchContext, "request" | "checked">): string | undefined {
  return checked?.evidence.repository ?? request.repository;
}

function nobodyNeedsBytes(context: FetchContext): boolean {
  const { request } = context;
  const resolvable = request.type === "registry-image" && repositoryToPull(context) !== undefined;
  return resolvable && request.native && !request.artifactWanted && request.unsupported === undefined;
}

/** A denial counts as hard unless it says that it is soft. */
function denies(decision: Decision): boolean {
  return decision.decision === "denied" && decision.enforcement !== "soft";
}
