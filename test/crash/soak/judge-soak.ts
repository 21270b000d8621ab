/** What a soak looked at, at one time. */
export interface Sample {
  /** Since the load began. */
  readonly atMs: number;
  /** After a garbage collection, in bytes. */
  readonly heap: number;
  readonly rss: number;
  /** What keeps the event loop alive: sockets, timers, requests. */
  readonly handles: number;
  /** How long it took until the read model knew what was the newest fact when it was looked at. */
  readonly lagMs: number;
  /** The longest that the event loop was held up since the sample before. */
  readonly delayMs: number;
  readonly openBuilds: number;
}

export interface SoakBounds {
  /** By how much the heap may grow over the time that is judged, as its trend tells. */
  readonly heapGrowth: number;
  /** By how many the handles may. */
  readonly handleGrowth: number;
  readonly lagMs: number;
  /** More open builds than this, and the rate was not kept. */
  readonly openBuilds: number;
}

export function boundsAt(rate: number): SoakBounds {
  return { heapGrowth: 8 * 2 ** 20, handleGrowth: 16, lagMs: 10_000, openBuilds: 20 * rate };
}

/** What does not hold of the samples. Their first fifth is the time in which what is kept comes to its size. */
export function judgeSoak(samples: readonly Sample[], bounds: SoakBounds): readonly string[] {
  const judged = samples.slice(Math.floor(samples.length / 5));
  if (judged.length < 4) return ["there are too few samples to judge by"];
  const growth = trend(judged.map(({ atMs, heap }) => [atMs, heap]));
  const handles = trend(judged.map(({ atMs, handles: count }) => [atMs, count]));
  const lag = Math.max(...judged.map(({ lagMs }) => lagMs));
  const open = Math.max(...judged.map(({ openBuilds }) => openBuilds));
  const found: (readonly [boolean, string])[] = [
    [growth > bounds.heapGrowth, `memory grows: ${mebibytes(growth)} more at the end`],
    [handles > bounds.handleGrowth, `handles leak: ${Math.round(handles)} more at the end`],
    [lag > bounds.lagMs, `the read model was ${Math.round(lag)} ms behind`],
    [open > bounds.openBuilds, `the rate was not kept: ${open} builds were open`],
  ];
  return found.flatMap(([isSo, what]) => (isSo ? [what] : []));
}

/** By how much a line through the points rises from the first to the last: the median of all slopes (Theil and Sen). */
function trend(points: readonly (readonly [at: number, value: number])[]): number {
  const slopes = points.flatMap(([at, value], index) =>
    points.slice(index + 1).map(([later, other]) => (other - value) / (later - at)),
  );
  slopes.sort((a, b) => a - b);
  const slope = slopes[Math.floor(slopes.length / 2)] ?? 0;
  return slope * ((points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0));
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
