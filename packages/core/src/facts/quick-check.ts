import type { z } from "zod";

/** Whether a value of JSON's kinds is what a schema says. */
export type QuickCheck = (value: unknown) => boolean;

/**
 * Reads a schema once into a check that only says yes or no. To read a fact is to check it, and zod, which tells what is
 * wrong as well and makes a copy, takes several times as long over what is right. `quick-check.test.ts` holds both to the
 * same answers, for every schema of facts. Throws for what a schema may have and none of ours has.
 */
export function quickCheck(schema: z.core.$ZodType): QuickCheck {
  const known = checks.get(schema);
  if (known !== undefined) return known;
  const made = make(definitionOf(schema));
  checks.set(schema, made);
  return made;
}

const checks = new WeakMap<z.core.$ZodType, QuickCheck>();

/** What a schema is made of. */
export function definitionOf(schema: z.core.$ZodType | z.core.$ZodCheck): Definition {
  // oxlint-disable-next-line no-underscore-dangle -- zod's name for what libraries may read (zod.dev/library-authors)
  return schema._zod.def as Definition;
}

type Definition = z.core.$ZodTypes["_zod"]["def"];

function make(def: Definition): QuickCheck {
  // A format, or a refinement, says more than the kind does.
  const isMore = "check" in def || "format" in def || (def.type !== "string" && (def.checks ?? []).length > 0);
  if (isMore) throw unknown(`${def.type} with a check`);
  switch (def.type) {
    case "string":
      return text(def);
    case "number":
      // As zod has it: neither NaN nor an infinity is one.
      return (value) => typeof value === "number" && Number.isFinite(value);
    case "boolean":
      return (value) => typeof value === "boolean";
    case "null":
      return (value) => value === null;
    case "enum":
      return among(Object.values(def.entries));
    case "literal":
      return among(def.values);
    case "nullable": {
      const inner = quickCheck(def.innerType);
      return (value) => value === null || inner(value);
    }
    case "readonly":
      return quickCheck(def.innerType);
    case "union": {
      const options = def.options.map(quickCheck);
      return (value) => options.some((fits) => fits(value));
    }
    case "array": {
      const element = quickCheck(def.element);
      return (value) => Array.isArray(value) && value.every(element);
    }
    case "record":
      return record(def);
    case "object":
      return object(def);
    case "lazy": {
      let inner: QuickCheck | undefined;
      return (value) => (inner ??= quickCheck(def.getter()))(value);
    }
    default:
      throw unknown(def.type);
  }
}

function text({ checks: given = [] }: z.core.$ZodStringDef): QuickCheck {
  if (given.length === 0) return (value) => typeof value === "string";
  const patterns = given.map((check) => {
    const def: object = definitionOf(check);
    if (!("pattern" in def) || !(def.pattern instanceof RegExp)) throw unknown("a text with a check but a pattern");
    return def.pattern;
  });
  return (value) => typeof value === "string" && patterns.every((pattern) => pattern.test(value));
}

function among(values: readonly unknown[]): QuickCheck {
  const all = new Set(values);
  return (value) => all.has(value);
}

function record({ keyType, valueType }: z.core.$ZodRecordDef): QuickCheck {
  const keys = definitionOf(keyType);
  const isAnyText = keys.type === "string" && !("format" in keys) && (keys.checks ?? []).length === 0;
  if (!isAnyText) throw unknown("a record whose keys are not any text");
  const fits = quickCheck(valueType);
  return (value) => {
    if (!isPlain(value)) return false;
    for (const key in value) if (!fits(value[key])) return false;
    return true;
  };
}

function object({ shape, catchall }: z.core.$ZodObjectDef): QuickCheck {
  if (catchall !== undefined && definitionOf(catchall).type !== "unknown") {
    throw unknown("an object that is particular about fields it does not know");
  }
  const fields = Object.entries(shape).map(([name, field]) => {
    const def = definitionOf(field);
    const isOptional = def.type === "optional";
    return { name, isOptional, fits: quickCheck(isOptional ? def.innerType : field) };
  });
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    for (const { name, isOptional, fits } of fields) {
      const given = (value as { readonly [name: string]: unknown })[name];
      // A field may be absent; `undefined` it cannot be.
      if (given === undefined ? !isOptional || name in value : !fits(given)) return false;
    }
    return true;
  };
}

function isPlain(value: unknown): value is { readonly [key: string]: unknown } {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function unknown(what: string): Error {
  return new Error(`the quick check of facts does not know ${what}`);
}
