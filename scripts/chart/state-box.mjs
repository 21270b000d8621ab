// A state's box: its name in a band, what it is for, what it does, and the transitions that stay in it.
import { pillOf } from "./pill.mjs";
import { row } from "./parts.mjs";
import { textStyles, wrap } from "./text-width.mjs";

/**
 * @typedef {object} StateBox
 * @property {import("./chart-model.mjs").ChartState} state
 * @property {number} width in pixels, what its own parts need
 * @property {number} height the same: a state's children come below
 * @property {number} band height of the band that its name stands in
 * @property {readonly import("./parts.mjs").Part[]} parts
 */

const paddingX = 14;
const band = 34;
const chipHeight = 22;
const minWidth = 96;

/**
 * @param {import("./chart-model.mjs").ChartState} state
 * @param {readonly import("./chart-model.mjs").ChartEdge[]} inner its transitions that stay
 * @returns {StateBox}
 */
export function stateBox(state, inner) {
  const column = new Column(state);
  column.describe();
  column.section(
    "Tags",
    "tag",
    state.tags.map((name) => ({ name, params: "" })),
  );
  column.section("Entry actions", "action", state.entry);
  column.section("Invoke", "invoke", state.invoke.map(nameOfInvoke));
  column.section("Exit actions", "action", state.exit);
  column.pills(inner);
  return column.box();
}

function nameOfInvoke({ id, src }) {
  // An id that was made up says only where it is.
  return { name: src, params: /^\d+[.]/.test(id) || id === src ? "" : `as ${id}` };
}

class Column {
  /** @type {import("./parts.mjs").Part[]} */
  #parts = [];
  #state;
  #y = band;
  #end = 0;

  constructor(state) {
    this.#state = state;
    const icon = { final: "final", history: "history", parallel: "parallel" }[state.type];
    const before = icon === undefined ? [] : [{ icon }, { gap: 7 }];
    this.#row(0, band, [...before, { style: "title", text: state.key }]);
  }

  describe() {
    const { description, children } = this.#state;
    if (description === "") return;
    const { line } = textStyles.description;
    this.#y += 8;
    for (const text of wrap(description, "description", children.length > 0 ? 560 : 216)) {
      this.#row(this.#y, line, [{ style: "description", text }]);
      this.#y += line;
    }
  }

  section(label, icon, items) {
    if (items.length === 0) return;
    this.#y += 8;
    this.#row(this.#y, 14, [{ style: "label", text: label }]);
    this.#y += 17;
    for (const { name, params } of items) {
      const { parts, end } = row(8, 0, chipHeight, [
        { icon },
        { gap: 6 },
        { style: "action", text: name },
        ...(params === "" ? [] : [{ gap: 6 }, { style: "params", text: params }]),
      ]);
      this.#add({ part: "chip", x: paddingX, y: this.#y, width: end + 9, height: chipHeight, parts }, end + 9);
      this.#y += chipHeight + 4;
    }
  }

  pills(edges) {
    for (const pill of edges.map(pillOf)) {
      if (pill === undefined) continue;
      this.#y += 8;
      this.#add({ part: "pill", x: paddingX, y: this.#y, pill }, pill.width);
      this.#y += pill.height;
    }
  }

  /** @returns {StateBox} */
  box() {
    const bare = this.#y === band;
    return {
      state: this.#state,
      width: Math.max(Math.ceil(this.#end) + paddingX, minWidth),
      height: bare ? band : this.#y + 10,
      band,
      parts: this.#parts,
    };
  }

  #row(y, height, items) {
    const { parts, end } = row(paddingX, y, height, items);
    this.#parts.push(...parts);
    this.#end = Math.max(this.#end, end);
  }

  #add(part, width) {
    this.#parts.push(part);
    this.#end = Math.max(this.#end, paddingX + width);
  }
}
