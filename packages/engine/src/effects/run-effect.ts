import type { FetchEffect } from "@fetch-image/core";
import type { FetchRun } from "../fetch-run.ts";
import { askPolicy } from "./ask-policy.ts";
import { checkImage } from "./check-image.ts";
import { fetchArtifact } from "./fetch-artifact.ts";
import { joinCheck } from "./join-check.ts";

export interface EffectRun<E extends FetchEffect = FetchEffect> {
  readonly effect: E;
  /** The fact since which it is owed: its answer names it. */
  readonly since: number;
  /** Resolves once the facts that owe the effect are stored. What changes anything waits for it: append first, act after. */
  readonly durable: Promise<void>;
  /** Aborts when the effect is owed no more. */
  readonly signal: AbortSignal;
}

/** Begins what a fetch owes. Its answer, a fact, comes by `run.answer`. */
export function runEffect(run: FetchRun, effectRun: EffectRun): void {
  const { effect } = effectRun;
  switch (effect.kind) {
    case "ask-policy":
      void askPolicy(run, { ...effectRun, effect });
      return;
    case "check-image":
      checkImage(run, { ...effectRun, effect });
      return;
    case "join-check":
      void joinCheck(run, { ...effectRun, effect });
      return;
    case "fetch-artifact":
      void fetchArtifact(run, { ...effectRun, effect });
  }
}

export type EffectOf<K extends FetchEffect["kind"]> = EffectRun<Extract<FetchEffect, { kind: K }>>;
