import {
  buildStream,
  decodeBuildFact,
  FetchImageError,
  formatReference,
  type Ours,
  parseReference,
  type RecordedBuildFact,
} from "@fetch-image/core/fetching";
import type { FetchImageEngine } from "../engine.ts";
import { toFailure } from "../failure.ts";
import type { BuildsInMemory } from "./builds-in-memory.ts";
import type { ShadowQuestion } from "./shadow-api.ts";

export interface ResolveBesideOptions {
  readonly engine: FetchImageEngine;
  readonly builds: BuildsInMemory;
  /** Of the shadow's own build. */
  readonly id: string;
  readonly now: () => number;
  readonly redact: (text: string) => string;
}

export interface Resolved {
  readonly ours: Ours;
  readonly scope?: string;
}

/** Fetches the image as a switched scheduler would, with the engine itself, in a build that nobody stores. */
export async function resolveBeside(question: ShadowQuestion, options: ResolveBesideOptions): Promise<Resolved> {
  const { engine, builds, id, now, redact } = options;
  const { getPlan, checkPlan, secrets, signal } = question;
  const { id: _theirs, ...names } = question.build;
  const begun = now();
  const build = await engine.openBuild({ ...names, id });
  let failed: unknown;
  try {
    await build.fetchImage({
      getPlan,
      ...(checkPlan === undefined ? {} : { checkPlan }),
      privileged: false,
      ...(secrets === undefined ? {} : { secrets }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    failed = error;
  } finally {
    await build.close();
  }
  const recorded = builds.take(buildStream(id)).map((fact) => decodeBuildFact(fact));
  const facts = recorded.flatMap((each) => (each.known ? [each.fact] : []));
  const ms = now() - begun;
  if (failed === undefined) return resolvedOf(facts, ms);
  if (isNoAnswer(failed)) throw failed;
  return { ...scopeIn(facts), ours: refused(failed, ms, redact) };
}

function resolvedOf(facts: readonly RecordedBuildFact[], ms: number): Resolved {
  const resolved = facts.find((fact) => fact.type === "ImageVersionResolved")?.data;
  if (resolved === undefined) throw new FetchImageError("FI_INTERNAL", { message: "a fetch ended without a version" });
  const { version, via, observedAt, evidence, reference } = resolved;
  const repository = reference === undefined ? undefined : repositoryOf(reference);
  return {
    ...scopeIn(facts),
    ours: {
      outcome: "resolved",
      version,
      ...(repository === undefined ? {} : { repository }),
      via,
      ...(observedAt === undefined ? {} : { observedAt }),
      ...(evidence?.host === undefined ? {} : { host: evidence.host }),
      ms,
    },
  };
}

/** What is refused before anything is asked is what a step of the scheduler's own fetches. */
function refused(error: unknown, ms: number, redact: (text: string) => string): Ours {
  const failure = toFailure(error, "FI_INTERNAL", redact);
  if (FetchImageError.is(error) && physical.has(error.code)) {
    const { field } = error.details;
    const reason = failure.message;
    return { outcome: "physical", unsupported: { field: typeof field === "string" ? field : "type", reason }, ms };
  }
  const { cause } = FetchImageError.is(error) ? error : {};
  const behind = FetchImageError.is(cause) ? { cause: { code: cause.code, message: redact(cause.message) } } : {};
  return { outcome: "failed", failure: { ...failure, ...behind }, ms };
}

const physical: ReadonlySet<string> = new Set([
  "FI_SOURCE_UNSUPPORTED",
  "FI_STEP_RUNNER_MISSING",
  "FI_ARTIFACT_STORE_MISSING",
]);

/** Says something of this process, not of the image. */
function isNoAnswer(error: unknown): boolean {
  return FetchImageError.is(error) && noAnswers.has(error.code);
}

const noAnswers: ReadonlySet<string> = new Set(["FI_ABORTED", "FI_ENGINE_CLOSED", "FI_ENGINE_BUSY"]);

function scopeIn(facts: readonly RecordedBuildFact[]): { readonly scope?: string } {
  const scope = facts.find((fact) => fact.type === "FetchRequested")?.data.scope;
  return scope === undefined ? {} : { scope };
}

function repositoryOf(reference: string): string | undefined {
  const parsed = parseReference(reference);
  if (!parsed.ok) return undefined;
  const { domain, path } = parsed.reference;
  return formatReference({ domain, path });
}
