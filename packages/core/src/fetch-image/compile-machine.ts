import type { SnapshotFrom } from "xstate";
import type { FetchRequest } from "../facts/facts.ts";
import type { FetchContext, fetchImageMachine } from "./machine.ts";

/** What is kept of a machine between two facts. */
export interface FetchSnapshot {
  readonly value: SnapshotFrom<typeof fetchImageMachine>["value"];
  readonly status: SnapshotFrom<typeof fetchImageMachine>["status"];
  readonly context: FetchContext;
}

export type TimerName = "backoff" | "patience";

/** An action as a transition returns it: an effect, a fact to record, or a timer set or cancelled. */
export type MachineAction =
  | { readonly kind: "named"; readonly type: string; readonly params: { readonly [key: string]: unknown } }
  | { readonly kind: "set-timer"; readonly timer: TimerName; readonly delayMs: number }
  | { readonly kind: "cancel-timer"; readonly timer: TimerName };

export interface MachineStep {
  readonly snapshot: FetchSnapshot;
  readonly actions: readonly MachineAction[];
}

/** What a machine does with an input, and with events after it. */
export interface CompiledMachine {
  begin(request: FetchRequest): MachineStep;
  /** The same snapshot object and no actions where no transition takes the event. */
  next(snapshot: FetchSnapshot, event: MachineEvent): MachineStep;
}

type MachineEvent = { readonly type: string };

/**
 * Reads the machine's config into tables, which take its steps in a small part of the time that XState's interpreter needs
 * for all that a chart may have, and ours has not. Every step is held to `transition()` by `codec.test.ts`; what the tables
 * have no place for is refused as this file is loaded (docs/decisions/0017).
 *
 * `timerEvents`: the event by which the `after` of a state arrives, by the name of its delay.
 */
export function compileMachine(
  machine: { readonly config: object; readonly implementations: object },
  timerEvents: Readonly<Record<TimerName, string>>,
): CompiledMachine {
  const config = machine.config as ChartConfig;
  const implementations = machine.implementations as Implementations;
  const transitionOf = (each: TransitionConfig) => compileTransition(each, implementations, stateNamed);
  const actionOf = (each: NamedConfig) => compileAction(each, implementations);
  assertKnown(config, rootKeys, "the machine");
  const states = new Map(Object.keys(config.states).map((name) => [name, emptyState(name)]));
  const stateNamed = (name: string): State => {
    const found = states.get(name);
    if (found === undefined) throw new Error(`the machine has no state ${name}`);
    return found;
  };
  for (const [name, stateConfig] of Object.entries(config.states)) {
    assertKnown(stateConfig, stateKeys, name);
    const state = stateNamed(name);
    state.isFinal = stateConfig.type === "final";
    state.entry.push(...listOf(stateConfig.entry).map(actionOf));
    state.always.push(...listOf(stateConfig.always).map(transitionOf));
    for (const [type, transitions] of Object.entries(stateConfig.on ?? {})) {
      state.on.set(type, listOf(transitions).map(transitionOf));
    }
    for (const [delay, transitions] of Object.entries(stateConfig.after ?? {})) {
      const timer = delay as TimerName;
      state.on.set(timerEvents[timer], listOf(transitions).map(transitionOf));
      state.entry.push(compileTimer(timer, implementations));
      state.exit.push({ kind: "cancel-timer", timer });
    }
  }
  // A state's own transitions come first; the root's are taken from any.
  for (const [type, transitions] of Object.entries(config.on ?? {})) {
    for (const state of states.values()) {
      const own = state.on.get(type) ?? [];
      const ofRoot = listOf(transitions).map(transitionOf);
      state.on.set(type, [...own, ...ofRoot]);
    }
  }
  const entry = listOf(config.entry).map(actionOf);
  const initial = stateNamed(config.initial);
  // As XState has it: what begins a machine is an event, too.
  const beginning = { type: "xstate.init" };

  return {
    begin(request) {
      const run = new Run(config.context({ input: request }), beginning);
      run.take(entry);
      run.enter(initial);
      return run.settled();
    },
    next(snapshot, event) {
      const from = stateNamed(snapshot.value);
      const transition = firstThatMay(from.on.get(event.type), snapshot.context, event);
      if (transition === undefined) return { snapshot, actions: [] };
      const run = new Run(snapshot.context, event);
      run.go(from, transition);
      return run.settled();
    },
  };
}

/** One step, from an event to the state in which no `always` leads on. */
class Run {
  context: FetchContext;
  readonly event: MachineEvent;
  readonly actions: MachineAction[] = [];
  #state: State | undefined;

  constructor(context: FetchContext, event: MachineEvent) {
    this.context = context;
    this.event = event;
  }

  take(actions: readonly Action[]): void {
    for (const action of actions) action(this);
  }

  go(from: State, { target, actions }: Transition): void {
    this.actions.push(...from.exit);
    this.take(actions);
    this.enter(target);
  }

  enter(state: State): void {
    this.#state = state;
    this.take(state.entry);
  }

  settled(): MachineStep {
    for (;;) {
      const state = this.#state;
      if (state === undefined) throw new Error("the machine is in no state");
      const { context, event, actions } = this;
      const transition = state.isFinal ? undefined : firstThatMay(state.always, context, event);
      if (transition === undefined) {
        return { snapshot: { value: state.name, status: state.isFinal ? "done" : "active", context }, actions };
      }
      this.go(state, transition);
    }
  }
}

interface State {
  readonly name: FetchSnapshot["value"];
  isFinal: boolean;
  readonly entry: Action[];
  readonly exit: MachineAction[];
  readonly on: Map<string, readonly Transition[]>;
  readonly always: Transition[];
}

interface Transition {
  readonly guard: ((args: Args) => boolean) | undefined;
  readonly target: State;
  readonly actions: readonly Action[];
}

type Action = (run: Run) => void;
type Args = Pick<Run, "context" | "event">;

function emptyState(name: string): State {
  return { name: name as State["name"], isFinal: false, entry: [], exit: [], on: new Map(), always: [] };
}

function firstThatMay(
  transitions: readonly Transition[] | undefined,
  context: FetchContext,
  event: MachineEvent,
): Transition | undefined {
  if (transitions === undefined) return undefined;
  for (const transition of transitions) {
    if (transition.guard === undefined || transition.guard({ context, event })) return transition;
  }
  return undefined;
}

function compileTransition(
  config: TransitionConfig,
  implementations: Implementations,
  stateNamed: (name: string) => State,
): Transition {
  if (typeof config !== "string") assertKnown(config, transitionKeys, "a transition");
  const { guard, target, actions } = typeof config === "string" ? { target: config } : config;
  // The root names its children with a dot before.
  const state = stateNamed(target.replace(/^\./, ""));
  return {
    guard: guard === undefined ? undefined : compileGuard(guard, implementations),
    target: state,
    actions: listOf(actions).map((each) => compileAction(each, implementations)),
  };
}

function compileGuard(config: NamedConfig, { guards }: Implementations): (args: Args) => boolean {
  const { type, params } = named(config);
  const guard = guards[type];
  if (guard === undefined) throw new Error(`the machine has no guard ${type}`);
  return (args) => guard(args, params(args));
}

function compileAction(config: NamedConfig, { actions }: Implementations): Action {
  const { type, params } = named(config);
  const action = actions[type];
  if (action === undefined) throw new Error(`the machine has no action ${type}`);
  if (action.type === "xstate.assign") return compileAssign(type, action.assignment, params);
  if (action.type !== undefined)
    throw new Error(`the machine's action ${type} is ${action.type}, which cannot be replayed`);
  return (run) => {
    run.actions.push({ kind: "named", type, params: params(run) ?? noParams });
  };
}

function compileAssign(type: string, assignment: unknown, params: Params): Action {
  if (typeof assignment !== "object" || assignment === null) throw new Error(`${type} must assign field by field`);
  const fields = Object.entries(assignment);
  return (run) => {
    const its = params(run);
    const context: { [field: string]: unknown } = { ...run.context };
    for (const [field, value] of fields) context[field] = typeof value === "function" ? value(run, its) : value;
    run.context = context as unknown as typeof run.context;
  };
}

function compileTimer(timer: TimerName, { delays }: Implementations): Action {
  const delay = delays[timer];
  if (delay === undefined) throw new Error(`the machine has no delay ${timer}`);
  return (run) => {
    run.actions.push({ kind: "set-timer", timer, delayMs: delay(run) });
  };
}

function named(config: NamedConfig): { readonly type: string; readonly params: Params } {
  if (typeof config === "function") throw new Error("the machine has a guard or an action without a name");
  if (typeof config === "string") return { type: config, params: () => undefined };
  assertKnown(config, namedKeys, config.type);
  const { type, params } = config;
  return { type, params: typeof params === "function" ? params : () => params };
}

function assertKnown(config: object, known: ReadonlySet<string>, where: string): void {
  const unknown = Object.keys(config).find((key) => !known.has(key));
  if (unknown !== undefined) throw new Error(`${where} has ${unknown}, which the compiled machine does not know`);
}

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

const noParams = {};
const rootKeys: ReadonlySet<string> = new Set(
  // `schemas` is set by xstate's `setup`, of its own accord.
  ["id", "version", "description", "schemas", "context", "entry", "initial", "on", "states"],
);
const stateKeys: ReadonlySet<string> = new Set(["description", "type", "entry", "always", "on", "after"]);
const transitionKeys: ReadonlySet<string> = new Set(["guard", "target", "actions"]);
const namedKeys: ReadonlySet<string> = new Set(["type", "params"]);

type ActionParams = { readonly [name: string]: unknown };
type Params = (args: Args) => ActionParams | undefined;
type NamedConfig = string | { readonly type: string; readonly params?: ActionParams | Params };
type TransitionConfig =
  | string
  | {
      readonly guard?: NamedConfig;
      readonly target: string;
      readonly actions?: NamedConfig | readonly NamedConfig[];
    };
interface Transitions {
  readonly [type: string]: TransitionConfig | readonly TransitionConfig[];
}

/** What is used of a machine's config. */
interface ChartConfig {
  readonly context: (args: { readonly input: FetchRequest }) => FetchContext;
  readonly entry?: NamedConfig | readonly NamedConfig[];
  readonly initial: string;
  readonly on?: Transitions;
  readonly states: {
    readonly [name: string]: {
      readonly type?: string;
      readonly entry?: NamedConfig | readonly NamedConfig[];
      readonly always?: TransitionConfig | readonly TransitionConfig[];
      readonly on?: Transitions;
      readonly after?: Transitions;
    };
  };
}

interface Implementations {
  readonly guards: { readonly [name: string]: (args: Args, params: ActionParams | undefined) => boolean };
  readonly delays: { readonly [name: string]: (args: Args) => number };
  /** Those of XState's own have its name for a type. */
  readonly actions: { readonly [name: string]: { readonly type?: string; readonly assignment?: unknown } };
}
