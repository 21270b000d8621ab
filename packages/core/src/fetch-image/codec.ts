import type { FactOf, FetchRequest } from "../facts/facts.ts";
import {
  compileMachine,
  type FetchSnapshot,
  type MachineAction,
  type MachineStep,
  type TimerName,
} from "./compile-machine.ts";
import { type FetchEvent, fetchImageMachine, type FetchInputType } from "./machine.ts";

export type { FetchSnapshot, MachineAction, TimerName };

/**
 * Facts in and actions out, in our own words: whatever names XState has for them, nothing of them is ever stored.
 *
 * The machine's one config is XState's; its steps are taken by `compile-machine.ts`. `codec.test.ts` holds every one to
 * xstate's `transition()` and to a live actor.
 */

export type FetchInput = FactOf<FetchInputType>;
export type FetchStateName = FetchSnapshot["value"];

export function initialStep(request: FetchRequest): MachineStep {
  return compiled.begin(request);
}

/** The same snapshot object and no actions where the machine ignores the fact in its state. */
export function machineStep(snapshot: FetchSnapshot, input: FetchInput): MachineStep {
  // The pure API would let a finished machine go on; a live actor would not.
  if (snapshot.status !== "active") return { snapshot, actions: [] };
  return compiled.next(snapshot, toMachineEvent(input));
}

/** The event by which a fact reaches the machine. */
export function toMachineEvent(input: FetchInput): FetchEvent {
  if (input.type === "TimerFired") return { type: timerEvents[input.data.timer] } as unknown as FetchEvent;
  // The type is set last: a field of that name, which a newer version may have added, must not change the event.
  return Object.assign({ type: input.type }, input.data, { type: input.type }) as FetchEvent;
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

const compiled = compileMachine(fetchImageMachine, timerEvents);
