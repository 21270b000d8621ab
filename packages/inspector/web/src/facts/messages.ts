// Who said what to whom, fact by fact: the sequence view.
import { isBuildFact, type FetchEffect, stateName } from "@fetch-image/core";
import type { Entry } from "./history.ts";

export const lanes = ["scheduler", "machine", "registry", "store", "kubelet"] as const;
type Lane = (typeof lanes)[number];

/** One row: an arrow between two lanes, or a state that the machine is in. */
export type Message =
  | {
      readonly kind: "message";
      readonly entry: number;
      readonly from: Lane;
      readonly to: Lane;
      readonly text: string;
      /** Of something that is owed or offered, and has not happened by this fact. */
      readonly expected: boolean;
    }
  | { readonly kind: "state"; readonly entry: number; readonly text: string };

/** The rows of one fetch's entries; of a whole build's where all of them are given. */
export function messagesOf(entries: readonly Entry[]): readonly Message[] {
  const states = new Map<string, string>();
  return entries.flatMap((entry) => {
    const rows = factRows(entry);
    if (entry.after === undefined || entry.fetchId === undefined) return rows;
    const name = stateName(entry.after);
    if (states.get(entry.fetchId) === name) return rows;
    states.set(entry.fetchId, name);
    const owed = entry.after.owed?.effect;
    return [
      ...rows,
      { kind: "state", entry: entry.index, text: name },
      ...(owed === undefined ? [] : [asks(entry, owed)]),
    ];
  });
}

function factRows({ index: entry, fact }: Entry): readonly Message[] {
  const row = (from: Lane, to: Lane, text: string = fact.type, expected = false): Message => {
    return { kind: "message", entry, from, to, text, expected };
  };
  if (!isBuildFact(fact)) return [row("machine", "store")];
  switch (fact.type) {
    case "BuildOpened":
    case "BuildPlanned":
    case "FetchRequested":
    case "PolicyDecided":
    case "PolicyUnanswered":
    case "FetchAborted":
      return [row("scheduler", "machine")];
    case "ImageRan":
      return [row("kubelet", "store", `ImageRan, ${fact.data.outcome}`)];
    case "BuildEventSaved":
      return [row("scheduler", "store", fact.data.event)];
    case "ArtifactImageResolved":
    case "BuildAdopted":
    case "BuildLogSealed":
    case "ImageCheck":
    case "ImageGet":
    case "ImageVersionResolved":
      return [row("machine", "store")];
    case "CheckJoined":
      return [row("store", "machine")];
    case "ImageChecked": {
      const { via } = fact.data.evidence;
      const asked = via === "HEAD" || via === "GET";
      return [row(asked ? "registry" : via === "step" ? "scheduler" : "store", "machine", `ImageChecked, ${via}`)];
    }
    case "ImageCheckFailed":
    case "ArtifactFetchFailed":
      return [row("registry", "machine", `${fact.type}, ${fact.data.failure.code}`)];
    case "ArtifactFetched":
      return [row("registry", "machine")];
    case "OutputWritten":
      return [row("machine", "store", `OutputWritten, ${fact.data.origin}`)];
    case "TimerFired":
      return [row("machine", "machine", `after ${fact.data.timer}`)];
    case "ImageShortCircuited":
      return [row("machine", "scheduler", "ImageShortCircuited"), row("scheduler", "kubelet", "pulls by digest", true)];
    case "FetchFailed":
      break;
  }
  return [row("machine", "scheduler", `FetchFailed, ${fact.data.failure.code}`)];
}

function asks({ index: entry, after }: Entry, effect: FetchEffect): Message {
  const byStep = after?.snapshot.context.request.checker === "step";
  const row = (to: Lane, text: string): Message => {
    return { kind: "message", entry, from: "machine", to, text, expected: true };
  };
  switch (effect.kind) {
    case "ask-policy":
      return row("scheduler", `ask policy on the ${effect.phase}`);
    case "check-image":
      return row(byStep ? "scheduler" : "registry", `check image, attempt ${effect.attempt}`);
    case "join-check":
      return row("store", "wait for the other's answer");
    case "fetch-artifact":
      break;
  }
  return row(byStep ? "scheduler" : "registry", `fetch artifact, attempt ${effect.attempt}`);
}
