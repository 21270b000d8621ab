import { createActor, initialTransition, transition } from "xstate";
import { expect, test } from "vitest";
import type { FetchRequest } from "../facts/facts.ts";
import {
  type FetchInput,
  type FetchSnapshot,
  initialStep,
  machineStep,
  type MachineAction,
  toMachineAction,
  toMachineEvent,
} from "./codec.ts";
import { fetchImageMachine } from "./machine.ts";

const fetchId = "f1/image-get";
const evidence = { via: "HEAD", observedAt: "2026-11-22T04:40:00.000Z" } as const;
const failure = { code: "FI_REGISTRY_TIMEOUT", message: "registry.test did not answer", retryable: true };
const version = { tag: "v1", digest: `sha256:${"a".repeat(64)}` };

const request: FetchRequest = {
  fetchId,
  planId: "f1",
  kind: "task",
  name: "image",
  type: "registry-image",
  source: { repository: "registry.test/app" },
  credentials: false,
  repository: "registry.test/app",
  checkPlan: { id: "f1/image-check" },
  getPlan: { id: fetchId },
  privileged: false,
  native: true,
  artifactWanted: false,
  checker: "registry",
  policy: false,
  retry: { attempts: 3, baseMs: 1000, capMs: 30_000, patienceMs: 60_000, jitter: 0.5 },
  joinMs: 15_000,
};
const { checkPlan: _checkPlan, ...unchecked } = request;

const requests: readonly FetchRequest[] = [
  request,
  { ...request, policy: true },
  { ...request, native: false },
  { ...request, policy: true, artifactWanted: true, kind: "type" },
  { ...unchecked, version },
  { ...unchecked, version, policy: true, unsupported: { field: "tag_regex", reason: "tags must be listed" } },
];

const inputs: readonly FetchInput[] = [
  ...(["request", "digest"] as const).flatMap((phase): FetchInput[] => [
    { type: "PolicyDecided", data: { fetchId, phase, decision: "allowed", reasons: [] } },
    { type: "PolicyDecided", data: { fetchId, phase, decision: "denied", enforcement: "soft", reasons: ["old"] } },
    { type: "PolicyDecided", data: { fetchId, phase, decision: "denied", enforcement: "hard", reasons: ["bad"] } },
    { type: "PolicyUnanswered", data: { fetchId, phase, failure } },
  ]),
  { type: "CheckJoined", data: { fetchId, asker: { buildId: "122", fetchId } } },
  { type: "ImageChecked", data: { fetchId, version, evidence, rejected: [] } },
  { type: "ImageCheckFailed", data: { fetchId, failure } },
  { type: "ImageCheckFailed", data: { fetchId, failure, retryAfterMs: 40_000 } },
  { type: "ImageCheckFailed", data: { fetchId, failure: { ...failure, retryable: false } } },
  { type: "TimerFired", data: { fetchId, timer: "backoff" } },
  { type: "TimerFired", data: { fetchId, timer: "patience" } },
  { type: "ArtifactFetched", data: { fetchId, artifact: "volume-1" } },
  { type: "ArtifactFetchFailed", data: { fetchId, failure } },
  { type: "ArtifactFetchFailed", data: { fetchId, failure, retryAfterMs: 3_600_000 } },
  { type: "FetchAborted", data: { fetchId, reason: "the build was aborted" } },
];

const atLeast = 24_000;

test("C2: the compiled machine takes the steps of transition() and of a live actor", () => {
  const random = randomSequence(20261122);
  const visited = new Set<string>();
  /** Each state in which something is taken, with each event. */
  const met = new Set<string>();
  let taken = 0;
  for (let walk = 0; taken < atLeast; walk++) {
    const asked = requests[walk % requests.length] ?? request;
    const live = liveActor(asked);
    let [documented, documentedActions] = initialTransition(fetchImageMachine, asked);
    let ours = initialStep(asked);
    expectSame({ ours, documented, documentedActions, live });

    for (let fact = 0; fact < 25 && ours.snapshot.status === "active"; fact++) {
      const drawn = random(inputs.length);
      const input = inputs[drawn] ?? inputOf("FetchAborted");
      const event = toMachineEvent(input);
      visited.add(ours.snapshot.value);
      met.add(`${ours.snapshot.value} ${drawn}`);
      [documented, documentedActions] = transition(fetchImageMachine, documented, event);
      ours = machineStep(ours.snapshot, input);
      live.actor.send(event);
      expectSame({ ours, documented, documentedActions, live });
      visited.add(ours.snapshot.value);
      taken++;
    }
    live.actor.stop();
  }
  expect([...visited].toSorted()).toEqual(Object.keys(fetchImageMachine.states).toSorted());
  const unfinished = Object.values(fetchImageMachine.states).filter(({ type }) => type !== "final");
  expect(met.size).toBe(unfinished.length * inputs.length);
});

test("a finished machine takes nothing, where the pure transition() would go on", () => {
  const [start] = initialTransition(fetchImageMachine, request);
  const [finished] = transition(fetchImageMachine, start, toMachineEvent(inputOf("ImageChecked")));
  expect(finished.value).toBe("short-circuited");
  expect(transition(fetchImageMachine, finished, toMachineEvent(inputOf("FetchAborted")))[0].value).toBe("aborted");

  const { snapshot, actions } = machineStep(finished, inputOf("FetchAborted"));
  expect(snapshot).toBe(finished);
  expect(actions).toEqual([]);
});

test("a fact that means nothing in the state gives the same snapshot back, which is how step() knows", () => {
  const { snapshot } = initialStep(request);
  expect(machineStep(snapshot, inputOf("ArtifactFetched")).snapshot).toBe(snapshot);
  expect(machineStep(snapshot, inputOf("ImageChecked")).snapshot).not.toBe(snapshot);
});

test("a field called type in a fact's data does not make another event of it", () => {
  const { snapshot } = initialStep(request);
  const checked = inputOf("ImageChecked");
  const odd: FetchInput = Object.assign({}, checked, { data: { ...checked.data, type: "FetchAborted" } });
  expect(machineStep(snapshot, odd).snapshot.value).toBe("short-circuited");
});

test("C3: everything that the machine does has a name: nothing that a replay could not do again", () => {
  expect(() => toMachineAction({ type: "xstate.spawnChild" })).toThrow("no place in a replayable machine");
  expect(() => toMachineAction({ type: "xstate.raise", params: { id: "xstate.after.1.other" } })).toThrow("no timer");
  expect(inlineFunctions(fetchImageMachine.config)).toEqual([]);
});

function inputOf(type: FetchInput["type"]): FetchInput {
  const found = inputs.find((input) => input.type === type);
  if (found === undefined) throw new Error(`no example of ${type}`);
  return found;
}

/** Functions in the config that are neither the context's nor the params of something named. */
function inlineFunctions(value: unknown, path = ""): string[] {
  if (typeof value === "function") return path === ".context" || path.endsWith(".params") ? [] : [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => inlineFunctions(inner, `${path}.${key}`));
}

interface LiveActor {
  readonly actor: ReturnType<typeof createActor<typeof fetchImageMachine>>;
  readonly actions: MachineAction[];
}

/** Its timers never fire by themselves: here they are facts like any other. */
function liveActor(input: FetchRequest): LiveActor {
  const actions: MachineAction[] = [];
  const actor = createActor(fetchImageMachine, {
    input,
    clock: { setTimeout: () => 0, clearTimeout() {} },
    inspect: (inspected) => {
      if (inspected.type === "@xstate.action") actions.push(...toMachineAction(inspected.action));
    },
  });
  actor.start();
  return { actor, actions };
}

function expectSame(step: {
  readonly ours: { readonly snapshot: FetchSnapshot; readonly actions: readonly MachineAction[] };
  readonly documented: FetchSnapshot;
  readonly documentedActions: readonly { readonly type: string; readonly params?: unknown }[];
  readonly live: LiveActor;
}): void {
  const ours = comparable(step.ours.snapshot, step.ours.actions);
  const documented = comparable(step.documented, step.documentedActions.flatMap(toMachineAction));
  const live = comparable(step.live.actor.getSnapshot(), step.live.actions.splice(0));
  // Compared as text first: tens of thousands of deep comparisons would take their time.
  if (ours === documented && ours === live) return;
  expect([documented, live].map(parsed)).toEqual([ours, ours].map(parsed));
}

function comparable({ value, status, context }: FetchSnapshot, actions: readonly MachineAction[]): string {
  return JSON.stringify({ value, status, context, actions });
}

function parsed(text: string): unknown {
  return JSON.parse(text);
}

/** Whole numbers below a bound, the same in every run: a linear congruential generator (Numerical Recipes). */
function randomSequence(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
