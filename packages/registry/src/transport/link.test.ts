import { describe, expect, test } from "vitest";
import { nextLink } from "./link.ts";

describe("the next page", () => {
  test.each([
    ['</v2/a/tags/list?n=2&last=b>; rel="next"', "/v2/a/tags/list?n=2&last=b"],
    ["</next>; rel=next", "/next"],
    ['</next>;rel="next"', "/next"],
    ['</next> ; REL = "NEXT"', "/next"],
    ['</next>; rel="prefetch next"', "/next"],
    ['</next>; title="a, \\"b\\"; rel=prev"; rel=next', "/next"],
    ['</prev>; rel="prev", </next>; rel="next"', "/next"],
    ["</first?a=1,2>; rel=first,</next?a=1,2>; rel=next", "/next?a=1,2"],
    ['</next>; rel="next"; rel="prev"', "/next"],
    ["</next>", "/next"],
    [", , </next>; crossorigin; rel=next,", "/next"],
  ])("of %s is told", (link, uri) => {
    expect(nextLink({ link })).toEqual({ uri });
  });

  test("may be named by the second of two headers", () => {
    expect(nextLink({ link: ["</prev>; rel=prev", "</next>; rel=next"] })).toEqual({ uri: "/next" });
  });

  test.each(["", " , ", '</prev>; rel="prev"', '</next>; rel="prev"; rel="next"', '</nextdoor>; rel="nextdoor"'])(
    "is not what %j tells",
    (link) => {
      expect(nextLink({ link })).toBeUndefined();
    },
  );

  test.each(["/next", '</next; rel="next"', "</next> rel=next", '</next>; rel="next', "none", '</p>; rel="p", junk'])(
    "may be named by %j, which cannot be read and is no end of the list",
    (link) => {
      expect(nextLink({ link })).toBe("malformed");
    },
  );

  test("is not there without the header", () => {
    expect(nextLink({})).toBeUndefined();
  });

  test.each([
    "<".repeat(64_000),
    '<a>; rel="'.repeat(6_000),
    `<a>${"; a".repeat(20_000)}x`,
    "\\".repeat(64_000),
    `<a>;${" ".repeat(64_000)}=`,
  ])("is looked for in linear time, whatever the header", (link) => {
    const started = performance.now();
    nextLink({ link });
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
