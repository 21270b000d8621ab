// The build log of any build: one text, harmless to a terminal, that ends every fetch.
import { isBuildFact, renderBuildLog, renderFact, replayBuild } from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type AnyFact, anyFacts } from "./any-facts.ts";
import { seedFromEnv } from "./seed.ts";

test("any build has a log, the same each time, and the same with colours taken away", () => {
  fc.assert(
    fc.property(anyFacts(), (facts) => {
      const log = renderBuildLog(ofBuild(facts));
      expect(renderBuildLog(ofBuild(facts))).toBe(log);
      // oxlint-disable-next-line no-control-regex -- the colours' own sequences
      expect(renderBuildLog(ofBuild(facts), { color: true }).replaceAll(/\u001b\[\d+m/g, "")).toBe(log);
    }),
    { seed: seedFromEnv() },
  );
});

test("no stored string gives a terminal anything to obey", () => {
  fc.assert(
    fc.property(anyFacts(), (facts) => {
      const lines = renderBuildLog(ofBuild(facts)).split("\n");
      replayBuild(ofBuild(facts), ({ fact, after, says }) => lines.push(renderFact(fact, { after, says })));
      expect(lines.filter((line) => obeyed.test(line))).toEqual([]);
    }),
    { seed: seedFromEnv() },
  );
});

test("each fetch has a section, and ends in it or says what it waits for", () => {
  fc.assert(
    fc.property(anyFacts(), (facts) => {
      const [, ...sections] = renderBuildLog(ofBuild(facts)).slice(0, -1).split("\n\n");
      const { fetches } = replayBuild(ofBuild(facts));
      const end = /^ {2}[\d:. -]+ +\+\S+ {2}(?:kubelet pulls|artifact|failed:|aborted:) |^ {24}unfinished: waits /m;
      expect(sections.filter((section) => end.test(section))).toHaveLength(fetches.size);
      expect(sections).toHaveLength(Math.max(1, fetches.size));
    }),
    { seed: seedFromEnv() },
  );
});

// oxlint-disable-next-line no-control-regex -- what must not be there
const obeyed = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\p{Cs}]/u;

function ofBuild(facts: readonly AnyFact[]) {
  return facts.filter(isBuildFact).filter(({ stream }) => stream === "build-1");
}
