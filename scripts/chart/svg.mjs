// A laid out chart as an SVG document.
import { inWords } from "./in-words.mjs";
import { band } from "./state-box.mjs";
import { styleSheet } from "./style.mjs";
import { drawCard, drawPart } from "./svg-parts.mjs";
import { arrowHead, linePath, roundedPath } from "./svg-path.mjs";
import { asId, escape } from "./svg-text.mjs";

/**
 * The picture. A state is a group with its id as `data-state`. A transition's pill is one with its id as `data-edge`,
 * and its source, targets and event beside it; a line has the ids of all transitions that it is drawn for. So
 * `[data-edge~="…"]` finds what belongs to a transition.
 * @param {import("./chart-model.mjs").Chart} chart
 * @param {import("./layout.mjs").Layout} layout
 * @returns {string}
 */
export function toSvg(chart, { width, height, boxes, routes }) {
  const [title, description] = [asId(`${chart.id}-title`), asId(`${chart.id}-description`)];
  const regions = new Set(chart.states.flatMap(({ type, children }) => (type === "parallel" ? children : [])));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="machine-chart" viewBox="0 0 ${width} ${height}"` +
      ` width="${width}" height="${height}" role="img" aria-labelledby="${title} ${description}">`,
    `<title id="${title}">The state machine ${escape(chart.id)}</title>`,
    `<desc id="${description}">${escape(inWords(chart))}</desc>`,
    `<style>\n${styleSheet}\n</style>`,
    `<rect class="canvas" width="${width}" height="${height}"/>`,
    ...boxes.map((placed) => drawBox(placed, regions)),
    ...routes.map(drawLines),
    // A line may lead through a parent: its words stay readable.
    ...boxes.map(drawWords),
    ...routes.flatMap(({ card: place }) => (place === undefined ? [] : [drawCard(place.card, place.x, place.y)])),
    "</svg>\n",
  ].join("\n");
}

const radius = 6;

function drawBox({ box: { state, height: ownHeight }, x, y, width, height }, regions) {
  const classes = ["state", state.type];
  if (state.children.length > 0) classes.push("parent");
  if (regions.has(state.id)) classes.push("region");
  const bandBottom = ownHeight === band && height === band ? radius : 0;
  return [
    `<g id="state-${asId(state.id)}" class="${classes.join(" ")}" data-state="${asId(state.id)}">`,
    `<rect class="body" x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}"/>`,
    `<path class="band" d="${roundedPath({ x, y, width, height: band }, { top: radius, bottom: bandBottom })}"/>`,
    `<rect class="border" x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}"/>`,
    "</g>",
  ].join("");
}

function drawWords({ box: { state, parts }, x, y }) {
  const inner = parts.map((part) => drawPart(part, x, y)).join("");
  const parent = state.children.length > 0 ? " parent" : "";
  return `<g class="words${parent}" data-state="${asId(state.id)}">${inner}</g>`;
}

function drawLines({ route, lines, dot }) {
  const ids = route.edges.map(({ id }) => asId(id)).join(" ");
  return [
    `<g id="line-${asId(route.id)}" class="route ${route.edges[0].kind}" data-edge="${ids}">`,
    ...lines.map((line) => `<path class="line" d="${linePath(line)}"/>`),
    ...lines.filter(({ arrow }) => arrow).map(({ points }) => `<path class="arrow" d="${arrowHead(points)}"/>`),
    ...(dot === undefined ? [] : [`<circle class="dot" cx="${dot[0]}" cy="${dot[1]}" r="6"/>`]),
    "</g>",
  ].join("");
}
