import {
  parseSemanticVersion,
  parseVersionConstraint,
  type SemanticVersion,
  type VersionConstraint,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { seedFromEnv } from "./seed.ts";

export function check(property: fc.IProperty<unknown>, numRuns = 500): void {
  fc.assert(property, { seed: seedFromEnv(), numRuns });
}

/** Texts of versions that are often each other's neighbours: few numbers, few words. */
export function version(): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom("", "", "v"),
      numbers(),
      fc.oneof({ weight: 2, arbitrary: fc.constant("") }, preRelease()),
      fc.oneof({ weight: 9, arbitrary: fc.constant("") }, fc.constantFrom("+x", "+build.01")),
    )
    .map((parts) => parts.join(""));
}

export function finalVersion(): fc.Arbitrary<string> {
  return numbers();
}

/** `-rc.1`, with its dash. */
export function preRelease(): fc.Arbitrary<string> {
  const identifier = fc.oneof(
    fc.constantFrom("0", "1", "2", "10", "alpha", "beta", "rc", "-", "0a", "A", "18446744073709551616"),
    fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
    fc
      .string({ unit: fc.constantFrom(..."abzAZ019-".split("")), minLength: 1, maxLength: 4 })
      .filter((text) => !/^0\d+$/.test(text)),
  );
  return fc.array(identifier, { minLength: 1, maxLength: 3 }).map((identifiers) => `-${identifiers.join(".")}`);
}

/** One to three numbers, small ones most of the time. */
export function numbers({ least = 1 }: { readonly least?: number } = {}): fc.Arbitrary<string> {
  const number = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("0", "1", "2") },
    fc.constantFrom("3", "00", "01", "10", "2024", "18446744073709551615"),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  );
  return fc.array(number, { minLength: least, maxLength: 3 }).map((parts) => parts.join("."));
}

/** One condition without a pre-release: `>= 1.2`, `~1.x`. */
export function condition(): fc.Arbitrary<string> {
  const sign = fc.constantFrom("", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^");
  const wildcard = fc.tuple(numbers(), fc.constantFrom(".x", ".*", ".X")).map((parts) => parts.join(""));
  const short = wildcard.filter((text) => text.split(".").length <= 3);
  return fc
    .tuple(sign, fc.constantFrom("", " ", "\t"), fc.oneof({ weight: 4, arbitrary: numbers() }, short, fc.constant("*")))
    .map((parts) => parts.join(""));
}

/** Conditions of one alternative; where they name a pre-release, it is open to all of them. */
export function conditions(): fc.Arbitrary<string> {
  const one = fc.tuple(condition(), fc.oneof({ weight: 3, arbitrary: fc.constant("") }, preRelease()));
  return fc
    .tuple(fc.array(one, { minLength: 1, maxLength: 3 }), fc.constantFrom(", ", ",", " ", " , "))
    .map(([all, separator]) => all.map((parts) => parts.join("")).join(separator));
}

/** UTF-16 units in any order, lone surrogates among them. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
  return fc.string({ unit, maxLength });
}

export function readVersion(text: string): SemanticVersion {
  const parsed = parseSemanticVersion(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem}`);
  return parsed.version;
}

export function readConstraint(text: string): VersionConstraint {
  const parsed = parseVersionConstraint(text);
  if (!parsed.ok) throw parsed.error;
  return parsed.constraint;
}
