import { expect, test } from "vitest";
import { z } from "zod";
import { buildFactSchemas } from "./build-facts.ts";
import { definitionOf, quickCheck } from "./quick-check.ts";
import { registryFactSchemas } from "./registry-facts.ts";
import { scopeFactSchemas } from "./scope-facts.ts";
import { shadowFactSchemas } from "./shadow-facts.ts";

const schemas: { readonly [type: string]: z.ZodType } = {
  ...buildFactSchemas,
  ...registryFactSchemas,
  ...scopeFactSchemas,
  ...shadowFactSchemas,
};

test.each(Object.entries(schemas))("%s: what its schema takes and what it refuses is told alike", (_, schema) => {
  const quick = quickCheck(schema);
  const whole = example(schema);
  expect(schema.safeParse(whole).success).toBe(true);
  const all = [whole, ...changes(whole)];
  const taken = all.filter((value) => schema.safeParse(value).success);
  expect(all.filter(quick)).toEqual(taken);
  expect(taken.length).toBeGreaterThan(0);
  expect(taken.length).toBeLessThan(all.length);
});

test("a newer version's fields are passed over, wherever a fact's own may stand", () => {
  const quick = quickCheck(buildFactSchemas.CheckJoined);
  expect(quick({ fetchId: "1", asker: { buildId: "1", fetchId: "2", node: "b" }, since: 3 })).toBe(true);
});

test.each([
  ["number with a check", z.number().min(1)],
  ["number with a check", z.int()],
  ["string with a check", z.uuid()],
  ["string with a check", z.iso.datetime()],
  ["array with a check", z.array(z.string()).min(1)],
  ["object with a check", z.object({ a: z.string() }).refine(() => true)],
  ["record with a check", z.record(z.string(), z.string()).refine(() => true)],
  [
    "nullable with a check",
    z
      .string()
      .nullable()
      .refine(() => true),
  ],
  ["bigint", z.bigint()],
  ["a text with", z.string().min(1)],
  ["keys are not any text", z.record(z.enum(["a"]), z.string())],
  ["keys are not any text", z.record(z.uuid(), z.string())],
  ["particular about fields", z.strictObject({ a: z.string() })],
])("a schema with %s is refused, not guessed at", (what, schema) => {
  expect(() => quickCheck(schema)).toThrow(what);
});

/** A value with every field that the schema has. */
function example(schema: z.core.$ZodType): unknown {
  const def = definitionOf(schema);
  switch (def.type) {
    case "string":
      return (def.checks ?? []).length > 0 ? "2026-11-22T04:40:00.000Z" : "text";
    case "number":
      return 7;
    case "boolean":
      return true;
    case "enum":
      return Object.values(def.entries)[0];
    case "literal":
      return def.values[0];
    case "array":
      return [example(def.element), example(def.element)];
    case "record":
      return { a: "one", b: "two" };
    case "object":
      return Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, example(field)]));
    case "union":
      return example(def.options[0] ?? z.never());
    case "optional":
    case "nullable":
    case "readonly":
      return example(def.innerType);
    default:
      throw new Error(`no example of ${def.type}`);
  }
}

const others = [
  undefined,
  null,
  "",
  "x",
  0,
  1.5,
  Number.NaN,
  Infinity,
  true,
  [],
  [1],
  ["x"],
  {},
  { a: 1 },
  { a: { b: [null] } },
  new Map(),
];

/** The value with something else at one place, for every place and many other things; and with the place's field gone. */
function changes(value: unknown): unknown[] {
  const instead: unknown[] = [...others];
  if (Array.isArray(value)) {
    value.forEach((item, at) => instead.push(...changes(item).map((changed) => value.with(at, changed))));
  } else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      instead.push(...changes(item).map((changed) => ({ ...value, [name]: changed })));
      const { [name]: _, ...rest } = value as { [field: string]: unknown };
      instead.push(rest);
    }
    instead.push({ ...value, further: "field" });
  }
  return instead;
}
