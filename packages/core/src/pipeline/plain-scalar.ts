/**
 * What a plain (unquoted) YAML scalar means to Concourse, whose parser is Go's yaml.v2 (resolve.go): YAML 1.1's words
 * for booleans, `0x`/`0o`/`0b` and leading-zero octal integers, underscores in numbers, no dates. A number is a double,
 * as it is once Concourse has carried it through JSON; infinities and NaN, which JSON cannot carry, come back as such.
 */
export function readPlainScalar(text: string): string | number | boolean | null {
  if (words.has(text)) return words.get(text) ?? null;
  if (!/^[-+.\d]/.test(text) || text.length > 400) return text;
  const special = /^([-+]?)\.(?:inf|Inf|INF)$/.exec(text);
  if (special !== null) return special[1] === "-" ? -Infinity : Infinity;
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return NaN;
  return readNumber(text.replaceAll("_", "")) ?? text;
}

const words: ReadonlyMap<string, boolean | null> = new Map([
  ...spellings(true, ["y", "yes", "true", "on"]),
  ...spellings(false, ["n", "no", "false", "off"]),
  ...spellings(null, ["null"]),
  ["~", null],
  ["", null],
]);

function spellings<Meaning>(meaning: Meaning, texts: readonly string[]): [string, Meaning][] {
  return texts
    .flatMap((text) => [text, text.slice(0, 1).toUpperCase() + text.slice(1), text.toUpperCase()])
    .map((text) => [text, meaning]);
}

function readNumber(text: string): number | undefined {
  const [, sign = "", digits = ""] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  const magnitude = readInteger(digits) ?? readFloat(digits);
  if (magnitude === undefined) return undefined;
  return sign === "-" && magnitude !== 0 ? -magnitude : magnitude;
}

function readInteger(digits: string): number | undefined {
  if (/^0[0-7]+$/.test(digits)) return Number.parseInt(digits, 8);
  if (/^(?:0[xX][\dA-Fa-f]+|0[oO][0-7]+|0[bB][01]+)$/.test(digits)) return Number(digits);
  return undefined;
}

function readFloat(digits: string): number | undefined {
  return /^(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(digits) ? Number(digits) : undefined;
}
