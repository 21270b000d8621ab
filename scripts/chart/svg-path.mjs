// Lines, arrows and round corners as SVG path data.
import { short } from "./svg-text.mjs";

/** @typedef {import("./lines.mjs").Point} Point */

const bend = 8;
const arrowLength = 9;

/**
 * A line whose corners are round; one with an arrow ends where the arrow's head begins.
 * @param {import("./lines.mjs").Line} line
 */
export function linePath({ points, arrow }) {
  const [end, before] = [...points].reverse();
  const shown = arrow ? [...points.slice(0, -1), towards(end, before, arrowLength - 2)] : points;
  return shown.map((point, index) => step(shown[index - 1], point, shown[index + 1])).join("");
}

/**
 * The head at the end of a line.
 * @param {readonly Point[]} points
 */
export function arrowHead(points) {
  const [tip, before] = [...points].reverse();
  const [x, y] = towards(tip, before, arrowLength);
  const half = arrowLength / 2;
  const across =
    x === tip[0] ? `${short(x - half)} ${y}H${short(x + half)}` : `${x} ${short(y - half)}V${short(y + half)}`;
  return `M${across}L${tip.join(" ")}z`;
}

/**
 * A rectangle of which the upper corners, the lower ones, or both are round.
 * @param {{x: number, y: number, width: number, height: number}} rectangle
 * @param {{top: number, bottom: number}} radius
 */
export function roundedPath({ x, y, width, height }, { top, bottom }) {
  return [
    `M${x} ${y + top}`,
    arc(top, top, -top),
    `h${width - 2 * top}`,
    arc(top, top, top),
    `v${height - top - bottom}`,
    arc(bottom, -bottom, bottom),
    `h${2 * bottom - width}`,
    arc(bottom, -bottom, -bottom),
    "z",
  ].join("");
}

const arc = (radius, right, down) => (radius === 0 ? "" : `a${radius} ${radius} 0 0 1 ${right} ${down}`);

function step(before, point, after) {
  if (before === undefined) return `M${point.join(" ")}`;
  if (after === undefined) return `L${point.join(" ")}`;
  const radius = Math.min(bend, distance(before, point) / 2, distance(point, after) / 2);
  return `L${towards(point, before, radius).join(" ")}Q${point.join(" ")} ${towards(point, after, radius).join(" ")}`;
}

/**
 * The point so far from the first one on the way to the second; the way is level or upright.
 * @param {Point} from
 * @param {Point} to
 * @param {number} length
 * @returns {Point}
 */
function towards([x, y], [toX, toY], length) {
  return [short(x + Math.sign(toX - x) * length), short(y + Math.sign(toY - y) * length)];
}

const distance = ([x, y], [toX, toY]) => Math.abs(x - toX) + Math.abs(y - toY);
