import { simulate } from "./simulate.ts";

// A small version of `pnpm simulate`: the same seeds every time, so that a failure is the change's and not the day's.
const firstSeed = Number(process.env["FETCH_IMAGE_SEED"] ?? 1);

/** What did not hold, and how to see it again; undefined where everything held for each of the seeds. */
export async function firstFailure(seeds: {
  readonly from: number;
  readonly count: number;
}): Promise<{ readonly problems: readonly string[]; readonly again: string } | undefined> {
  const first = firstSeed + seeds.from;
  for (let seed = first; seed < first + seeds.count; seed++) {
    const { problems } = await simulate(seed);
    if (problems.length > 0) return { problems, again: `pnpm simulate --seeds 1 --seed ${seed}` };
  }
  return undefined;
}
