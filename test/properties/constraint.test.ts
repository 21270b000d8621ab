import {
  type FetchImageError,
  formatVersionConstraint,
  parseVersionConstraint,
  satisfiesConstraint,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  anyText,
  check,
  condition,
  conditions,
  finalVersion,
  numbers,
  preRelease,
  readConstraint,
  readVersion,
  version,
} from "./version-arbitraries.ts";

const allows = (constraint: string, text: string) => satisfiesConstraint(readVersion(text), readConstraint(constraint));

/** Every version comes at or after it, and it opens what it stands in to pre-releases. */
const everything = ">=0.0.0-0";

describe("conditions combine", () => {
  test("A, B allows a final version that A allows and B allows", () => {
    check(
      fc.property(conditions(), conditions(), finalVersion(), (a, b, text) => {
        expect(allows(`${a}, ${b}`, text)).toBe(allows(a, text) && allows(b, text));
      }),
      2000,
    );
  });

  test("A, B allows a pre-release that both allow once they are open, where one of them is", () => {
    check(
      fc.property(conditions(), conditions(), numbers(), preRelease(), (a, b, final, pre) => {
        const text = `${final}${pre}`;
        const isOpen = readConstraint(`${a}, ${b}`).alternatives[0]?.preReleases === true;
        const both = allows(`${a}, ${everything}`, text) && allows(`${b}, ${everything}`, text);
        expect(allows(`${a}, ${b}`, text)).toBe(isOpen && both);
      }),
      2000,
    );
  });

  test("A || B allows what A allows or B allows, pre-releases and all", () => {
    check(
      fc.property(conditions(), conditions(), fc.constantFrom("||", " || "), version(), (a, b, or, text) => {
        expect(allows(`${a}${or}${b}`, text)).toBe(allows(a, text) || allows(b, text));
      }),
      2000,
    );
  });

  test("in any order, and a blank is a comma", () => {
    check(
      fc.property(conditions(), conditions(), version(), (a, b, text) => {
        expect(allows(`${a}, ${b}`, text)).toBe(allows(`${b} ${a}`, text));
        expect(allows(`${a} || ${b}`, text)).toBe(allows(`${b}||${a}`, text));
        expect(allows(`${a}, ${a}`, text)).toBe(allows(a, text));
      }),
    );
  });

  test("no condition lets a pre-release in by itself", () => {
    check(
      fc.property(fc.array(condition(), { minLength: 1, maxLength: 4 }), numbers(), preRelease(), (all, final, pre) => {
        expect(allows(all.join(", "), `${final}${pre}`)).toBe(false);
      }),
    );
  });
});

describe("of a bound with one to three numbers", () => {
  test.each([
    ["=", "!="],
    [">", "<="],
    ["<", ">="],
  ])("a final version is allowed by either %s or %s", (sign, opposite) => {
    check(
      fc.property(numbers(), finalVersion(), (bound, text) => {
        expect(allows(`${sign}${bound}`, text)).toBe(!allows(`${opposite}${bound}`, text));
      }),
      1000,
    );
  });

  test.each([
    ["=", "!="],
    [">", "<="],
    ["<", ">="],
  ])("with a pre-release, all three of them, any version is allowed by either %s or %s", (sign, opposite) => {
    check(
      fc.property(numbers({ least: 3 }), preRelease(), version(), (final, pre, text) => {
        expect(allows(`${sign}${final}${pre}`, text)).toBe(!allows(`${opposite}${final}${pre}`, text));
      }),
      1000,
    );
  });

  test("exactly one of before, within and past it is true of a final version", () => {
    check(
      fc.property(numbers(), finalVersion(), (bound, text) => {
        expect([`<${bound}`, `=${bound}`, `>${bound}`].filter((constraint) => allows(constraint, text))).toHaveLength(
          1,
        );
      }),
      1000,
    );
  });

  test("= is within ~, that within ^, and that within >=, from 1 on", () => {
    check(
      fc.property(numbers(), version(), (tail, text) => {
        const bound = `1.${tail}`.split(".").slice(0, 3).join(".");
        const wider = [`=${bound}`, `~${bound}`, `^${bound}`, `>=${bound}`].map((constraint) =>
          allows(constraint, text),
        );
        expect(wider.toSorted((a, b) => Number(a) - Number(b))).toEqual(wider);
      }),
      1000,
    );
  });

  test("signs that are written differently mean the same", () => {
    check(
      fc.property(numbers(), version(), fc.constantFrom("", "-0"), (bound, text, pre) => {
        const of = (sign: string) => allows(`${sign}${bound}${pre}`, text);
        expect([of(""), of("=>"), of("=<"), of("~>")]).toEqual([of("="), of(">="), of("<="), of("~")]);
      }),
    );
  });

  test("a bare one or two numbers mean ~, and what is missing is a wildcard", () => {
    check(
      fc.property(numbers({ least: 2 }), version(), fc.constantFrom("x", "X", "*"), (bound, text, wildcard) => {
        const [major = "", minor = ""] = bound.split(".");
        for (const short of [major, `${major}.${minor}`]) {
          expect(allows(short, text)).toBe(allows(`~${short}`, text));
          expect(allows(`${short}.${wildcard}`, text)).toBe(allows(short, text));
        }
      }),
    );
  });

  test("a v, zeros before a number and metadata change nothing", () => {
    check(
      fc.property(
        fc.constantFrom("=", "!=", ">", "<", ">=", "<=", "~", "^"),
        numbers(),
        version(),
        (sign, bound, text) => {
          const dressed = `v${bound.replace(/(^|\.)/g, "$10")}+x`;
          expect(allows(`${sign} ${dressed}`, text)).toBe(allows(`${sign}${bound}`, text));
        },
      ),
    );
  });

  test("A - B means >= A, <= B", () => {
    check(
      fc.property(numbers(), numbers(), preRelease(), version(), (from, to, pre, text) => {
        expect(allows(`${from} - ${to}`, text)).toBe(allows(`>=${from}, <=${to}`, text));
        expect(allows(`${from}${pre}  -\t${to}`, text)).toBe(allows(`>=${from}${pre}, <=${to}`, text));
      }),
    );
  });
});

test("a constraint that is written anew allows the same versions, and is written the same", () => {
  check(
    fc.property(fc.array(conditions(), { minLength: 1, maxLength: 3 }), version(), (alternatives, text) => {
      const constraint = readConstraint(alternatives.join("||"));
      const anew = readConstraint(formatVersionConstraint(constraint));
      expect(anew.alternatives).toEqual(constraint.alternatives);
      expect(satisfiesConstraint(readVersion(text), anew)).toBe(satisfiesConstraint(readVersion(text), constraint));
      expect(formatVersionConstraint(anew)).toBe(formatVersionConstraint(constraint));
    }),
  );
});

describe("whatever the text", () => {
  const anything = fc.oneof(
    anyText(600),
    fc.string({ unit: fc.constantFrom(..."012.xX*|-+=<>!~^v ,\t\naé\ud800".split("")), maxLength: 600 }),
    fc
      .array(fc.oneof(conditions(), fc.constantFrom(" - ", "||", " ", ",", "|")), { maxLength: 8 })
      .map((all) => all.join("")),
  );

  test("parsing does not throw, and an error is bounded, printable and points into the text", () => {
    check(
      fc.property(anything, (text) => {
        const parsed = parseVersionConstraint(text);
        expect(parsed.ok ? parsed.constraint.text : text).toBe(text);
        expect(parsed.ok ? [] : complaintsAbout(parsed.error, text)).toEqual([]);
      }),
      3000,
    );
  });

  test("the worst of the longest takes a moment, and one of 64 KiB none at all", () => {
    const units = [
      " ",
      "1  ",
      "1 ",
      "1,",
      "1||",
      "1 - ",
      "1 - 1 ",
      "1-a",
      "-",
      "1.",
      "|",
      "x.",
      "1.2.3-a.",
      "1+a.",
      ">",
      "1  - 1,",
    ];
    const texts = units.flatMap((unit) =>
      [512, 65_536].map((length) => `${unit.repeat(length).slice(0, length - 1)}!`),
    );
    const started = performance.now();
    for (const text of texts) expect(parseVersionConstraint(text).ok).toBe(false);
    // Linear, it is a hundredth of this; by the original's pattern in a backtracking engine it would be for ever.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

function complaintsAbout(error: FetchImageError, text: string): string[] {
  const position = Number(error.details["position"]);
  const rules: [kept: boolean, complaint: string][] = [
    [error.code === "FI_SOURCE_INVALID", "another code"],
    [error.message.length < 300, "too long a message"],
    [!/[\p{Cc}\p{Cs}]/u.test(error.message), "something unprintable in the message"],
    [position >= 1 && position <= text.length + 1, `position ${position}, outside of the text`],
  ];
  return rules.flatMap(([kept, complaint]) => (kept ? [] : [complaint]));
}
