// How wide a text is, without a font: from a table, so that every machine agrees.
import { ascii, others } from "./inter-widths.mjs";

/**
 * The kinds of text in a chart: size in pixels, weight, and line height where it may wrap.
 * @satisfies {Record<string, {size: number, weight: 400 | 500 | 600, line?: number}>}
 */
export const textStyles = {
  title: { size: 14, weight: 600 },
  description: { size: 12, weight: 400, line: 16 },
  label: { size: 10.5, weight: 600 },
  action: { size: 12, weight: 500 },
  params: { size: 11.5, weight: 400 },
  event: { size: 12.5, weight: 600 },
  keyword: { size: 10, weight: 600 },
  guard: { size: 12, weight: 500 },
  order: { size: 10, weight: 600 },
};

/** @typedef {keyof typeof textStyles} TextStyle */

/**
 * The width of a text in pixels, to a tenth. The picture tells the browser this width (`textLength`), so a text keeps to
 * its place where Inter is not installed.
 * @param {string} text
 * @param {TextStyle} style
 * @returns {number}
 */
export function textWidth(text, style) {
  const { size, weight } = textStyles[style];
  const thousandths = Array.from(text).reduce((sum, character) => sum + advance(character, weight), 0);
  return Math.round((thousandths * size) / 100) / 10;
}

/**
 * Breaks a text at its spaces into lines that fit; a longer word stands alone on its line.
 * @param {string} text
 * @param {TextStyle} style
 * @param {number} width in pixels
 * @returns {string[]} no lines for no text
 */
export function wrap(text, style, width) {
  const words = text.split(/\s+/).filter((word) => word !== "");
  /** @type {string[]} */
  const lines = [];
  for (const word of words) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer, style) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function advance(character, weight) {
  const code = character.codePointAt(0) ?? 0;
  return ascii[weight][code - 32] ?? others[character] ?? (isWide(code) ? 1000 : 640);
}

/** East Asian scripts and pictographs fill a square; the rest is about as wide as a Latin letter. */
function isWide(code) {
  return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xd7a3) || code >= 0xf900;
}
