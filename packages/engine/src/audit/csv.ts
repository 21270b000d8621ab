/**
 * One line of CSV by RFC 4180. A field that a spreadsheet would take for a formula, since it begins with `=`, `+`, `-`, `@`,
 * a tab or a line break, gets an apostrophe in front: it stays text there, and differs from the data by that alone.
 */
export function csvLine(fields: readonly (string | number | undefined)[]): string {
  return `${fields.map((field) => csvField(field === undefined ? "" : String(field))).join(",")}\r\n`;
}

/** Whether {@link csvLine} puts an apostrophe in front of it. */
export function looksLikeFormula(text: string): boolean {
  return /^[=+\-@\t\r\n]/.test(text);
}

function csvField(text: string): string {
  const safe = looksLikeFormula(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
