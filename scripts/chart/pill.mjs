// A transition's pill: event, order, guard, what it does.
import { row } from "./parts.mjs";
import { wrap } from "./text-width.mjs";

/**
 * @typedef {object} Pill
 * @property {import("./chart-model.mjs").ChartEdge} edge
 * @property {number} width in pixels
 * @property {number} height
 * @property {readonly import("./parts.mjs").Part[]} parts
 */

const padding = { x: 12, y: 5 };
const rowHeight = 18;
/** The widest line that a guard may make; a longer one moves to a line of its own. */
const lineWidth = 190;

/**
 * @param {import("./chart-model.mjs").ChartEdge} edge
 * @returns {Pill | undefined} undefined when the edge has nothing to say
 */
export function pillOf(edge) {
  const rows = [...eventRows(edge), ...descriptionRows(edge), ...edge.actions.map(actionRow)];
  if (rows.length === 0) return undefined;
  const placed = rows.map((items, index) => row(padding.x, padding.y + index * rowHeight, rowHeight, items));
  return {
    edge,
    width: Math.ceil(Math.max(...placed.map(({ end }) => end)) + padding.x),
    height: rows.length * rowHeight + 2 * padding.y,
    parts: placed.flatMap(({ parts }) => parts),
  };
}

/** What the edge is called, in a word or two: also what a reader without a picture is told. */
export function eventText({ kind, event }) {
  switch (kind) {
    case "event":
      return event === "*" ? "any event" : event;
    case "after":
      return `after ${event}`;
    case "always":
      return "always";
    case "done":
    case "error":
      return event === "" ? kind : `${event} ${kind}`;
    case "snapshot":
      return `${event} says`;
    default:
      return "";
  }
}

/** When several transitions compete, the last one needs no guard. */
export function guardText({ guard, order }) {
  if (guard !== "") return { keyword: "IF", guard };
  return order > 1 ? { keyword: "ELSE", guard: "" } : { keyword: "", guard: "" };
}

function eventRows(edge) {
  const text = eventText(edge);
  if (text === "") return [];
  const icon = { after: "after", done: "done", error: "error" }[edge.kind];
  const event = [
    ...(edge.of > 1 ? [{ order: edge.order }, { gap: 6 }] : []),
    ...(icon === undefined ? [] : [{ icon }, { gap: 6 }]),
    { style: "event", text },
  ];
  const { keyword, guard } = guardText(edge);
  if (keyword === "") return [event];
  const condition = [
    { style: "keyword", text: keyword },
    ...(guard === "" ? [] : [{ gap: 5 }, { style: "guard", text: guard }]),
  ];
  const line = [...event, { gap: 8 }, ...condition];
  return row(0, 0, rowHeight, line).end <= lineWidth ? [line] : [event, [{ gap: indent }, ...condition]];
}

const indent = 2;

function descriptionRows({ description }) {
  return wrap(description, "description", lineWidth).map((text) => [{ style: "description", text }]);
}

function actionRow({ name, params }) {
  return [
    { gap: indent },
    { icon: "action" },
    { gap: 5 },
    { style: "action", text: name },
    ...(params === "" ? [] : [{ gap: 6 }, { style: "params", text: params }]),
  ];
}
