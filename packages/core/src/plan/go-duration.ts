const nanoseconds: { readonly [unit: string]: bigint } = {
  ns: 1n,
  us: 1_000n,
  // The micro sign and the Greek letter look alike; Go takes both.
  "\u00b5s": 1_000n,
  "\u03bcs": 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const amount = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;
const whole = /^[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/;
const longest = 2n ** 63n - 1n;

/**
 * A duration as Go's time.ParseDuration reads it (`1m`, `1.5h`, `1h30m`), written as Go's Duration.String writes it
 * (`1m0s`, `1h30m0s`); undefined for any other text, and beyond the 292 years that Go can hold.
 */
export function goDuration(text: string): string | undefined {
  const total = parseGoDuration(text);
  if (total === undefined) return undefined;
  return total < 0n ? `-${written(-total)}` : written(total);
}

/** Nanoseconds of a duration as Go's time.ParseDuration reads it; undefined for any other text. */
export function parseGoDuration(text: string): bigint | undefined {
  // One check is asked for after another, and most of them as often.
  if (text !== last.text) last = { text, total: parsed(text) };
  return last.total;
}

let last: { readonly text: string; readonly total: bigint | undefined } = { text: "0", total: 0n };

function parsed(text: string): bigint | undefined {
  if (text.length > 100 || !whole.test(text)) return undefined;
  let total = 0n;
  for (const [, integer = "", fraction = "", unit = ""] of text.matchAll(amount)) {
    const size = nanoseconds[unit] ?? 0n;
    total += BigInt(integer === "" ? 0 : integer) * size;
    if (fraction !== "") total += (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
  }
  if (total > longest) return undefined;
  return text.startsWith("-") ? -total : total;
}

function written(total: bigint): string {
  if (total === 0n) return "0s";
  if (total < 1_000n) return `${total}ns`;
  if (total < 1_000_000n) return `${decimal(total, 1_000n)}\u00b5s`;
  if (total < 1_000_000_000n) return `${decimal(total, 1_000_000n)}ms`;
  const minutes = total / 60_000_000_000n;
  const seconds = `${decimal(total % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

function decimal(value: bigint, unit: bigint): string {
  const rest = (value % unit)
    .toString()
    .padStart(unit.toString().length - 1, "0")
    .replace(/0+$/, "");
  return `${value / unit}${rest === "" ? "" : `.${rest}`}`;
}
