// What boxes and pills are made of: parts with places, counted from the upper left corner of what they are part of.
import { textStyles, textWidth } from "./text-width.mjs";

/** @typedef {import("./text-width.mjs").TextStyle} TextStyle */

/**
 * A text's x is where it begins, its y where its letters stand; every other part's are its upper left corner.
 * @typedef {{readonly part: "text", readonly style: TextStyle, readonly text: string, readonly x: number,
 *     readonly y: number, readonly width: number}
 *   | {readonly part: "icon", readonly icon: Icon, readonly x: number, readonly y: number}
 *   | {readonly part: "order", readonly order: number, readonly x: number, readonly y: number}
 *   | {readonly part: "chip", readonly x: number, readonly y: number, readonly width: number, readonly height: number}
 *   | {readonly part: "card", readonly card: import("./pill.mjs").Card, readonly x: number, readonly y: number}} Part
 */

/** @typedef {"action" | "invoke" | "tag" | "after" | "done" | "error" | "final" | "history" | "deep-history"
 *   | "parallel"} Icon */

/** What a row may hold, and the space between. */
/** @typedef {{style: TextStyle, text: string} | {icon: Icon} | {order: number} | {gap: number}} Item */

/** Parts that take a place of this size. */
/** @typedef {{readonly width: number, readonly height: number, readonly parts: readonly Part[]}} Block */

/** Icons fill a square of so many pixels. */
const iconSize = 12;

/** The order's diamond fills a square of so many pixels. */
export const orderSize = 18;

/**
 * Items from left to right, each in the middle of the row's height.
 * @param {number} height
 * @param {readonly Item[]} items
 * @returns {Block}
 */
export function row(height, items) {
  /** @type {Part[]} */
  const parts = [];
  let x = 0;
  for (const item of items) {
    if ("gap" in item) {
      x += item.gap;
    } else if ("text" in item) {
      const width = textWidth(item.text, item.style);
      parts.push({ part: "text", ...item, x, y: baseline(item.style, height / 2), width });
      x += width;
    } else if ("icon" in item) {
      parts.push({ part: "icon", icon: item.icon, x, y: (height - iconSize) / 2 });
      x += iconSize;
    } else {
      parts.push({ part: "order", order: item.order, x, y: (height - orderSize) / 2 });
      x += orderSize;
    }
  }
  return { width: x, height, parts };
}

/**
 * Blocks from top to bottom, with room around them.
 * @param {readonly Block[]} blocks
 * @param {{x: number, top: number, bottom: number}} padding
 * @returns {Block}
 */
export function stack(blocks, padding) {
  /** @type {Part[]} */
  const parts = [];
  let y = padding.top;
  for (const block of blocks) {
    parts.push(...moved(block.parts, padding.x, y));
    y += block.height;
  }
  const width = Math.ceil(Math.max(0, ...blocks.map(({ width }) => width)) + 2 * padding.x);
  return { width, height: y + padding.bottom, parts };
}

/**
 * Blocks from left to right.
 * @param {readonly Block[]} blocks
 * @param {number} gap between two of them, in pixels
 * @returns {Block}
 */
export function sideBySide(blocks, gap) {
  /** @type {Part[]} */
  const parts = [];
  let x = 0;
  for (const block of blocks) {
    parts.push(...moved(block.parts, x, 0));
    x += block.width + gap;
  }
  return { width: x - gap, height: Math.max(...blocks.map(({ height }) => height)), parts };
}

/**
 * @param {readonly Part[]} parts
 * @param {number} right
 * @param {number} down
 * @returns {Part[]}
 */
export function moved(parts, right, down) {
  return parts.map((part) => ({ ...part, x: part.x + right, y: part.y + down }));
}

/**
 * What an action or an actor is called, after its icon.
 * @param {Icon} icon
 * @param {import("./chart-model.mjs").Action} named
 * @returns {Item[]}
 */
export function named(icon, { name, params }) {
  /** @type {Item[]} */
  const items = [{ icon }, { gap: 6 }, { style: "action", text: name }];
  return params === "" ? items : [...items, { gap: 6 }, { style: "params", text: params }];
}

/** An empty block. */
export const space = (height) => ({ width: 0, height, parts: [] });

/**
 * Where letters stand, so that the middle of Inter's capitals is at the height given.
 * @param {TextStyle} style
 * @param {number} middle
 */
export function baseline(style, middle) {
  return middle + textStyles[style].size * 0.3637;
}
