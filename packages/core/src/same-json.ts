/** Whether two values are the same as JSON: objects in any order of their fields, one that is `undefined` as if absent. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => isSameJson(item, b[index]));
  }
  const [one, other] = [a as Fields, b as Fields];
  let fields = 0;
  for (const name in one) {
    if (one[name] === undefined) continue;
    if (!Object.hasOwn(other, name) || !isSameJson(one[name], other[name])) return false;
    fields++;
  }
  for (const name in other) if (other[name] !== undefined) fields--;
  return fields === 0;
}

type Fields = { readonly [name: string]: unknown };
