// Paths that xstate's own graph finds through the chart, each walked by step() and by replays of what it stored.
import { fetchImageMachine, type FetchRequest, stateName } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import type { EventFrom, SnapshotFrom } from "xstate";
import { getShortestPaths, getSimplePaths } from "xstate/graph";
import {
  aPinnedRequest,
  aRequest,
  aRequestOfOtherType,
  digestA,
  type InputFor,
  inputOf,
  inputs,
  lastingFailure,
} from "../support/fetch-facts.ts";
import { BuildHistory, essence } from "../support/stream-histories.ts";

const version = { tag: "v1", digest: digestA };
const retry = { ...aRequest().retry, attempts: 2 };

const requests: { readonly [name: string]: FetchRequest } = {
  "an image to be resolved": aRequest({ retry }),
  "an image that a policy is asked about": aRequest({ retry, policy: true }),
  "a pinned image": aPinnedRequest(version, { retry }),
  "a pinned image that a policy is asked about": aPinnedRequest(version, { retry, policy: true, kind: "type" }),
  "an image whose bytes are wanted": aRequest({ retry, artifactWanted: true }),
  "an image of another type": aRequestOfOtherType({ retry, policy: true }),
};

/** Everything that can reach a fetch; one version and one reason each, for the paths to stay countable. */
const inputsOfPaths: readonly InputFor[] = [
  inputs.allowed("request"),
  inputs.denied("request", "soft"),
  inputs.denied("request", "hard"),
  inputs.unanswered("request"),
  inputs.allowed("digest"),
  inputs.denied("digest", "hard"),
  inputs.unanswered("digest"),
  inputs.joined(),
  inputs.checked(version),
  inputs.checkFailed(),
  inputs.checkFailed(lastingFailure),
  inputs.timer("backoff"),
  inputs.timer("patience"),
  inputs.fetched(),
  inputs.getFailed(),
  inputs.getFailed(lastingFailure),
  inputs.aborted(),
];

/** The names by which xstate's timers arrive, written out once more: codec.ts must know the same. */
const timers = {
  backoff: "xstate.after.backoff.fetchImage.backing-off",
  patience: "xstate.after.patience.fetchImage.waiting",
};

type MachineEvent = EventFrom<typeof fetchImageMachine>;
type Snapshot = SnapshotFrom<typeof fetchImageMachine>;

const covered = new Set<string>();

describe.each(Object.entries(requests))("%s", (_name, request) => {
  const moves = new Map(inputsOfPaths.map((input) => [JSON.stringify(toEvent(request, input)), input]));
  const options = {
    input: request,
    events: inputsOfPaths.map((input) => toEvent(request, input)),
    // A finished machine still transitions in the pure API, and the graph would follow.
    filterEvents: (snapshot: Snapshot, event: MachineEvent) => snapshot.status === "active" && snapshot.can(event),
    serializeState: ({ value, context }: Snapshot) => JSON.stringify([value, { ...context, request: null }]),
  };

  test.each([
    ["shortest", getShortestPaths],
    ["simple", getSimplePaths],
  ] as const)(
    "%s paths: each state is the chart's, and is found again after a crash at every step",
    (_kind, pathsOf) => {
      for (const { steps, state } of pathsOf(fetchImageMachine, options)) {
        let history = new BuildHistory().request(request);
        for (const { event, state: reached } of steps) {
          const input = moves.get(JSON.stringify(event));
          // The first step of a path is the machine's own start.
          if (input !== undefined) history.wait(1000).take(input);
          expectSame(history, reached);
          history = crash(history);
        }
        expect(stateName(history.state())).toBe(state.value);
        covered.add(state.value);
      }
    },
  );
});

test("the paths end in every state of the chart", () => {
  expect(covered).toEqual(new Set(Object.keys(fetchImageMachine.states)));
});

function toEvent(request: FetchRequest, input: InputFor): MachineEvent {
  const { type, data } = inputOf(request.fetchId, input);
  const event = input.type === "TimerFired" ? { type: timers[input.data.timer] } : { type, ...data };
  return event as MachineEvent;
}

function expectSame(history: BuildHistory, { value, status, context }: Snapshot): void {
  expect(essence(history.state())).toMatchObject({ value, status });
  expect(history.state().snapshot.context).toEqual(context);
}

/** The process dies: another one finds the same state in the stream, with the same things owed and due. */
function crash(history: BuildHistory): BuildHistory {
  const found = BuildHistory.resume(history.facts);
  expect(essence(found.state())).toEqual(essence(history.state()));
  return found;
}
