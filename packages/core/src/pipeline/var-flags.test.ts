import { expect, test } from "vitest";
import { parseVarFlags, parseVarsFile } from "./var-flags.ts";

test("flags make one map; dots make fields, the later flag wins, values are text unless they are YAML", () => {
  const flags = [
    { text: "host=reg.example:5000" },
    { text: "n=1" },
    { text: "db.user=me" },
    { text: 'db."a.b"=x=y' },
    { text: "n=2", yaml: true },
    { text: "list=[1, yes]", yaml: true },
    { text: "empty=" },
    { text: "__proto__.polluted=1" },
  ];
  const parsed = parseVarFlags(flags);
  if (!parsed.ok) throw parsed.error;
  expect(Object.entries(parsed.values)).toEqual([
    ["host", "reg.example:5000"],
    ["n", 2],
    ["db", { user: "me", "a.b": "x=y" }],
    ["list", [1, true]],
    ["empty", ""],
    ["__proto__", { polluted: "1" }],
  ]);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});

test.each([["name"], ["=hunter2"], ["a..b=hunter2"], ["vault:x=hunter2"], ["hunter2"]])(
  "%s is no flag for a var, and its value is not shown",
  (text) => {
    const parsed = parseVarFlags([{ text }]);
    if (parsed.ok) throw new Error("the flag was accepted");
    expect(parsed.error.code).toBe("FI_USAGE");
    expect(JSON.stringify(parsed.error)).not.toContain("hunter2");
  },
);

test("YAML in a flag that is none is refused without showing it", () => {
  const parsed = parseVarFlags([{ text: "a=[hunter2", yaml: true }]);
  if (parsed.ok) throw new Error("the flag was accepted");
  expect(parsed.error.message).toContain('the value of "a" is not YAML');
  expect(JSON.stringify(parsed.error)).not.toContain("hunter2");
});

test("a file of vars is a map, or says where it is not one", () => {
  expect(parseVarsFile("a: 1\nb: {c: x}", { file: "v.yml" })).toEqual({ ok: true, values: { a: 1, b: { c: "x" } } });
  expect(parseVarsFile("# nothing", { file: "v.yml" })).toEqual({ ok: true, values: {} });
  for (const text of ["- a", "text", "a: ["]) {
    expect(parseVarsFile(text, { file: "v.yml" })).toMatchObject({
      ok: false,
      error: { code: "FI_PIPELINE_INVALID", message: expect.stringMatching(/^v\.yml:1:\d+: /) },
    });
  }
});
