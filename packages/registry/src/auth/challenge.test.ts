import { describe, expect, test } from "vitest";
import { parseChallenges } from "./challenge.ts";

function read(...headers: string[]): [string, Record<string, string>][] {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe("parseChallenges", () => {
  test("reads what Docker Hub sends", () => {
    expect(
      read(
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull"',
      ),
    ).toEqual([
      [
        "bearer",
        {
          realm: "https://auth.docker.io/token",
          service: "registry.docker.io",
          scope: "repository:library/busybox:pull",
        },
      ],
    ]);
  });

  test("keeps commas inside quotes, and undoes escapes", () => {
    expect(
      read(String.raw`Bearer realm="https://x/t",scope="repository:a:pull,push",error="say \"no\", \\ twice"`),
    ).toEqual([
      ["bearer", { realm: "https://x/t", scope: "repository:a:pull,push", error: String.raw`say "no", \ twice` }],
    ]);
  });

  test("tells several challenges apart, in one header and in several", () => {
    expect(read('Bearer realm="a" , service="s", Basic realm="b"', "BASIC Realm=c")).toEqual([
      ["bearer", { realm: "a", service: "s" }],
      ["basic", { realm: "b" }],
      ["basic", { realm: "c" }],
    ]);
  });

  test("knows schemes and parameters in any case, with blanks wherever RFC 7235 allows them", () => {
    expect(read('  bEaReR   REALM = "a"  ,\tService\t=\tx ')).toEqual([["bearer", { realm: "a", service: "x" }]]);
  });

  test("passes over token68 credentials and schemes without parameters", () => {
    expect(read('Negotiate YIICzg==, NTLM, Digest realm="d"', "Negotiate")).toEqual([
      ["negotiate", {}],
      ["ntlm", {}],
      ["digest", { realm: "d" }],
      ["negotiate", {}],
    ]);
  });

  test("takes the first of two parameters with one name", () => {
    expect(read('Bearer realm="https://good/",realm="https://evil/"')).toEqual([
      ["bearer", { realm: "https://good/" }],
    ]);
  });

  test.each([
    ["", []],
    [",,, ,", []],
    ['"quoted" nonsense', []],
    ['Bearer realm="never closed', [["bearer", { realm: "never closed" }]]],
    [String.raw`Bearer realm="ends in a backslash\ `.trimEnd(), [["bearer", { realm: "ends in a backslash" }]]],
    ["Bearer realm=", [["bearer", {}]]],
    ["Bearer service=s, realm=", [["bearer", { service: "s", realm: "" }]]],
    [
      "Bearer é=1, Basic",
      [
        ["bearer", {}],
        ["basic", {}],
      ],
    ],
  ])("makes the best of %j", (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  test("takes time in proportion to the length", () => {
    const started = performance.now();
    for (const text of ["a ", "a=", 'a="', ",", "a=b,", String.raw`\"`, "Bearer "]) read(text.repeat(100_000));
    // Anything quadratic would take minutes for these megabytes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
