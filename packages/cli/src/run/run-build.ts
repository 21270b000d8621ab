import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { publicPlan } from "@fetch-image/core";
import type { CommandContext } from "../command.ts";
import { openEngine, openStores, projectToHead, type Stores, type Traffic } from "../compose.ts";
import { exitStatus } from "../exit-status.ts";
import { showError } from "../show-error.ts";
import { createStyle } from "../style.ts";
import { nextBuildId } from "./build-id.ts";
import { fetchImages } from "./fetch-images.ts";
import type { PreparedJob } from "./prepare-job.ts";
import { type ImageRow, nameOf, rowFormat, rowJson } from "./rows.ts";
import { showSummary } from "./summary.ts";

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
  for (let least = 1; ; least++) {
    const buildId = id ?? (await nextBuildId(stores, least));
    const { team, pipelineName: pipeline } = context;
    const plan = publicPlan(job.plan);
    await using build = await engine.openBuild({ id: buildId, team, pipeline, job: job.job, plan });
    const teller = createTeller(job, { ...context, buildId, stores });
    // Another node may draw the same number at the same time: whose first append was refused draws again.
    const taken = new AbortController();
    await fetchImages(job.wanted, {
      build,
      baseTypes: job.baseTypes,
      secrets: job.secrets,
      concurrency: settings.values.concurrency,
      signal: AbortSignal.any([context.signal, taken.signal]),
      onRow(row) {
        if (id === undefined && !teller.begun && isTaken(row)) taken.abort();
        else if (!taken.signal.aborted) teller.tell(row);
      },
    });
    if (taken.signal.aborted) {
      least = Number(buildId);
      continue;
    }
    await engine.project();
    const isStored = build.fetches().length > 0;
    if (isStored && context.idFile !== undefined) await writeFile(resolve(context.cwd, context.idFile), `${buildId}\n`);
    return teller.end({ traffic, isStored });
  }
}

function isTaken({ error }: ImageRow): boolean {
  return error?.code === "FI_BUILD_ADOPTED" || error?.code === "FI_WRONG_EXPECTED_REVISION";
}

/** Prints rows in the order of the plan, each as soon as all before it are there. */
function createTeller(
  { wanted, job }: PreparedJob,
  context: RunBuildContext & { readonly buildId: string; readonly stores: Stores },
) {
  const { terminal, json, secrets, signal, settings, buildId, team, pipelineName } = context;
  const format = rowFormat(wanted, { color: terminal.outColor, columns: terminal.outColumns });
  const rows = new Map<number, ImageRow>();
  const shown = new Set<string>();
  let printed = 0;
  let begun = false;

  const print = (row: ImageRow) => {
    // The check and the get of one type run in the same image: people are told once.
    const what = `${nameOf(row.wanted, wanted)} ${row.image}`;
    if (!json && row.error === undefined && shown.has(what)) return;
    shown.add(what);
    terminal.out(secrets.redact(json ? `${JSON.stringify(rowJson(buildId, row))}\n` : format.line(row)));
    if (json || row.error === undefined || row.error.code === "FI_ABORTED") return;
    terminal.err(secrets.redact(showError(row.error, { color: terminal.errColor })));
  };
  const begin = () => {
    if (begun) return;
    begun = true;
    if (json) return;
    terminal.err(`build ${buildId}: ${team}/${pipelineName}/${job}\n\n`);
    terminal.out(format.head);
  };
  return {
    /** Whether anything is printed: the build's number is ours. */
    get begun() {
      return begun;
    },
    tell(row: ImageRow) {
      rows.set(wanted.indexOf(row.wanted), row);
      // Until a fetch is stored, the number may still turn out to be taken.
      if (!begun && row.wanted.how !== "fetch" && rows.size < wanted.length) return;
      begin();
      for (let next = rows.get(printed); next !== undefined; next = rows.get(printed)) {
        print(next);
        printed++;
      }
      const left = wanted.length - rows.size;
      terminal.progress(left === 0 || json ? "" : `${rows.size} of ${wanted.length} images…`);
    },
    end({ traffic, isStored }: { readonly traffic: Traffic; readonly isStored: boolean }): number {
      begin();
      terminal.progress("");
      // Those after one that was never begun.
      for (const [index, row] of [...rows].sort(([a], [b]) => a - b)) if (index > printed) print(row);
      const all = [...rows.values()];
      if (!json) terminal.err(`\n${closing(all, { traffic, isStored })}`);
      if (signal.aborted) return exitStatus.interrupted;
      return all.some(({ error }) => error !== undefined) ? exitStatus.failed : exitStatus.done;
    },
  };

  function closing(
    all: readonly ImageRow[],
    { traffic, isStored }: { readonly traffic: Traffic; readonly isStored: boolean },
  ): string {
    const { quiet, bad } = createStyle(terminal.errColor);
    const summary = showSummary({
      rows: all,
      traffic,
      checkInterval: settings.values.checkInterval,
      color: terminal.errColor,
    });
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
