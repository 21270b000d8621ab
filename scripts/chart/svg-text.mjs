// Text that is safe to stand in an SVG document.

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Between tags, or as an attribute's value. */
export function escape(text) {
  // No SVG document may hold control characters, however they are written.
  const clean = text.replaceAll(/[^\P{Cc}\t\n]/gu, "");
  return clean.replaceAll(/[&<>"]/g, (character) => entities[character]);
}

/** An id of the chart as an element's, which may hold no space; also safe in a list of ids. */
export function asId(id) {
  return escape(id.replaceAll(/\s/g, "_"));
}

/** A tenth of a pixel is enough. */
export function short(value) {
  return Math.round(value * 10) / 10;
}
