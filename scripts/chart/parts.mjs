// What boxes and pills are made of: parts with places, relative to the upper left corner of what they are part of.
import { textStyles, textWidth } from "./text-width.mjs";

/**
 * @typedef {| {readonly part: "text", readonly style: import("./text-width.mjs").TextStyle, readonly text: string,
 *     readonly x: number, readonly y: number, readonly width: number}
 *   | {readonly part: "icon", readonly icon: Icon, readonly x: number, readonly y: number}
 *   | {readonly part: "order", readonly order: number, readonly x: number, readonly y: number}
 *   | {readonly part: "chip", readonly x: number, readonly y: number, readonly width: number, readonly height: number,
 *     readonly parts: readonly Part[]}
 *   | {readonly part: "pill", readonly x: number, readonly y: number, readonly pill: import("./pill.mjs").Pill}} Part
 */

/** @typedef {"action" | "invoke" | "tag" | "after" | "done" | "error" | "final" | "history" | "parallel"} Icon */

/** Icons fill a square of so many pixels. */
export const iconSize = 12;

/** The order's diamond fills a square of so many pixels. */
export const orderSize = 18;

/**
 * A row of parts from left to right, each in the middle of the row's height.
 * @param {number} x where it begins, in pixels
 * @param {number} y its top
 * @param {number} height of the row
 * @param {readonly ({style: import("./text-width.mjs").TextStyle, text: string} | {icon: Icon} | {order: number}
 *   | {gap: number})[]} items
 * @returns {{parts: Part[], end: number}} and where the last part ends
 */
export function row(x, y, height, items) {
  /** @type {Part[]} */
  const parts = [];
  let end = x;
  const middle = y + height / 2;
  for (const item of items) {
    if ("gap" in item) {
      end += item.gap;
    } else if ("text" in item) {
      const width = textWidth(item.text, item.style);
      parts.push({ part: "text", ...item, x: end, y: middle + textStyles[item.style].size * capHeight, width });
      end += width;
    } else if ("icon" in item) {
      parts.push({ part: "icon", icon: item.icon, x: end, y: middle - iconSize / 2 });
      end += iconSize;
    } else {
      parts.push({ part: "order", order: item.order, x: end, y: middle - orderSize / 2 });
      end += orderSize;
    }
  }
  return { parts, end };
}

// Half the height of Inter's capitals, so that their middle is the row's.
const capHeight = 0.3637;
