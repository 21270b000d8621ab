import type { FetchEffect } from "@fetch-image/core/fetching";
import type { FetchRun } from "../fetch-run.ts";
import { askPolicy } from "./ask-policy.ts";
import { checkImage } from "./check-image.ts";
import { fetchArtifact } from "./fetch-artifact.ts";
import { joinCheck } from "./join-check.ts";
import type { Owed } from "./owed.ts";

/** Begins what a fetch owes. Its answer, a fact, comes by `run.answer`. */
export function runEffect(run: FetchRun, effect: FetchEffect, owed: Owed): void {
  switch (effect.kind) {
    case "ask-policy":
      void askPolicy(run, effect, owed);
      return;
    case "check-image":
      checkImage(run, owed);
      return;
    case "join-check":
      void joinCheck(run, owed);
      return;
    case "fetch-artifact":
      void fetchArtifact(run, effect, owed);
  }
}

export type EffectOf<K extends FetchEffect["kind"]> = Extract<FetchEffect, { kind: K }>;
