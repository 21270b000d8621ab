/** How much is written at most, and how deep it nests; JSON.stringify does the rest. */
const mostBytes = 16 * 1024;
const deepest = 20;

const quote = 34;
const comma = 44;
const colon = 58;
const bracket = { open: 91, close: 93 } as const;
const brace = { open: 123, close: 125 } as const;

const scratch: Buffer = Buffer.allocUnsafeSlow(mostBytes);

/** What is returned instead of where the next byte goes. */
const notPlain = -1;

/**
 * The value's JSON, to the letter as JSON.stringify gives it, where all of it is what facts hold as a rule: printable ASCII
 * without anything to escape, finite numbers, plain objects and arrays. Undefined for everything else, which may be in
 * order all the same. To look at a value and to write it in one go takes less time than one after the other, and leaves a
 * third to collect.
 */
export function plainJson(value: unknown): string | undefined {
  const end = writePlainJson(value, scratch, 0);
  return end < 0 ? undefined : scratch.toString("latin1", 0, end);
}

/**
 * Writes what {@link plainJson} gives from `at` on, and gives where it ends; negative where the value is not plain, or there
 * is no room for it. What stands behind `at` is of no worth then.
 */
export function writePlainJson(value: unknown, bytes: Buffer, at: number): number {
  if (typeof value !== "object" || value === null || objectsInherit()) return notPlain;
  const end = writeObject(bytes, value, at, 0);
  return end > bytes.length ? notPlain : end;
}

// Each writes from `at` on and gives where the next byte goes. What is beyond the end goes nowhere.

function writeValue(bytes: Buffer, value: unknown, at: number, depth: number): number {
  switch (typeof value) {
    case "string":
      return writeText(bytes, value, at);
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? writeBare(bytes, String(value), at) : notPlain;
    case "boolean":
      return writeBare(bytes, value ? "true" : "false", at);
    case "object":
      if (value === null) return writeBare(bytes, "null", at);
      if (depth === deepest || at > bytes.length) return notPlain;
      return Array.isArray(value) ? writeArray(bytes, value, at, depth + 1) : writeObject(bytes, value, at, depth + 1);
    default:
      return notPlain;
  }
}

function writeArray(bytes: Buffer, values: readonly unknown[], from: number, depth: number): number {
  let at = from;
  bytes[at++] = bracket.open;
  for (let index = 0; index < values.length; index++) {
    if (index > 0) bytes[at++] = comma;
    at = writeValue(bytes, values[index], at, depth);
    if (at < 0) return notPlain;
  }
  bytes[at++] = bracket.close;
  return at;
}

function writeObject(bytes: Buffer, value: object, from: number, depth: number): number {
  if (Object.getPrototypeOf(value) !== Object.prototype || Object.getOwnPropertySymbols(value).length > 0)
    return notPlain;
  let at = from;
  bytes[at++] = brace.open;
  for (const key in value) {
    if (at > from + 1) bytes[at++] = comma;
    at = writeText(bytes, key, at);
    if (at < 0) return notPlain;
    bytes[at++] = colon;
    at = writeValue(bytes, (value as { readonly [key: string]: unknown })[key], at, depth);
    if (at < 0) return notPlain;
  }
  bytes[at++] = brace.close;
  return at;
}

/** Whether every object inherits something that would be met among its own fields: somebody added to Object.prototype. */
function objectsInherit(): boolean {
  for (const _ in empty) return true;
  return false;
}

const empty = Object.freeze({});

/** From here on it is faster to have text looked at and written by what Node.js has for it. */
const longText = 48;
const plainText = /^[ !#-[\]-~]*$/;

function writeText(bytes: Buffer, text: string, from: number): number {
  if (from + text.length + 2 > bytes.length) return notPlain;
  let at = from;
  bytes[at++] = quote;
  if (text.length < longText) {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < 32 || code > 126 || code === quote || code === 92) return notPlain;
      bytes[at++] = code;
    }
  } else {
    if (!plainText.test(text)) return notPlain;
    at += bytes.write(text, at, "latin1");
  }
  bytes[at++] = quote;
  return at;
}

function writeBare(bytes: Buffer, text: string, from: number): number {
  for (let index = 0; index < text.length; index++) bytes[from + index] = text.charCodeAt(index);
  return from + text.length;
}
