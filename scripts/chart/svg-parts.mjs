// The parts of boxes and pills as SVG elements.
import { baseline, orderSize } from "./parts.mjs";
import { roundedPath } from "./svg-path.mjs";
import { asId, escape, short } from "./svg-text.mjs";

/**
 * @param {import("./parts.mjs").Part} part
 * @param {number} right where the whole that it is part of begins, in pixels
 * @param {number} down
 * @returns {string}
 */
export function drawPart(part, right, down) {
  return drawings[part.part](part, short(part.x + right), short(part.y + down));
}

/** @type {Record<import("./parts.mjs").Part["part"], (part: any, x: number, y: number) => string>} */
const drawings = {
  // With its length given, a text fits whatever font it is shown in.
  text: ({ style, text, width }, x, y) =>
    `<text class="${style}" x="${x}" y="${y}" textLength="${width}" lengthAdjust="spacingAndGlyphs">${escape(text)}</text>`,
  icon: ({ icon }, x, y) => `<g class="icon" transform="translate(${x} ${y})">${icons[icon]}</g>`,
  order: ({ order }, x, y) => drawOrder(order, x, y),
  chip: ({ width, height }, x, y) =>
    `<rect class="chip" x="${x}" y="${y}" width="${short(width)}" height="${height}" rx="4"/>`,
  card: ({ card }, x, y) => drawCard(card, x, y),
};

/**
 * Each pill is a group of its own.
 * @param {import("./pill.mjs").Card} card
 * @param {number} x
 * @param {number} y
 * @returns {string}
 */
export function drawCard({ width, pills }, x, y) {
  let top = y;
  return pills
    .map(({ edge, height, parts }, index) => {
      const rectangle = { x, y: top, width, height };
      const radius = { top: index === 0 ? 14 : 0, bottom: index === pills.length - 1 ? 14 : 0 };
      const inner = parts.map((part) => drawPart(part, x, rectangle.y)).join("");
      top += height;
      return `${openEdge(edge)}<path class="pill" d="${roundedPath(rectangle, radius)}"/>${inner}</g>`;
    })
    .join("\n");
}

function openEdge({ id, kind, source, targets, eventType, description }) {
  const data = { edge: asId(id), source: asId(source), target: targets.map(asId).join(" "), event: escape(eventType) };
  const attributes = Object.entries(data).map(([name, value]) => ` data-${name}="${value}"`);
  const title = description === "" ? "" : `<title>${escape(description)}</title>`;
  return `<g id="edge-${asId(id)}" class="edge ${kind}"${attributes.join("")}>${title}`;
}

function drawOrder(order, x, y) {
  const half = orderSize / 2;
  return (
    `<path class="diamond" d="M${x} ${short(y + half)}l${half}-${half} ${half} ${half}-${half} ${half}z"/>` +
    `<text class="order" x="${short(x + half)}" y="${short(baseline("order", y + half))}">${order}</text>`
  );
}

/** Each in a square of 12 by 12. */
const icons = {
  action: '<path class="full" d="M7.2 0 1.5 7H5.2l-.9 5L10.5 5H6.4z"/>',
  invoke: '<path d="M1.2 5A5 5 0 0 1 10 2.8M10.8 7A5 5 0 0 1 2 9.2M10.2.4v2.4H7.8M1.8 11.6V9.2h2.4"/>',
  tag: '<path d="M1 1h5l5 5-5 5-5-5z"/><circle class="full" cx="3.7" cy="3.7" r="1"/>',
  after: '<circle cx="6" cy="6" r="5.3"/><path d="M6 3v3.2l2.1 1.3"/>',
  done: '<circle cx="6" cy="6" r="5.3"/><path d="m3.6 6.2 1.6 1.6 3.1-3.5"/>',
  error: '<circle cx="6" cy="6" r="5.3"/><path d="M6 3.1v3.3M6 8.7v.1"/>',
  final: '<circle cx="6" cy="6" r="5.6"/><circle class="full" cx="6" cy="6" r="3"/>',
  history: '<circle cx="6" cy="6" r="5.6"/><path d="M4.2 3.6v4.8M7.8 3.6v4.8M4.2 6h3.6"/>',
  "deep-history":
    '<circle cx="6" cy="6" r="5.6"/><path d="M3 3.8v4.4M5.8 3.8v4.4M3 6h2.8M8.5 3.6v2.6M7.4 4.2l2.2 1.4M9.6 4.2 7.4 5.6"/>',
  parallel: '<path d="M3.5 1.5v9M8.5 1.5v9"/>',
};
