// A laid out chart as an SVG document.
import { iconSize, orderSize } from "./parts.mjs";
import { eventText, guardText } from "./pill.mjs";
import { styleSheet } from "./style.mjs";

/**
 * The picture: every state is a group with its id as `data-state`, every transition one with its id as `data-edge` and
 * its ends and event beside it, so that a style sheet or a script can light them up.
 * @param {import("./chart-model.mjs").Chart} chart
 * @param {import("./layout.mjs").Layout} layout
 * @returns {string}
 */
export function toSvg(chart, layout) {
  const { width, height, boxes, edges } = layout;
  const name = escape(chart.id);
  const byId = new Map(chart.states.map((state) => [state.id, state]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="machine-chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="${name}-title ${name}-description">`,
    `<title id="${name}-title">The state machine ${name}</title>`,
    `<desc id="${name}-description">${escape(inWords(chart))}</desc>`,
    `<style>${escape(styleSheet)}</style>`,
    `<rect class="canvas" width="${width}" height="${height}"/>`,
    ...boxes.map((placed) => drawBox(placed, byId)),
    ...edges.map(drawEdge),
    "</svg>",
    "",
  ].join("\n");
}

function drawBox({ box, x, y, width, height }, byId) {
  const { state, band, parts } = box;
  const parent = state.parent === null ? undefined : byId.get(state.parent);
  const classes = ["state", state.type];
  if (state.children.length > 0) classes.push("parent");
  if (parent?.type === "parallel") classes.push("region");
  const id = escape(state.id);
  return [
    `<g id="state-${idPart(state.id)}" class="${classes.join(" ")}" data-state="${id}">`,
    `<rect class="body" x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}"/>`,
    `<path class="band" d="${bandPath({ x, y, width, height: height === band ? band : band })}"/>`,
    ...parts.map((part) => drawPart(part, x, y)),
    "</g>",
  ].join("");
}

const radius = 6;

function bandPath({ x, y, width, height }) {
  return `M${x + 1} ${y + height}V${y + radius}a5 5 0 0 1 5-5H${x + width - radius}a5 5 0 0 1 5 5V${y + height}z`;
}

function drawEdge({ edge, lines, pill, dot }) {
  return [
    edgeGroup(edge),
    ...lines.flatMap(({ points, arrow }) => [
      `<path class="line" d="${linePath(points, arrow)}"/>`,
      ...(arrow ? [arrowAt(points)] : []),
    ]),
    ...(dot === undefined ? [] : [`<circle class="dot" cx="${dot[0]}" cy="${dot[1]}" r="6"/>`]),
    ...(pill === undefined ? [] : [drawPill(pill.pill, pill.x, pill.y)]),
    "</g>",
  ].join("");
}

function edgeGroup({ id, kind, source, targets, event }) {
  const data = { edge: id, source, target: targets.join(" "), event };
  const attributes = Object.entries(data).map(([name, value]) => ` data-${name}="${escape(value)}"`);
  return `<g id="edge-${idPart(id)}" class="edge ${kind}"${attributes.join("")}>`;
}

function drawPill({ width, height, parts }, x, y) {
  return [
    `<rect class="pill" x="${x}" y="${y}" width="${width}" height="${height}" rx="14"/>`,
    ...parts.map((part) => drawPart(part, x, y)),
  ].join("");
}

/** @param {import("./parts.mjs").Part} part */
function drawPart(part, dx, dy) {
  const x = short(part.x + dx);
  const y = short(part.y + dy);
  switch (part.part) {
    case "text":
      return `<text class="${part.style}" x="${x}" y="${y}" textLength="${part.width}" lengthAdjust="spacingAndGlyphs">${escape(part.text)}</text>`;
    case "icon":
      return `<g class="icon" transform="translate(${x} ${y})">${icons[part.icon]}</g>`;
    case "order": {
      const half = orderSize / 2;
      return `<path class="diamond" d="M${x} ${short(y + half)}l${half}-${half} ${half} ${half}-${half} ${half}z"/><text class="order" x="${short(x + half)}" y="${short(y + half + 3.6)}">${part.order}</text>`;
    }
    case "chip": {
      const chip = `<rect class="chip" x="${x}" y="${y}" width="${short(part.width)}" height="${part.height}" rx="4"/>`;
      return chip + part.parts.map((inner) => drawPart(inner, x, y)).join("");
    }
    case "pill":
      return `${edgeGroup(part.pill.edge)}${drawPill(part.pill, x, y)}</g>`;
  }
}

const icons = {
  action: '<path class="full" d="M7 0 1.5 7H5l-.8 5L10 5H6.300z"/>',
  invoke:
    '<path d="M1.200 5A5 5 0 0 1 10 2.500M10.800 7A5 5 0 0 1 2 9.500M10.200.4v2.400H7.800M1.800 11.600V9.200h2.400"/>',
  tag: '<path d="M1 1h5l5 5-5 5-5-5z"/><circle class="full" cx="3.700" cy="3.700" r="1"/>',
  after: '<circle cx="6" cy="6" r="5.200"/><path d="M6 3v3.200l2 1.300"/>',
  done: '<circle cx="6" cy="6" r="5.200"/><path d="m3.700 6.200 1.600 1.600 3-3.400"/>',
  error: '<circle cx="6" cy="6" r="5.200"/><path d="M6 3.200v3.200M6 8.700v.1"/>',
  final: '<circle cx="6" cy="6" r="5.600"/><circle class="full" cx="6" cy="6" r="3"/>',
  history: '<circle cx="6" cy="6" r="5.600"/><path d="M4.300 3.600v4.800M7.700 3.600v4.800M4.300 6h3.400"/>',
  parallel: '<path d="M3.500 1v10M8.500 1v10"/>',
};

/** A line with round corners; before an arrow it ends where that begins. */
function linePath(points, arrow) {
  const ends = arrow ? [...points.slice(0, -1), beforeArrow(points)] : points;
  return ends.map((point, index) => corner(ends[index - 1], point, ends[index + 1])).join("");
}

function corner(before, point, after) {
  if (before === undefined) return `M${point.join(" ")}`;
  if (after === undefined) return `L${point.join(" ")}`;
  const round = Math.min(8, distance(before, point) / 2, distance(point, after) / 2);
  return `L${towards(point, before, round).join(" ")}Q${point.join(" ")} ${towards(point, after, round).join(" ")}`;
}

function arrowAt(points) {
  const [x, y] = points.at(-1);
  const [fromX, fromY] = points.at(-2);
  const angle = fromX === x ? (fromY < y ? 90 : 270) : fromX < x ? 0 : 180;
  return `<path class="arrow" transform="translate(${x} ${y}) rotate(${angle})" d="M0 0-9-4.500V4.500z"/>`;
}

const beforeArrow = (points) => towards(points.at(-1), points.at(-2), 7);

function towards([x, y], [toX, toY], length) {
  const whole = distance([x, y], [toX, toY]) || 1;
  return [short(x + ((toX - x) * length) / whole), short(y + ((toY - y) * length) / whole)];
}

const distance = ([x, y], [toX, toY]) => Math.abs(x - toX) + Math.abs(y - toY);

/** Every state and transition as a sentence, for those who do not see the picture. */
function inWords({ states, edges }) {
  const keys = new Map(states.map(({ id, key }) => [id, key]));
  const sentences = edges.map((edge) => {
    const { keyword, guard } = guardText(edge);
    const targets = edge.targets.map((target) => keys.get(target)).join(" and ");
    const words = [eventText(edge), keyword.toLowerCase(), guard].filter((word) => word !== "").join(" ");
    if (edge.kind === "initial") return `${keys.get(edge.source)} begins in ${targets}.`;
    return `${keys.get(edge.source)} ${targets === "" ? "stays" : `goes to ${targets}`}${words === "" ? "" : `: ${words}`}.`;
  });
  return sentences.join(" ");
}

function escape(text) {
  return text.replaceAll(
    /[&<>"]/g,
    (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character],
  );
}

/** An id of the chart as a part of an element's, which may hold no space. */
const idPart = (id) => escape(id.replaceAll(/\s+/g, "-"));

/** To a tenth of a pixel. */
const short = (value) => Math.round(value * 10) / 10;
