import { and, assign, createMachine, not, or, raise, stateIn } from "xstate";

/** Machines that nobody runs, of every kind that there is to draw; `odd` has what is rare, and hostile names. */
export const drawableMachines = {
  nested: createMachine({
    id: "checkout",
    description: "An order, from the basket to the doorstep.",
    initial: "shopping",
    states: {
      shopping: {
        initial: "browsing",
        on: { CLOSE: "kept" },
        states: {
          browsing: { on: { ADD: { target: "filling", actions: "add" } } },
          filling: {
            on: {
              ADD: { target: "filling", actions: "add", reenter: true },
              CLEAR: "browsing",
              BUY: "#pay.card.entering",
              LATER: "#checkout.kept",
            },
          },
        },
      },
      paying: {
        id: "pay",
        description: "Until the bank agrees.",
        initial: "card",
        entry: "lockPrices",
        exit: "unlockPrices",
        on: {
          BACK: "shopping",
          RESTART: { target: "paying", reenter: true },
          SKIP: ".sent",
          TICK: { actions: "count" },
        },
        onDone: { target: "done", actions: "archive" },
        states: {
          card: {
            initial: "entering",
            onDone: "sent",
            states: {
              entering: { on: { SUBMIT: [{ guard: "isValid", target: "asking" }, { actions: "complain" }] } },
              asking: {
                invoke: {
                  src: "bank",
                  onDone: [{ guard: "agreed", target: "approved" }, { target: "entering" }],
                  onError: { target: "#pay", actions: "apologise" },
                },
                after: { 30_000: "entering" },
              },
              approved: { type: "final" },
            },
          },
          sent: { type: "final", entry: "thank" },
        },
      },
      kept: { on: { RETURN: "shopping" } },
      done: { type: "final" },
    },
  }),
  parallel: createMachine({
    id: "player",
    initial: "idle",
    states: {
      idle: { on: { PLAY: "playing", RESUME: { target: ["playing.picture.large", "playing.sound.muted"] } } },
      playing: {
        type: "parallel",
        on: { STOP: "idle", BLACKOUT: { target: [".picture.small", ".sound.muted"] } },
        onDone: "over",
        states: {
          picture: {
            initial: "small",
            states: {
              small: { on: { ZOOM: "large" } },
              large: { on: { ZOOM: "small", END: "gone" } },
              gone: { type: "final" },
            },
          },
          sound: {
            initial: "loud",
            states: {
              loud: { on: { MUTE: "muted" } },
              muted: { on: { END: { guard: stateIn({ playing: { picture: "gone" } }), target: "quiet" } } },
              quiet: { type: "final" },
            },
          },
          subtitles: { initial: "off", states: { off: { on: { TOGGLE: "on" } }, on: { on: { TOGGLE: "off" } } } },
        },
      },
      over: { type: "final" },
    },
  }),
  history: createMachine({
    id: "editor",
    initial: "editing",
    states: {
      editing: {
        initial: "text",
        on: { HELP: "helping", SAVE: "saving" },
        states: {
          text: { on: { DRAW: "drawing" } },
          drawing: { initial: "pen", states: { pen: { on: { RUB: "rubber" } }, rubber: {} }, on: { WRITE: "text" } },
          last: { type: "history", target: "text" },
          exactly: { type: "history", history: "deep" },
        },
      },
      helping: { on: { CLOSE: "editing.last" } },
      saving: {
        invoke: {
          id: "save",
          src: "disk",
          onDone: "editing.exactly",
          onError: { target: "editing.exactly", actions: "warn" },
          onSnapshot: { actions: "showProgress" },
        },
      },
    },
  }),
  odd: createMachine({
    id: `odd & <every> "thing"`,
    initial: { target: "first.1", actions: "begin" },
    on: { RESET: { target: ".first\\.1" }, "*": { actions: "logUnknown" }, PANIC: ".third" },
    states: {
      "first.1": {
        tags: ["busy", "visible"],
        description: `<b>Words</b> & "quotes" \u0000: 日本語のテキスト 🚀 and averyveryverylongwordwithoutanyspaceatalltobreakitat.`,
        entry: [
          assign({}),
          raise({ type: "NEXT" }),
          () => {},
          { type: "track", params: { page: 1, deep: { a: [2] } } },
        ],
        exit: "leave",
        always: { guard: () => false, target: "third" },
        on: {
          NEXT: {
            guard: and(["isA", or(["isB", not("isC")])]),
            target: "second",
            description: "Only when all is well.",
          },
          "some.*": "third",
          SELF: "first\\.1",
        },
        after: {
          250: "second",
          90_000: [{ guard: "isLate", target: "third" }, { actions: "wait" }],
          patience: "third",
        },
      },
      second: { on: { BACK: "first\\.1", NEVER: undefined } },
      third: {},
    },
  }),
  narrow: createMachine({
    id: "narrow",
    description: "This machine has more to say about itself than its only state is wide, nested or not.",
    initial: "a",
    states: {
      a: { description: "And so has this one, which is nested.", initial: "b", states: { b: {} }, on: { X: {} } },
    },
  }),
  lone: createMachine({ id: "lone" }),
};
