import { assign, enqueueActions, setup } from "xstate";
import { expect, test } from "vitest";
import { compileMachine } from "./compile-machine.ts";

const s = setup({
  types: { context: {} as { readonly count: number } },
  actions: {
    count: assign({ count: ({ context }) => context.count + 1 }),
    recount: assign(({ context }) => ({ count: context.count + 1 })),
    enqueue: enqueueActions(() => {}),
  },
});
const timers = { backoff: "later", patience: "later still" };

test.each([
  ["a state within a state", { states: { one: { initial: "two", states: { two: {} } } } }, "one has initial"],
  ["an invocation", { states: { one: { invoke: { src: "fetch" } } } }, "one has invoke"],
  ["an exit action", { states: { one: { exit: "count" } } }, "one has exit"],
  ["parallel regions", { type: "parallel", states: { one: {} } }, "the machine has type"],
  ["a transition that enters anew", on({ target: "one", reenter: true }), "a transition has reenter"],
  ["a guard that nobody wrote", on({ target: "one", guard: "isLate" }), "no guard isLate"],
  ["an action that nobody wrote", on({ target: "one", actions: "shout" }), "no action shout"],
  ["an action without a name", on({ target: "one", actions: () => {} }), "without a name"],
  ["an assignment of all at once", on({ target: "one", actions: "recount" }), "field by field"],
  ["actions that are made as they run", on({ target: "one", actions: "enqueue" }), "cannot be replayed"],
  ["a target that is no state", on({ target: "three" }), "no state three"],
  ["a delay that nobody wrote", { states: { one: { after: { patience: "one" } } } }, "no delay patience"],
])("%s is refused before it could be misread", (_what, config, words) => {
  const { implementations } = s.createMachine({ context: { count: 0 } });
  const whole = { context: () => ({ count: 0 }), initial: "one", ...config };
  expect(() => compileMachine({ config: whole, implementations }, timers)).toThrow(words);
});

function on(transition: object): object {
  return { states: { one: { on: { Asked: transition } } } };
}
