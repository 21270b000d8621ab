import {
  type CheckPlan,
  FetchImageError,
  formatTime,
  isDigest,
  showText,
  type Version,
} from "@fetch-image/core/fetching";
import { retryAfterOf, toFailure } from "../failure.ts";
import type { FetchRun } from "../fetch-run.ts";
import type { CheckAnswer, ScopeQuestion } from "../scope-answers.ts";
import type { CheckStart } from "../scope-entry.ts";
import type { Owed } from "./owed.ts";
import { registryKeyOf } from "../registry-key.ts";
import { stepContext } from "./step-context.ts";

/** Asks for the version: natively where we can, else by the host's own check step. */
export function checkImage(run: FetchRun, owed: Owed): void {
  if (run.request.fact.checker === "step") {
    void checkByStep(run, owed);
    return;
  }
  const { since } = owed;
  const question = questionOf(run);
  const { scopes } = run.build;
  if (scopes === undefined || question === undefined) {
    const error = new FetchImageError("FI_INTERNAL", { message: "the fetch was to ask a registry, and there is none" });
    answerCheck(run, since, failed(run, error));
    return;
  }
  owed.whenEnded(() => {
    scopes.leave(question, run.asker);
  });
  const start = scopes.start(question, owed);
  // An answer that needs no waiting is taken in this turn, so that the whole fetch is one append.
  if (!(start instanceof Promise) && start.kind !== "asked") {
    take(run, since, start);
    return;
  }
  void takeLater(run, since, start);
}

function take(run: FetchRun, since: number, start: Exclude<CheckStart, { kind: "asked" }>): void {
  if (start.kind === "answered") {
    answerCheck(run, since, start.answer);
  } else {
    const { fetchId } = run.asker;
    run.answer(since, { type: "CheckJoined", data: { fetchId, asker: start.asker } });
  }
}

async function takeLater(run: FetchRun, since: number, starting: CheckStart | Promise<CheckStart>): Promise<void> {
  try {
    const start = await starting;
    if (start.kind === "asked") answerCheck(run, since, await start.answer);
    else take(run, since, start);
  } catch (error) {
    answerCheck(run, since, failed(run, error));
  }
}

/** Hands a check's answer to the machine. */
export function answerCheck(run: FetchRun, since: number, answer: CheckAnswer): void {
  const { fetchId } = run.asker;
  if (answer.ok) {
    const { version, evidence, rejected } = answer;
    run.answer(since, { type: "ImageChecked", data: { fetchId, version, evidence, rejected } });
  } else {
    const { failure, retryAfterMs } = answer;
    const data = { fetchId, failure, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    run.answer(since, { type: "ImageCheckFailed", data });
  }
}

async function checkByStep(run: FetchRun, { since, durable, signal }: Owed): Promise<void> {
  const { clock, stepRunner } = run.build;
  try {
    await durable;
    if (signal.aborted) return;
    if (stepRunner === undefined) throw new FetchImageError("FI_STEP_RUNNER_MISSING");
    const plan = run.asked.checkPlan ?? checkPlanOf(run);
    const context = await stepContext(run, { plan, since, signal });
    const versions = await stepRunner.check(plan, context).finally(context.end);
    const version: Version | undefined = versions.at(-1);
    if (version === undefined) throw noVersion(run);
    const digest = version["digest"] ?? "";
    if (run.request.fact.type === "registry-image" && digest !== "" && !isDigest(digest)) throw noDigest(run, digest);
    const evidence = { via: "step", observedAt: formatTime(clock.now()) } as const;
    answerCheck(run, since, { ok: true, version, evidence, rejected: [] });
  } catch (error) {
    if (!signal.aborted) answerCheck(run, since, failed(run, error));
  }
}

/** A registry-image whose get plan came without a check plan and without a version is checked all the same. */
function checkPlanOf(run: FetchRun): CheckPlan {
  const { id, get } = run.asked.getPlan;
  const { name, type, source, tags } = get;
  return { id: `${id}/image-check`, check: { name, type, source, ...(tags === undefined ? {} : { tags }) } };
}

/** Undefined for a fetch that asks no registry. */
export function questionOf(run: FetchRun): ScopeQuestion | undefined {
  const { fact, source, repository, credential, proof, interval, skipInterval } = run.request;
  const { scope, tag } = fact;
  if (scope === undefined || repository === undefined || source === undefined) return undefined;
  const { asker, build } = run;
  const { redact } = build;
  const attempt = run.state?.snapshot.context.attempt ?? 1;
  return {
    scope,
    repository,
    tag,
    publicSource: fact.source,
    source,
    credential,
    proof,
    asked: registryKeyOf({ repository, source, credential }),
    asker,
    interval,
    skipInterval,
    attempt,
    redact,
  };
}

function failed(run: FetchRun, error: unknown): CheckAnswer {
  const failure = toFailure(error, "FI_CHECK_FAILED", (text) => run.build.redact(text));
  return { ok: false, failure, ...retryAfterOf(error) };
}

function noDigest(run: FetchRun, digest: string): FetchImageError {
  const { name } = run.request.fact;
  return new FetchImageError("FI_CHECK_FAILED", {
    message: `the check of ${name} returned ${showText(digest)} for a digest`,
    hint: "Look at the resource type that ran the check.",
    details: { name },
  });
}

function noVersion(run: FetchRun): FetchImageError {
  const { name, type } = run.request.fact;
  return new FetchImageError("FI_NO_VERSION", {
    message: `the check of ${name} (${type}) returned no version`,
    details: { name, type },
  });
}
