/** @typedef {import("./entrant.mjs").Segment} Segment */

const mebibyte = 2 ** 20;

/** What is told of a contestant, beside its rate: what a segment has of it, undefined where it has nothing. */
const figures = [
  { name: "p50", unit: "ms", of: ({ p50 }) => p50 },
  { name: "p99", unit: "ms", of: ({ p99 }) => p99 },
  { name: "worker-cpu", unit: "s", per: "1000", of: ({ cpuSeconds, count }) => (cpuSeconds / count) * 1000 },
  {
    name: "server-cpu",
    unit: "s",
    per: "1000",
    of: ({ serverCpuSeconds, count }) =>
      serverCpuSeconds === undefined ? undefined : (serverCpuSeconds / count) * 1000,
  },
  { name: "gc-share", unit: "1", of: ({ gcShare }) => gcShare },
  { name: "rss", unit: "MiB", of: ({ rss }) => rss / mebibyte },
];

/**
 * Emits every figure of every contestant, with its ratio to the first one's, and shows a table on standard error.
 * `<name>-over-<first>` is the median of the rounds' own ratios, which a machine that is busy for a while disturbs less.
 * @param {(measurement: object) => void} emit
 * @param {Map<string, Segment[]>} results
 * @param {{names: readonly string[], inFlight: readonly number[]}} shape
 */
export function report(emit, results, { names: [base, ...others], inFlight }) {
  for (const many of inFlight) {
    const rows = [];
    const bases = results.get(`${base}-${many}`) ?? [];
    for (const name of [base, ...others]) {
      const segments = results.get(`${name}-${many}`) ?? [];
      const told = { perSecond: summary(segments.map(({ perSecond }) => perSecond)) };
      const key = `${name}-${many}`;
      const compared = (suffix) => (name === base ? {} : { ratioTo: `${base}-${many}${suffix}` });
      emit({ name: key, unit: "1", per: "s", ...compared(""), ...told.perSecond });
      for (const { name: figure, unit, per, of } of figures) {
        const samples = segments.map(of).filter((sample) => sample !== undefined);
        if (samples.length === 0) continue;
        told[figure] = summary(samples);
        const hasBase = bases.every((segment) => of(segment) > 0);
        const ratio = hasBase ? compared(`-${figure}`) : {};
        emit({ name: `${key}-${figure}`, unit, ...(per === undefined ? {} : { per }), ...ratio, ...told[figure] });
      }
      told.ratio = summary(segments.map(({ perSecond }, round) => perSecond / bases[round].perSecond));
      if (name !== base) emit({ name: `${key}-over-${base}`, unit: "x", ...told.ratio });
      rows.push({ name, told });
    }
    process.stderr.write(`\n${many} in flight\n${table(rows)}`);
  }
}

function table(rows) {
  const heads = [
    "contestant",
    "1/s",
    "spread",
    "ratio",
    "p50 ms",
    "p99 ms",
    "worker s/1000",
    "server s/1000",
    "gc",
    "MiB",
  ];
  const lines = rows.map(({ name, told }) => [
    name,
    told.perSecond.value.toFixed(0),
    told.perSecond.spread.toFixed(2),
    told.ratio.value.toFixed(2),
    told.p50.value.toFixed(2),
    told.p99.value.toFixed(2),
    told["worker-cpu"].value.toFixed(3),
    told["server-cpu"]?.value.toFixed(3) ?? "",
    told["gc-share"].value.toFixed(2),
    told.rss.value.toFixed(0),
  ]);
  const all = [heads, heads.map(() => "-"), ...lines];
  const widths = heads.map((_, column) => Math.max(...all.map((line) => line[column].length)));
  const cell = (text, column) => (text === "-" ? "-".repeat(widths[column]) : text.padEnd(widths[column]));
  return all.map((line) => `| ${line.map(cell).join(" | ")} |\n`).join("");
}

/** The median, and the spread around it: (largest − smallest) / median. */
export function summary(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const value = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  // A very short run may have used less CPU than the clock can tell.
  return { value, runs: sorted.length, spread: value === 0 ? 0 : (sorted.at(-1) - sorted[0]) / value };
}
