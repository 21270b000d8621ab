// What one fact changed of a fetch's context, place by place.

export interface Difference {
  /** Keys from the outside in. */
  readonly path: readonly string[];
  readonly kind: "added" | "changed" | "removed";
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Places where two values of JSON differ; what is there on one side only is one place, however much it holds. */
export function differences(before: unknown, after: unknown, path: readonly string[] = []): readonly Difference[] {
  if (Object.is(before, after)) return [];
  if (isEmpty(before)) return isEmpty(after) ? [] : [{ path, kind: "added", after }];
  if (isEmpty(after)) return [{ path, kind: "removed", before }];
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => differences(before[key], after[key], [...path, key]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, kind: "changed", before, after }];
}

function isEmpty(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
