import { type ActorScope, createActor, type SnapshotFrom } from "xstate";
import type { FactOf, FetchRequest } from "../facts/facts.ts";
import { fetchImageMachine, type FetchEvent, type FetchInputType, isPinned } from "./machine.ts";

/**
 * The only file that knows XState's own names and calling forms. Nothing it names is ever stored.
 *
 * `transition()` of xstate builds an actor per call; the machine's own `transition` with one scope that is never started
 * does the same work in a tenth of the time. `codec.test.ts` holds the two, and a live actor, to the same answers.
 */

export type FetchSnapshot = SnapshotFrom<typeof fetchImageMachine>;
export type FetchInput = FactOf<FetchInputType>;
export type TimerName = "backoff" | "patience";
export type FetchStateName = FetchSnapshot["value"];

/** An action as a transition returns it: an effect, a fact to record, or a timer set or cancelled. */
export type MachineAction =
  | { readonly kind: "named"; readonly type: string; readonly params: { readonly [key: string]: unknown } }
  | { readonly kind: "set-timer"; readonly timer: TimerName; readonly delayMs: number }
  | { readonly kind: "cancel-timer"; readonly timer: TimerName };

export interface MachineStep {
  readonly snapshot: FetchSnapshot;
  readonly actions: readonly MachineAction[];
}

export function initialStep(request: FetchRequest): MachineStep {
  if (request.policy || isPinned(request)) return firstStep(request);
  // Every other machine begins alike: nothing before the check looks at more of the request.
  usual ??= firstStep(request);
  const { snapshot, actions } = usual;
  return { snapshot: { ...snapshot, context: { ...snapshot.context, request } }, actions };
}

let usual: MachineStep | undefined;

function firstStep(request: FetchRequest): MachineStep {
  collected = [];
  const snapshot = fetchImageMachine.getInitialSnapshot(scope, request);
  return { snapshot, actions: collected.flatMap(toMachineAction) };
}

/** The same snapshot object and no actions where the machine ignores the fact in its state. */
export function machineStep(snapshot: FetchSnapshot, input: FetchInput): MachineStep {
  // The pure API would let a finished machine go on; a live actor would not.
  if (snapshot.status !== "active") return { snapshot, actions: [] };
  collected = [];
  const next = fetchImageMachine.transition(snapshot, toMachineEvent(input), scope);
  return { snapshot: next, actions: collected.flatMap(toMachineAction) };
}

/** The event by which a fact reaches the machine. */
export function toMachineEvent(input: FetchInput): FetchEvent {
  if (input.type === "TimerFired") return { type: timerEvents[input.data.timer] } as unknown as FetchEvent;
  // The type stands last: a field of that name, which a newer version may have added, must not change the event.
  return { ...input.data, type: input.type } as FetchEvent;
}

const timerEvents: Readonly<Record<TimerName, string>> = {
  backoff: "xstate.after.backoff.fetchImage.backing-off",
  patience: "xstate.after.patience.fetchImage.waiting",
};

interface RawAction {
  readonly type: string;
  readonly params?: unknown;
}

/** One action in our words; nothing for the machine's own bookkeeping. */
export function toMachineAction(action: RawAction): readonly MachineAction[] {
  const params = (action.params ?? {}) as { readonly [key: string]: unknown };
  switch (action.type) {
    case "xstate.raise":
      return [{ kind: "set-timer", timer: timerNamed(params["id"]), delayMs: Number(params["delay"]) }];
    case "xstate.cancel":
      return [{ kind: "cancel-timer", timer: timerNamed(params["sendId"]) }];
    default:
      if (action.type.startsWith("xstate.")) throw new Error(`${action.type} has no place in a replayable machine`);
      return [{ kind: "named", type: action.type, params }];
  }
}

function timerNamed(id: unknown): TimerName {
  const found = Object.entries(timerEvents).find(([, event]) => event === id);
  if (found === undefined) throw new Error(`no timer of the machine is called ${String(id)}`);
  return found[0] as TimerName;
}

let collected: RawAction[] = [];

const scope = inertScope();

function inertScope() {
  // Never started: it only lends its identity to the scope that `transition` wants. Its input is read by nobody.
  const self = createActor(fetchImageMachine, { input: {} as FetchRequest });
  return {
    self,
    id: "",
    sessionId: "",
    logger() {},
    defer() {},
    stopChild() {},
    emit() {},
    system: self.system,
    actionExecutor: (action: RawAction) => {
      collected.push(action);
    },
  } as unknown as ActorScope<FetchSnapshot, FetchEvent> as never;
}
