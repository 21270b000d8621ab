import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type BuildStatus, publicPlan } from "@fetch-image/core";
import type { CommandContext } from "../command.ts";
import { openEngine, type Traffic } from "../open-engine.ts";
import { openStores, projectToHead } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { showError } from "../show-error.ts";
import { createStyle } from "../style.ts";
import { nextBuildId } from "./build-id.ts";
import { fetchImages } from "./fetch-images.ts";
import type { PreparedJob } from "./prepare-job.ts";
import { type ImageRow, nameOf, rowFormat, rowJson } from "./rows.ts";
import { showSummary } from "./summary.ts";
import { tellSetbacks } from "./tell-setbacks.ts";

export type RunBuildContext = CommandContext & {
  /** The next number, where it is left out. */
  readonly id: string | undefined;
  /** Where the id is written. */
  readonly idFile: string | undefined;
  readonly team: string;
  readonly pipelineName: string;
};

/** Runs the job's fetches as a build, telling of each; gives the exit status. */
export async function runBuild(job: PreparedJob, context: RunBuildContext): Promise<number> {
  const { settings, logger, id } = context;
  await using stores = await openStores(settings, { access: "write", logger });
  await using wired = await openEngine(settings, { stores, logger });
  const { engine, traffic } = wired;
  if (id === undefined) await projectToHead(stores, logger);
  const buildId = id ?? (await nextBuildId(stores));
  const { team, pipelineName: pipeline } = context;
  const plan = publicPlan(job.plan);
  const since = Date.now();
  await using build = await engine.openBuild({ id: buildId, team, pipeline, job: job.job, plan });
  const teller = createTeller(job, { ...context, buildId });
  const native = settings.values.runtime === "kubernetes";
  const isStored = job.wanted.some(({ how }) => how === "fetch" || (how === "built" && native));
  if (isStored) await build.append({ key: "started", event: "status", data: { status: "started" } });
  const tell = (setback: string) => teller.warn(setback);
  const telling = tellSetbacks({ eventLog: stores.eventLog, buildId, since, tell });
  try {
    await fetchImages(job.wanted, {
      build,
      baseTypes: job.baseTypes,
      baseTypePrefix: settings.values.baseTypePrefix,
      secrets: job.secrets,
      native,
      concurrency: settings.values.concurrency,
      signal: context.signal,
      onRow: (row) => teller.tell(row),
    });
  } finally {
    await telling.end();
  }
  if (isStored) await build.append({ key: "ended", event: "status", data: { status: teller.status() } });
  await engine.project();
  if (isStored && context.idFile !== undefined) await writeFile(resolve(context.cwd, context.idFile), `${buildId}\n`);
  return teller.end({ traffic, isStored });
}

/** Prints rows in the order of the plan, each as soon as all before it are there. */
function createTeller({ wanted, job }: PreparedJob, context: RunBuildContext & { readonly buildId: string }) {
  const { terminal, json, secrets, signal, settings, buildId, team, pipelineName } = context;
  const format = rowFormat(wanted, { color: terminal.outColor, columns: terminal.outColumns });
  const { warning: warned } = createStyle(terminal.errColor);
  const redact = (text: string) => secrets.redact(text);
  const rows = new Map<number, ImageRow>();
  const shown = new Set<string>();
  let printed = 0;
  if (!json) {
    // A build of which nothing will be stored has no number that anybody could ask for.
    const stored = wanted.some(({ how }) => how === "fetch" || how === "built");
    terminal.err(`${stored ? `build ${buildId}: ` : ""}${team}/${pipelineName}/${job}\n\n`);
    if (wanted.length > 0) terminal.out(format.head);
  }

  const print = (row: ImageRow) => {
    if (json) {
      terminal.out(`${JSON.stringify(rowJson(buildId, row, redact))}\n`);
      return;
    }
    // The check and the get of one type run in the same image: people are told once.
    const what = `${nameOf(row.wanted, wanted)} ${row.image}`;
    if (row.error === undefined && shown.has(what)) return;
    shown.add(what);
    terminal.out(format.line(row));
    if (row.error === undefined || row.error.code === "FI_ABORTED") return;
    const failed = `${nameOf(row.wanted, wanted)}: `;
    terminal.err(redact(showError(row.error, { color: terminal.errColor, what: failed })));
  };
  return {
    tell(row: ImageRow) {
      rows.set(
        wanted.findIndex((one) => one === row.wanted),
        row,
      );
      for (let next = rows.get(printed); next !== undefined; next = rows.get(printed)) {
        print(next);
        printed++;
      }
      const left = wanted.length - rows.size;
      terminal.progress(left === 0 || json ? "" : `${rows.size} of ${wanted.length} images…`);
    },
    /** Of a fetch that goes on. */
    warn(setback: string) {
      if (!json) terminal.err(redact(`${warned("warning")}: ${setback}\n`));
    },
    /** In Concourse's terms. A build that was resumed keeps the status with which it ended first. */
    status(): BuildStatus {
      if (signal.aborted) return "aborted";
      return [...rows.values()].some(({ error }) => error !== undefined) ? "errored" : "succeeded";
    },
    end(ending: { readonly traffic: Traffic; readonly isStored: boolean }): number {
      terminal.progress("");
      // An interrupt leaves gaps: what stands behind one was not printed yet.
      for (const [index, row] of [...rows].sort(([a], [b]) => a - b)) if (index > printed) print(row);
      const all = [...rows.values()];
      if (!json) terminal.err(`\n${closing(all, ending)}`);
      if (signal.aborted) return exitStatus.interrupted;
      return all.some(({ error }) => error !== undefined) ? exitStatus.failed : exitStatus.done;
    },
  };

  function closing(
    all: readonly ImageRow[],
    { traffic, isStored }: { readonly traffic: Traffic; readonly isStored: boolean },
  ): string {
    const { quiet, bad } = createStyle(terminal.errColor);
    const { checkInterval } = settings.values;
    const summary = showSummary({ rows: all, traffic, checkInterval, color: terminal.errColor });
    const unbegun = wanted.length - all.length;
    const interrupted = signal.aborted
      ? `${bad("interrupted")}: ${unbegun} not begun; what was under way is recorded as aborted.\n`
      : "";
    const next = isStored
      ? `fetch-image log ${buildId}: the build log. fetch-image why ${buildId}: why these digests.`
      : "Nothing had to be fetched, so nothing was stored.";
    return `${summary}${interrupted}${quiet(next)}\n`;
  }
}
