import { FetchImageError, isDigest, parseGoDuration, showText } from "@fetch-image/core";
import type { Keep } from "@fetch-image/store/filesystem";

/**
 * What `--keep` asks for: an age (`7d`, `12h`, `1h30m`), a size (`20GB`, `512MiB`), a digest. Of several ages, and of
 * several sizes, the largest counts: what any of them keeps is kept. Throws `FI_USAGE`.
 */
export function keepRules(texts: readonly string[]): Keep {
  const ages: number[] = [];
  const sizes: number[] = [];
  const digests = texts.filter(isDigest);
  for (const text of texts.filter((one) => !isDigest(one))) {
    const [age, size] = [ageOf(text), sizeOf(text)];
    if (age !== undefined) ages.push(age);
    else if (size !== undefined) sizes.push(size);
    else throw noRule(text);
  }
  return {
    ...(ages.length === 0 ? {} : { usedWithinMs: Math.max(...ages) }),
    ...(sizes.length === 0 ? {} : { bytes: Math.max(...sizes) }),
    ...(digests.length === 0 ? {} : { digests }),
  };
}

const dayMs = 24 * 60 * 60 * 1000;

/** Milliseconds: as Go writes durations, and in days. */
function ageOf(text: string): number | undefined {
  const [, days, rest = ""] = /^(?:(\d{1,6})d)?(.*)$/s.exec(text) ?? [];
  if (days === undefined && rest === "") return undefined;
  const duration = rest === "" ? 0n : parseGoDuration(rest);
  if (duration === undefined || duration < 0n) return undefined;
  return Number(days ?? 0) * dayMs + Number(duration / 1_000_000n);
}

const units: { readonly [unit: string]: number } = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

function sizeOf(text: string): number | undefined {
  const [, amount = "", unit = ""] = /^(\d{1,12}(?:\.\d{1,3})?)([A-Za-z]+)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? undefined : Math.floor(Number(amount) * factor);
}

function noRule(text: string): FetchImageError {
  return new FetchImageError("FI_USAGE", {
    message: `--keep ${showText(text)} is neither an age, nor a size, nor a digest`,
    hint: "Write --keep 7d, --keep 20GB or --keep sha256:…; several keep what any of them keeps.",
  });
}
