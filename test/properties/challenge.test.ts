import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseChallenges } from "@fetch-image/registry";
import { seedFromEnv } from "./seed.ts";

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const blanks = fc.stringMatching(/^[ \t]{0,3}$/);
const text = fc.string({ unit: "binary-ascii", maxLength: 40 });

interface Written {
  readonly scheme: string;
  readonly parameters: readonly (readonly [string, string])[];
}

const challenge: fc.Arbitrary<Written> = fc.record({
  scheme: token,
  parameters: fc.uniqueArray(fc.tuple(token, text), {
    minLength: 1,
    maxLength: 5,
    selector: ([name]) => name.toLowerCase(),
  }),
});

/** Writes challenges as RFC 7235 allows it, with blanks wherever it allows them. */
function write({ scheme, parameters }: Written, space: string): string {
  const list = parameters.map(([name, value]) => {
    const quoted = value.replaceAll(/["\\]/g, String.raw`\$&`);
    return `${name}${space}=${space}"${quoted}"`;
  });
  return `${scheme} ${list.join(`${space},${space}`)}`;
}

test("what is written by the grammar is read as it was meant", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(challenge, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
      blanks,
      (headers, space) => {
        const written = headers.map((challenges) => challenges.map((one) => write(one, space)).join(`${space}, `));
        const expected = headers
          .flat()
          .map(({ scheme, parameters }) => [
            scheme.toLowerCase(),
            parameters.map(([name, value]) => [name.toLowerCase(), value]),
          ]);
        expect(parseChallenges(written).map(({ scheme, parameters }) => [scheme, [...parameters]])).toEqual(expected);
      },
    ),
    { seed: seedFromEnv(), numRuns: 300 },
  );
});

test("whatever is written, reading it ends, throws nothing and makes nothing up", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 200 }), { maxLength: 3 }), (headers) => {
      const lower = headers.join(",").toLowerCase();
      for (const { scheme, parameters } of parseChallenges(headers)) {
        expect(lower).toContain(scheme);
        for (const name of parameters.keys()) expect(lower).toContain(name);
      }
    }),
    { seed: seedFromEnv(), numRuns: 500 },
  );
});
