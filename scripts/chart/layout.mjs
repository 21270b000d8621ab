// Where everything goes: boxes, pills and lines of a chart, placed by elk's layered algorithm.
import Elk from "elkjs/lib/elk.bundled.js";
import { toGraph } from "./elk-graph.mjs";

/**
 * All in whole pixels from the picture's upper left corner.
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {readonly PlacedBox[]} boxes parents before their children
 * @property {readonly PlacedEdge[]} edges
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
 * @typedef {object} PlacedEdge
 * @property {import("./chart-model.mjs").ChartEdge} edge
 * @property {readonly Line[]} lines
 * @property {{readonly pill: import("./pill.mjs").Pill, readonly x: number, readonly y: number} | undefined} pill
 * @property {Point | undefined} dot where an initial transition begins
 */

/** @typedef {readonly [x: number, y: number]} Point */
/** @typedef {{readonly points: readonly Point[], readonly arrow: boolean}} Line with right angles only */

/**
 * @param {import("./chart-model.mjs").Chart} chart
 * @param {Record<string, string>} [options] of elk, over ours
 * @returns {Promise<Layout>} the same for the same chart, on every machine
 */
export async function layOut(chart, options = {}) {
  const { graph, boxes, pills } = toGraph(chart);
  const elk = new Elk();
  const placed = await elk.layout({ ...graph, layoutOptions: { ...graph.layoutOptions, ...options } });
  const nodes = new Map(allNodes(placed).map((node) => [node.id, node]));
  const routes = new Map((placed.edges ?? []).map((edge) => [edge.id, edge]));
  return {
    width: Math.ceil(placed.width ?? 0),
    height: Math.ceil(placed.height ?? 0),
    boxes: boxes.map((box) => ({ box, ...rectangle(nodes.get(box.state.id)) })),
    edges: chart.edges
      .filter(({ targets }) => targets.length > 0)
      .map((edge) => placeEdge(edge, { pill: pills.get(edge.id), nodes, routes })),
  };
}
function allNodes(node) {
  return [node, ...(node.children ?? []).flatMap(allNodes)];
}

function rectangle({ x, y, width, height }) {
  return { x: Math.round(x), y: Math.round(y), width: Math.round(width), height: Math.round(height) };
}

function placeEdge(edge, { pill, nodes, routes }) {
  const routesOf = (id) => [routes.get(id)].filter((route) => route !== undefined);
  const into = routesOf(`${edge.id}>`);
  const out = edge.targets.flatMap((_, index) => routesOf(`${edge.id}>${index}`));
  const place = nodes.get(`pill ${edge.id}`) ?? out[0]?.labels?.[0];
  const dot = nodes.get(`dot ${edge.id}`);
  return {
    edge,
    lines: [
      ...into.map((route) => ({ points: pointsOf(route), arrow: false })),
      ...out.map((route) => ({ points: pointsOf(route), arrow: true })),
    ],
    pill: pill === undefined ? undefined : { pill, x: Math.round(place.x), y: Math.round(place.y) },
    dot: dot === undefined ? undefined : [Math.round(dot.x + dot.width / 2), Math.round(dot.y + dot.height / 2)],
  };
}

/** @returns {Point[]} */
function pointsOf({ sections = [] }) {
  const points = sections.flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]);
  return points.map(({ x, y }) => [Math.round(x), Math.round(y)]);
}
