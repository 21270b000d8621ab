import { parseTime } from "@fetch-image/core/fetching";
import type { FetchRun } from "../fetch-run.ts";
import { answerCheck, questionOf } from "./check-image.ts";
import type { Owed } from "./owed.ts";

/** Waits for another fetch's answer. The machine's patience timer ends the waiting where that fetch died. */
export async function joinCheck(run: FetchRun, owed: Owed): Promise<void> {
  const { since, signal } = owed;
  const { scopes } = run.build;
  const question = questionOf(run);
  if (scopes === undefined || question === undefined) return;
  owed.whenEnded(() => {
    scopes.leave(question, run.asker);
  });
  try {
    const answer = await scopes.join(question, joinedAt(run), signal);
    if (answer !== undefined && !signal.aborted) answerCheck(run, since, answer);
  } catch (error) {
    // The store is away: the patience timer leads back to a check of our own, which says so.
    run.build.logger.warn("a joined check could not be followed", { scope: question.scope, error: String(error) });
  }
}

/** When the fetch joined: its patience counts from there. */
function joinedAt(run: FetchRun): number {
  const { state } = run;
  const joinMs = run.request.fact.joinMs;
  return state?.timer === null || state?.timer === undefined
    ? parseTime("1970-01-01T00:00:00.000Z")
    : state.timer.dueAt - joinMs;
}
