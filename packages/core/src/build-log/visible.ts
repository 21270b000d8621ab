/**
 * The text with every character that a terminal obeys, or that nobody can see, spelt out: `\n`, `\t`, `\u{1b}`.
 * Stored strings come from pipelines, registries and steps; none of them may move a cursor or forge a line.
 */
export function visible(text: string): string {
  return text.replace(unseen, spell);
}

// Listed one by one: `\p{C}` grows with each version of Unicode, and a log is the same bytes on every runtime.
const ranges: readonly (readonly [from: number, to: number])[] = [
  // Controls of ASCII and of Latin-1, the no-break space.
  [0x00, 0x1f],
  [0x7f, 0xa0],
  // Soft hyphen, joiners, fillers, Mongolian separators.
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x1680, 0x1680],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  // Odd spaces, marks of direction, line and paragraph separators.
  [0x2000, 0x200f],
  [0x2028, 0x202f],
  [0x205f, 0x206f],
  [0x3000, 0x3000],
  [0x3164, 0x3164],
  // Halves of surrogate pairs.
  [0xd800, 0xdfff],
  // Byte order mark, fillers, annotations, noncharacters.
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0xfffe, 0xffff],
  // Controls of shorthand and of music, tags.
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
];

const unseen = new RegExp(`[${ranges.map((range) => range.map(escape).join("-")).join("")}]`, "gu");

function escape(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

const short: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function spell(character: string): string {
  return short.get(character) ?? escape(character.codePointAt(0) ?? 0);
}
