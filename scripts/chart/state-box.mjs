// A state's box: its name in a band, what it is for, what it does, and the transitions that stay in it.
import { cardOf } from "./pill.mjs";
import { moved, named, row, sideBySide, space, stack } from "./parts.mjs";
import { textStyles, wrap } from "./text-width.mjs";

/** @typedef {import("./chart-model.mjs").ChartState} ChartState */

/**
 * What a state itself takes; its children come below.
 * @typedef {{readonly state: ChartState} & import("./parts.mjs").Block} StateBox
 */

/** Height of the band, in pixels. */
export const band = 34;

const padding = 14;
const chipHeight = 22;
const minWidth = 96;

/**
 * @param {ChartState} state
 * @param {readonly import("./chart-model.mjs").ChartEdge[]} inner its transitions that stay
 * @returns {StateBox}
 */
export function stateBox(state, inner) {
  const sections = [
    description(state),
    section(
      "Tags",
      chips(
        "tag",
        state.tags.map((name) => ({ name, params: "" })),
        state,
      ),
    ),
    section("Entry actions", chips("action", state.entry, state)),
    section("Invoke", chips("invoke", state.invoke.map(asChip), state)),
    section("Exit actions", chips("action", state.exit, state)),
    ...inner.map(pill),
  ].filter((blocks) => blocks.length > 0);
  const body = sections.flatMap((blocks) => [space(8), ...blocks]);
  const bottom = body.length === 0 ? 0 : 10;
  const { width, height, parts } = stack([title(state), ...body], { x: padding, top: 0, bottom });
  return { state, width: Math.max(width, minWidth), height, parts };
}

function title({ type, history, key }) {
  const icon = { final: "final", history: history === "deep" ? "deep-history" : "history", parallel: "parallel" }[type];
  return row(band, [...(icon === undefined ? [] : [{ icon }, { gap: 7 }]), { style: "title", text: key }]);
}

function description({ description, children }) {
  const width = children.length > 0 ? 560 : 216;
  return wrap(description, "description", width).map((text) =>
    row(textStyles.description.line, [{ style: "description", text }]),
  );
}

function section(label, rows) {
  if (rows.length === 0) return [];
  return [row(14, [{ style: "label", text: label }]), ...rows.flatMap((chips) => [space(4), chips])];
}

/** One below the other; a parent has the room to place them side by side. */
function chips(icon, items, { children }) {
  const blocks = items.map((item) => chip(icon, item));
  return children.length > 0 && blocks.length > 0 ? [sideBySide(blocks, 6)] : blocks;
}

/** @returns {import("./parts.mjs").Block} */
function chip(icon, item) {
  const { width, height, parts } = row(chipHeight, named(icon, item));
  const whole = width + 17;
  return { width: whole, height, parts: [{ part: "chip", x: 0, y: 0, width: whole, height }, ...moved(parts, 8, 0)] };
}

function asChip({ id, src }) {
  // An id that XState made up says only where it is.
  return { name: src, params: /^\d+[.]/.test(id) || id === src ? "" : `as ${id}` };
}

function pill(edge) {
  const card = cardOf([edge]);
  return card === undefined ? [] : [{ ...card, parts: [{ part: "card", x: 0, y: 0, card }] }];
}
