import { type ClusterOptions, type ClusterResult, fetchInCluster } from "./cluster.ts";
import { storeMakers } from "./store-makers.ts";
import type { StoreKind } from "./stores.ts";
import { bundleWorker } from "./worker-process.ts";

export interface CrashClusterOptions extends Pick<ClusterOptions, "processes" | "fetches" | "claimMs"> {
  readonly store: Exclude<StoreKind, "pglite">;
  /** Reads the packages' sources, instead of what is built of them. */
  readonly sources: boolean;
  /** Told of each run, in a line. */
  readonly onRun?: (line: string) => void;
}

/** Many processes, one question: nobody is killed, then who asks is, and its builds are taken up at once, then late. */
export async function crashCluster(
  options: CrashClusterOptions,
): Promise<{ readonly runs: number; readonly kills: number; readonly problem: string | undefined }> {
  await using maker = await storeMakers[options.store]();
  using program = await bundleWorker(options);
  let kills = 0;
  for (const death of deaths) {
    const result = await fetchInCluster({ ...options, maker, program, death });
    if (death !== "none") kills++;
    options.onRun?.(`${options.fetches} fetches by ${options.processes} processes, ${told[death]}: ${show(result)}`);
    const { manifestRequests } = result;
    const asked = `the registry was asked ${manifestRequests} times`;
    const [problem] = [...result.problems, ...(manifestRequests > mostRequests(death) ? [asked] : [])];
    if (problem !== undefined) return { runs: deaths.indexOf(death) + 1, kills, problem };
  }
  return { runs: deaths.length, kills, problem: undefined };
}

type Death = ClusterOptions["death"];

const deaths: readonly Death[] = ["none", "adopted", "waited-out"];

const told: { readonly [Kind in Death]: string } = {
  none: "nobody killed",
  adopted: "who asks killed, its builds taken up at once",
  "waited-out": "who asks killed, its builds taken up when all others have ended",
};

/** One for each that asked and died. */
function mostRequests(death: Death): number {
  return death === "none" ? 1 : 2;
}

function show({ manifestRequests, via, scopeReads, takeOverMs, milliseconds }: ClusterResult): string {
  const how = Object.entries(via).map(([name, count]) => `${count} ${name}`);
  const again = takeOverMs === undefined ? [] : [`asked again after ${Math.round(takeOverMs)} ms`];
  return [
    `${manifestRequests} manifest request${manifestRequests === 1 ? "" : "s"}`,
    ...how,
    `${scopeReads} reads of the scope`,
    ...again,
    `${Math.round(milliseconds)} ms in all`,
  ].join(", ");
}
