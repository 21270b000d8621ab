import {
  buildFactToStore,
  buildStream,
  type EventLog,
  type ExpectedRevision,
  FetchImageError,
  type Hash,
  type NewFact,
  rendererVersion,
  type TraceContext,
} from "@fetch-image/core/fetching";
import type { OpenBuildOptions } from "./build-api.ts";

export interface PrefaceContext {
  readonly node: string;
  readonly hash: Hash;
  /** Milliseconds since the epoch: of the first of this process's facts. */
  readonly at: number;
  /** Which of this process's openings it is. */
  readonly opening: number;
  /** Who wrote the build before; null for a new one. */
  readonly writer: string | null;
  readonly trace: TraceContext | undefined;
}

/** The facts that stand before the first one this process writes: the build's opening, or its adoption. */
export function preface(options: OpenBuildOptions, expected: ExpectedRevision, context: PrefaceContext): NewFact[] {
  const { id, team, pipeline, job, plan } = options;
  const { node, hash, at, opening, writer, trace } = context;
  const where = { stream: buildStream(id), buildId: id, node, at, trace };
  if (expected !== "no-stream") {
    // The incarnation is part of the id: two nodes that adopt at one revision must not pass for one.
    const key = `adopted\n${expected}\n${node}\n${opening}`;
    const data = { buildId: id, from: writer ?? "" };
    return [buildFactToStore({ type: "BuildAdopted", data }, { key, ...where }, hash)];
  }
  const opened = {
    buildId: id,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
    renderer: rendererVersion,
  };
  const key = `opened\n${node}\n${opening}`;
  const first = buildFactToStore({ type: "BuildOpened", data: opened }, { key, ...where }, hash);
  if (plan === undefined) return [first];
  const planned = { type: "BuildPlanned", data: { buildId: id, plan } } as const;
  return [first, buildFactToStore(planned, { key: `planned\n${node}\n${opening}`, ...where }, hash)];
}

/** What a build's writer met where the stream is not where it left it: whoever adopted the build is named. */
export async function explainConflict(
  { eventLog, node }: { readonly eventLog: EventLog; readonly node: string },
  buildId: string,
  conflict: FetchImageError,
): Promise<FetchImageError> {
  const recorded = await eventLog.read(buildStream(buildId), { direction: "backwards" });
  const adoption = recorded.find(({ type }) => type === "BuildAdopted" || type === "BuildOpened");
  const writer = adoption?.metadata["node"];
  if (writer === node || typeof writer !== "string") return conflict;
  return new FetchImageError("FI_BUILD_ADOPTED", {
    message: `build ${buildId} is written by ${writer} now; ${node} writes nothing more of it`,
    details: { build: buildId, writer, node },
    cause: conflict,
  });
}
