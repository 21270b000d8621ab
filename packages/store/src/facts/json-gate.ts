/** How deep objects and arrays may nest. PostgreSQL's JSON parser, compiled to WebAssembly, dies at ten times this. */
const deepestNesting = 500;

/** The place in a value that JSON would not give back as it is, and why. */
interface Unfit {
  readonly path: string;
  readonly why: string;
}

/** Says where and why JSON would change the value, `data.source.tags[2] is undefined`; undefined when it would not. */
export function unfitForJson(value: unknown, name: string): string | undefined {
  const found = unfit(value, 0);
  return found === undefined ? undefined : `${name}${shortened(found.path)} ${found.why}`;
}

// The path is put together on the way out, so that the usual case, nothing found, costs no strings.
function unfit(value: unknown, depth: number): Unfit | undefined {
  switch (typeof value) {
    case "string":
      return isWellFormed(value) ? undefined : { path: "", why: "has half of a surrogate pair" };
    case "number":
      if (!Number.isFinite(value)) return { path: "", why: `is ${value}` };
      return Object.is(value, -0) ? { path: "", why: "is -0" } : undefined;
    case "boolean":
      return undefined;
    case "object":
      if (value === null) return undefined;
      if (depth >= deepestNesting) return { path: "", why: `nests deeper than ${deepestNesting} levels` };
      return Array.isArray(value) ? unfitArray(value, depth) : unfitObject(value, depth);
    case "undefined":
      return { path: "", why: "is undefined" };
    default:
      return { path: "", why: `is a ${typeof value}` };
  }
}

function unfitArray(value: readonly unknown[], depth: number): Unfit | undefined {
  for (let index = 0; index < value.length; index++) {
    const found = unfit(value[index], depth + 1);
    if (found !== undefined) return { path: `[${index}]${found.path}`, why: found.why };
  }
  return undefined;
}

function unfitObject(value: object, depth: number): Unfit | undefined {
  // A plain object of any realm: its prototype is null, or has none itself.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return { path: "", why: `is a ${value.constructor?.name ?? "class instance"}` };
  }
  if (Object.getOwnPropertySymbols(value).length > 0) return { path: "", why: "has a symbol as a key" };
  // A list of the keys would be made for each object of each fact.
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    if (!isWellFormed(key)) return { path: "", why: "has half of a surrogate pair in a key" };
    const found = unfit((value as { readonly [key: string]: unknown })[key], depth + 1);
    if (found !== undefined) return { path: `.${key}${found.path}`, why: found.why };
  }
  return undefined;
}

function shortened(path: string): string {
  return path.length <= 200 ? path : `${path.slice(0, 200)}…`;
}

/** Whether the text has no lone surrogate, so that UTF-8 can hold it. */
export function isWellFormed(text: string): boolean {
  return (text as EcmaScript2024).isWellFormed();
}

/** Node 20 has it; the library that is compiled against does not. */
type EcmaScript2024 = string & { isWellFormed(): boolean };
