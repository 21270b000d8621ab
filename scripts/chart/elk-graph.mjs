// A chart as the graph that elk lays out: boxes, dots and hubs as nodes, the cards of lines as labels in their middle.
import { stateBox } from "./state-box.mjs";

/** @typedef {import("elkjs/lib/elk-api.js").ElkNode} ElkNode */

const dotSize = 12;
const inset = 22;

/**
 * @param {import("./chart-model.mjs").Chart} chart
 * @param {readonly import("./routes.mjs").Route[]} routes
 * @returns {{graph: ElkNode, boxes: import("./state-box.mjs").StateBox[]}}
 */
export function toGraph(chart, routes) {
  const boxes = chart.states.map((state) =>
    stateBox(
      state,
      chart.edges.filter(({ source, targets }) => source === state.id && targets.length === 0),
    ),
  );
  const boxOf = new Map(boxes.map((box) => [box.state.id, box]));

  /** @returns {ElkNode} */
  const toNode = (id) => {
    const box = boxOf.get(id);
    if (box === undefined) throw new Error(`${id} is no state of ${chart.id}`);
    const { children } = box.state;
    if (children.length === 0) return { id, width: box.width, height: box.height };
    const own = routes.filter(({ within }) => within === id).flatMap(ownNode);
    return { id, layoutOptions: containerOptions(box), children: [...own, ...children.map(toNode)] };
  };
  const order = orderOfRegions(chart, routes);
  const [root] = chart.states;
  return { graph: { id: "", children: [toNode(root.id)], edges: [...routes.flatMap(toEdges), ...order] }, boxes };
}

/** Edges that are not drawn: they keep a parallel state's regions beside each other, below the hubs in it. */
function orderOfRegions({ states }, routes) {
  const regions = new Map(states.map(({ id, type, children }) => [id, type === "parallel" ? children : []]));
  return routes
    .filter(({ shape }) => shape === "hub")
    .flatMap(({ id, within }) =>
      (regions.get(within) ?? []).map((region) => ({
        id: `${id} order ${region}`,
        sources: [hubOf(id)],
        targets: [region],
      })),
    );
}

export const dotOf = (id) => `${id} dot`;
export const hubOf = (id) => `${id} hub`;
export const lineInto = (id) => `${id} in`;
export const lineOut = (id, index) => `${id} out ${index}`;

/** @returns {ElkNode[]} */
function ownNode({ id, shape, card }) {
  if (shape === "dot") return [{ id: dotOf(id), width: dotSize, height: dotSize }];
  return shape === "hub" ? [{ id: hubOf(id), width: card.width, height: card.height }] : [];
}

/** A line that leads back, to a state that the config lists earlier, is laid out as if it came from there. */
function toEdges({ id, shape, source, targets, card, comesIn, back }) {
  const from = { dot: dotOf(id), hub: hubOf(id), line: source }[shape];
  const line = (id, from, to, labels = []) => {
    const [start, end] = back ? [to, from] : [from, to];
    return { id, sources: [start], targets: [end], labels };
  };
  const into = comesIn ? [line(lineInto(id), source, from)] : [];
  const labels = shape === "hub" || card === undefined ? [] : [labelOf(id, card)];
  return [...into, ...targets.map((target, index) => line(lineOut(id, index), from, target, labels))];
}

function labelOf(id, { width, height }) {
  const layoutOptions = { "elk.edgeLabels.inline": "true", "elk.edgeLabels.placement": "CENTER" };
  // Elk leaves out a label without a text.
  return { id: `${id} label`, text: "-", width, height, layoutOptions };
}

function containerOptions({ width, height }) {
  return {
    "elk.padding": `[top=${height + inset},left=${inset},bottom=${inset},right=${inset}]`,
    "elk.nodeSize.constraints": "MINIMUM_SIZE",
    // Elk turns a picture that grows downwards on its side, but not this: height comes first.
    "elk.nodeSize.minimum": `(${height + 2 * inset},${width})`,
  };
}

/** For every node: elk's nodes inherit none but the first two. */
export const layoutOptions = {
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.direction": "DOWN",
  "elk.algorithm": "layered",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.randomSeed": "1",
  "elk.json.shapeCoords": "ROOT",
  "elk.json.edgeCoords": "ROOT",
  "elk.padding": "[top=12,left=12,bottom=12,right=12]",
  "elk.layered.crossingMinimization.strategy": "LAYER_SWEEP",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.cycleBreaking.strategy": "DEPTH_FIRST",
  "elk.layered.thoroughness": "30",
  "elk.spacing.nodeNode": "32",
  "elk.layered.spacing.nodeNodeBetweenLayers": "32",
  "elk.spacing.edgeNode": "18",
  "elk.layered.spacing.edgeNodeBetweenLayers": "18",
  "elk.spacing.edgeEdge": "14",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "12",
  "elk.spacing.edgeLabel": "6",
};
