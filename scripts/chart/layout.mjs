// Where everything goes: boxes, cards and lines of a chart, placed by elk's layered algorithm.
import elkjs from "elkjs/lib/elk.bundled.js";
import { dotOf, hubOf, layoutOptions, lineInto, lineOut, toGraph } from "./elk-graph.mjs";
import { isLoop, loopThrough, straightened } from "./lines.mjs";
import { routesOf } from "./routes.mjs";

/**
 * All in whole pixels from the picture's upper left corner.
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {readonly PlacedBox[]} boxes every state's, parents before their children
 * @property {readonly PlacedRoute[]} routes
 */

/**
 * @typedef {object} PlacedBox
 * @property {import("./state-box.mjs").StateBox} box
 * @property {number} x
 * @property {number} y
 * @property {number} width of the whole, children included
 * @property {number} height
 */

/**
 * @typedef {object} PlacedRoute
 * @property {import("./routes.mjs").Route} route
 * @property {readonly import("./lines.mjs").Line[]} lines
 * @property {{readonly card: import("./pill.mjs").Card, readonly x: number, readonly y: number} | undefined} card
 * @property {import("./lines.mjs").Point | undefined} dot its middle
 */

/**
 * @param {import("./chart-model.mjs").Chart} chart
 * @returns {Promise<Layout>} the same for the same chart, on every machine
 */
export async function layOut(chart) {
  const routes = routesOf(chart);
  const { graph, boxes } = toGraph(chart, routes);
  const placed = await new elkjs.default().layout(graph, { layoutOptions });
  const places = {
    nodes: new Map(allNodes(placed).map((node) => [node.id, node])),
    lines: new Map((placed.edges ?? []).map((edge) => [edge.id, edge])),
  };
  return {
    width: Math.ceil(placed.width ?? 0),
    height: Math.ceil(placed.height ?? 0),
    boxes: boxes.map((box) => ({ box, ...rectangle(places.nodes.get(box.state.id)) })),
    routes: routes.map((route) => placeRoute(route, places)),
  };
}

function allNodes(node) {
  return [node, ...(node.children ?? []).flatMap(allNodes)];
}

function rectangle({ x, y, width, height }) {
  return { x: Math.round(x), y: Math.round(y), width: Math.round(width), height: Math.round(height) };
}

/**
 * @param {import("./routes.mjs").Route} route
 * @param {{nodes: Map<string, any>, lines: Map<string, any>}} places
 * @returns {PlacedRoute}
 */
function placeRoute(route, { nodes, lines }) {
  const { id, targets, comesIn, back } = route;
  const out = targets.map((_, index) => lines.get(lineOut(id, index)));
  const drawn = [
    ...(comesIn ? [{ points: pointsOf(lines.get(lineInto(id)), back), arrow: false }] : []),
    ...out.map((line) => ({ points: pointsOf(line, back), arrow: true })),
  ];
  const place = nodes.get(hubOf(id)) ?? out[0].labels?.[0];
  const card = route.card && { card: route.card, x: Math.round(place.x), y: Math.round(place.y) };
  const dot = nodes.get(dotOf(id));
  return {
    route,
    lines: card !== undefined && isLoop(drawn[0]) ? loopThrough(card, drawn[0]) : drawn,
    card,
    dot: dot && [Math.round(dot.x + dot.width / 2), Math.round(dot.y + dot.height / 2)],
  };
}

/** @returns {import("./lines.mjs").Point[]} */
function pointsOf({ sections = [] }, back) {
  const points = sections.flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]);
  const ordered = back ? points.reverse() : points;
  return straightened(ordered.map(({ x, y }) => [Math.round(x), Math.round(y)]));
}
