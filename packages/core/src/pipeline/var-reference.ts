/** `((source:path.field."another.field"))`, taken apart (upstream vars/reference.go). */
export interface VarReference {
  /** The name of a var source; `.` for vars that exist only while the build runs. */
  readonly source?: string;
  readonly path: string;
  readonly fields: readonly string[];
}

// Upstream vars/template.go, interpolationRegex; Go's \w and \pL.
const anywhere = /\(\(((?:[-/.\w\p{L}]+:)?[-/.:@"\w\p{L}]+)\)\)/gu;
const alone = /^\(\(((?:[-/.\w\p{L}]+:)?[-/.:@"\w\p{L}]+)\)\)$/u;

/** The names between the parentheses of every var in the text, in order. */
export function varsIn(text: string): readonly string[] {
  return text.includes("((") ? [...text.matchAll(anywhere)].map(([, name = ""]) => name) : [];
}

/** The var's name where the whole text is one var, whose value then keeps its type. */
export function wholeVar(text: string): string | undefined {
  return text.startsWith("((") ? alone.exec(text)?.[1] : undefined;
}

/** The text with each var's name replaced; undefined leaves a var as it is. */
export function replaceVars(text: string, replace: (name: string) => string | undefined): string {
  return text.replace(anywhere, (written, name: string) => replace(name) ?? written);
}

/** Reads a var's name; undefined where quotes are open, the source is quoted or a segment is empty. */
export function parseVarReference(name: string): VarReference | undefined {
  const [first, ...rest] = splitUnquoted(name, ":");
  if (first === undefined) return undefined;
  const source = rest.length > 0 ? first : undefined;
  const segments = splitUnquoted(source === undefined ? name : rest.join(":"), ".").map((segment) =>
    segment.trim().replaceAll('"', ""),
  );
  const [path = "", ...fields] = segments;
  const open = (name.match(/"/g)?.length ?? 0) % 2 === 1;
  if (open || source === "" || source?.includes('"') === true || segments.includes("")) return undefined;
  return { ...(source === undefined ? {} : { source }), path, fields };
}

/** As messages show it and as one look-up is told from another. */
export function formatVarReference({ source, path, fields }: VarReference): string {
  const segments = [path, ...fields].map((segment) => (/[,.:/ ]/.test(segment) ? `"${segment}"` : segment));
  return (source === undefined ? "" : `${source}:`) + segments.join(".");
}

function splitUnquoted(text: string, separator: ":" | "."): string[] {
  const parts = [""];
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}
