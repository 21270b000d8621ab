import { compareSemanticVersions, formatSemanticVersion, parseSemanticVersion } from "@fetch-image/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyText, check, finalVersion, preRelease, readVersion, version } from "./version-arbitraries.ts";

const compare = (a: string, b: string) => compareSemanticVersions(readVersion(a), readVersion(b));

describe("the order of versions", () => {
  test("is the same from both sides, and each is its own equal", () => {
    check(
      fc.property(version(), version(), (a, b) => {
        expect(compare(a, b) + compare(b, a)).toBe(0);
        expect(compare(a, a)).toBe(0);
      }),
    );
  });

  test("goes through: what comes before one that comes before a third, comes before that", () => {
    check(
      fc.property(fc.array(version(), { minLength: 3, maxLength: 3 }), (texts) => {
        const [a, b, c] = texts.map(readVersion).sort(compareSemanticVersions);
        if (a === undefined || b === undefined || c === undefined) throw new Error("three versions have become fewer");
        expect(compareSemanticVersions(a, b)).toBeLessThanOrEqual(0);
        expect(compareSemanticVersions(b, c)).toBeLessThanOrEqual(0);
        expect(compareSemanticVersions(a, c)).toBe(
          Math.min(compareSemanticVersions(a, b), compareSemanticVersions(b, c)),
        );
      }),
      2000,
    );
  });

  test("has equals only where everything but metadata is the same when written in full", () => {
    const inFull = (text: string) => formatSemanticVersion({ ...readVersion(text), metadata: "" });
    check(
      fc.property(version(), version(), (a, b) => {
        expect(compare(a, b) === 0).toBe(inFull(a) === inFull(b));
      }),
      2000,
    );
  });

  test("puts each pre-release before its final version and after the one before that", () => {
    check(
      fc.property(fc.nat(5), fc.nat(5), fc.nat(5), preRelease(), (major, minor, patch, pre) => {
        expect(compare(`${major}.${minor}.${patch}${pre}`, `${major}.${minor}.${patch}`)).toBe(-1);
        expect(compare(`${major}.${minor}.${patch}`, `${major}.${minor}.${patch + 1}${pre}`)).toBe(-1);
        expect(compare(`${major}.${minor}.${patch}`, `${major}.${minor + 1}.0${pre}`)).toBe(-1);
      }),
    );
  });

  test("puts a longer pre-release after its beginning", () => {
    check(
      fc.property(finalVersion(), preRelease(), preRelease(), (numbers, pre, more) => {
        expect(compare(`${numbers}${pre}`, `${numbers}${pre}.${more.slice(1)}`)).toBe(-1);
      }),
    );
  });

  test("takes no notice of a v, of zeros before a number or of metadata", () => {
    check(
      fc.property(version(), version(), (text, other) => {
        const { preRelease: pre, ...numbers } = readVersion(text);
        const end = `${pre === "" ? "" : `-${pre}`}+other`;
        const dressed = `v0${numbers.major}.00${numbers.minor}.0${numbers.patch}${end}`;
        expect(compare(text, dressed)).toBe(0);
        expect(compare(dressed, other)).toBe(compare(text, other));
      }),
    );
  });
});

test("parsing what was written in full gives the same version, and the same text", () => {
  check(
    fc.property(version(), (text) => {
      const parsed = readVersion(text);
      const full = formatSemanticVersion(parsed);
      expect(readVersion(full)).toEqual({ ...parsed, text: full });
      expect(formatSemanticVersion(readVersion(full))).toBe(full);
    }),
  );
});

describe("whatever the text", () => {
  test("parsing does not throw, and what is taken keeps its text", () => {
    const anything = fc.oneof(
      anyText(300),
      fc.string({ unit: fc.constantFrom(..."v019.-+aZ_ \n\ud800é".split("")), maxLength: 300 }),
      version(),
    );
    check(
      fc.property(anything, (text) => {
        const parsed = parseSemanticVersion(text);
        const says = parsed.ok ? `it is ${parsed.version.text === text ? "kept" : "changed"}` : parsed.problem;
        expect(says).toMatch(/^it(?:s pre-release)? [\x20-\x7e]{1,100}$/);
        expect(says).not.toBe("it is changed");
      }),
      2000,
    );
  });

  test("a text longer than any version is refused for its length alone, up to 64 KiB", () => {
    const unit = fc.constantFrom("1", "1.", "0", "a", "-", "1.0.0-", "a.", "+", "v", "\ud800", " ");
    check(
      fc.property(unit, fc.constantFrom(257, 4_096, 65_536), (unit, length) => {
        const text = unit.repeat(length).slice(0, length);
        const parsed = parseSemanticVersion(text);
        expect(parsed.ok ? "" : parsed.problem).toBe(`it has ${length} characters, and no version has more than 256`);
      }),
      60,
    );
  });
});
