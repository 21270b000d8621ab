// A transition's pill: its event, order and guard, and what it does. Transitions with the same ends share a line, and
// their pills a card.
import { named, row, stack } from "./parts.mjs";
import { eventText, guardText } from "./in-words.mjs";
import { wrap } from "./text-width.mjs";

/** @typedef {import("./chart-model.mjs").ChartEdge} ChartEdge */

/**
 * Pills on top of each other, as wide as the widest.
 * @typedef {{readonly width: number, readonly height: number, readonly pills: readonly Pill[]}} Card
 */

/** @typedef {{readonly edge: ChartEdge} & import("./parts.mjs").Block} Pill */

const rowHeight = 18;
const indent = 2;
/** A line of a pill is not made longer than this by its guard, nor by its description. */
const lineWidth = 190;

/**
 * @param {readonly ChartEdge[]} edges
 * @returns {Card | undefined} undefined when they have nothing to say
 */
export function cardOf(edges) {
  const pills = edges.map(pillOf).filter(({ parts }) => parts.length > 0);
  if (pills.length === 0) return undefined;
  const width = Math.max(...pills.map(({ width }) => width));
  return { width, height: pills.reduce((sum, { height }) => sum + height, 0), pills };
}

/** @returns {Pill} */
function pillOf(edge) {
  const rows = [...eventRows(edge), ...descriptionRows(edge), ...edge.actions.map(actionRow)];
  return { edge, ...stack(rows, { x: 12, top: 5, bottom: 5 }) };
}

/** @returns {import("./parts.mjs").Block[]} */
function eventRows(edge) {
  const text = eventText(edge);
  if (text === "") return [];
  const icon = icons[edge.kind];
  /** @type {import("./parts.mjs").Item[]} */
  const event = [
    ...(edge.of > 1 ? [{ order: edge.order }, { gap: 6 }] : []),
    ...(icon === undefined ? [] : [{ icon }, { gap: 6 }]),
    { style: "event", text },
  ];
  const condition = conditionOf(edge);
  if (condition.length === 0) return [row(rowHeight, event)];
  const oneLine = row(rowHeight, [...event, { gap: 8 }, ...condition]);
  if (oneLine.width <= lineWidth) return [oneLine];
  return [row(rowHeight, event), row(rowHeight, [{ gap: indent }, ...condition])];
}

/** @type {Partial<Record<ChartEdge["kind"], import("./parts.mjs").Icon>>} */
const icons = { after: "after", done: "done", error: "error" };

/** @returns {import("./parts.mjs").Item[]} */
function conditionOf(edge) {
  const { keyword, guard } = guardText(edge);
  if (keyword === "") return [];
  if (guard === "") return [{ style: "keyword", text: keyword }];
  return [{ style: "keyword", text: keyword }, { gap: 5 }, { style: "guard", text: guard }];
}

function descriptionRows({ description }) {
  return wrap(description, "description", lineWidth).map((text) =>
    row(rowHeight, [{ gap: indent }, { style: "description", text }]),
  );
}

function actionRow(action) {
  return row(rowHeight, [{ gap: indent }, ...named("action", action)]);
}
