// Steps of any kind, with names that people give and names that nobody should.
import type { Plan } from "@fetch-image/core";
import type { PodIdentity } from "@fetch-image/kubernetes";
import * as fc from "fast-check";

const anyText = fc.oneof(
  fc.constantFrom("", "ci", "unit-tests", "main", "-", "a.b_c", "Ünï¢ødé", "🚀", "\ud800", "x".repeat(300)),
  fc.string({ maxLength: 100 }),
  fc.string({ unit: "binary", maxLength: 100 }),
);

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

export const anyIdentity: fc.Arbitrary<PodIdentity> = fc
  .record({
    team: optional(anyText),
    pipeline: optional(anyText),
    job: optional(anyText),
    buildId: fc.oneof(fc.integer({ min: 1 }).map(String), anyText),
    buildName: optional(fc.oneof(fc.integer({ min: 1 }).map(String), anyText)),
    type: fc.constantFrom("check", "get", "put", "task" as const),
    key: anyText,
  })
  .map(({ buildId, type, key, ...rest }) => ({ ...withoutNothing(rest), buildId, type, key }));

/** A plan of one step, of a kind that runs in a pod. */
export const anyPlan: fc.Arbitrary<Plan> = fc
  .record({
    id: fc.string({ minLength: 1, maxLength: 20 }),
    kind: fc.constantFrom("check", "get", "put", "task" as const),
    name: anyText,
    path: fc.constantFrom("in", "a/b", ".", "deep/../in"),
    value: anyText,
  })
  .map(({ id, kind, name, path, value }) => {
    if (kind !== "task") return { id, [kind]: { name, type: "git", source: { uri: value } } };
    const config = {
      platform: "linux",
      run: { path: value, args: [value] },
      params: { PARAM: value, DB_PASSWORD: value },
      inputs: [{ name: "one", path }],
      outputs: [{ name: "two", path }, { name: "three" }],
      caches: [{ path: "cache" }],
    };
    return { id, task: { name, privileged: false, hermetic: false, config } };
  });

function withoutNothing<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return JSON.parse(JSON.stringify(fields));
}
