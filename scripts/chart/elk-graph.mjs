// A chart as the graph that elk lays out: boxes as nodes, pills as labels on edges, or as nodes where no line comes in
// or several go out.
import { pillOf } from "./pill.mjs";
import { stateBox } from "./state-box.mjs";

const dotSize = 12;
const inset = 24;

/**
 * @param {import("./chart-model.mjs").Chart} chart
 * @returns {{graph: import("elkjs/lib/elk-api.js").ElkNode, boxes: import("./state-box.mjs").StateBox[],
 *   pills: Map<string, import("./pill.mjs").Pill>}} pills by their edge's id
 */
export function toGraph(chart) {
  const boxes = chart.states.map((state) =>
    stateBox(
      state,
      chart.edges.filter(({ source, targets }) => source === state.id && targets.length === 0),
    ),
  );
  const moving = chart.edges.filter(({ targets }) => targets.length > 0);
  const pills = new Map(
    moving.flatMap((edge) => {
      const pill = pillOf(edge);
      return pill === undefined ? [] : [[edge.id, pill]];
    }),
  );
  const tree = treeOf(chart);
  const parts = moving.map((edge) => partsOf(edge, pills.get(edge.id), tree));
  const nodesIn = (parent) =>
    parts.flatMap(({ nodes }) => nodes.filter((node) => node.parent === parent).map(({ parent, ...node }) => node));
  const boxOf = new Map(boxes.map((box) => [box.state.id, box]));

  const toNode = (id) => {
    const box = boxOf.get(id);
    const { children } = box.state;
    if (children.length === 0) return { id, width: box.width, height: box.height };
    return {
      id,
      layoutOptions: {
        "elk.padding": `[top=${box.height + inset - 6},left=${inset},bottom=${inset},right=${inset}]`,
        "elk.nodeSize.constraints": "MINIMUM_SIZE",
        "elk.nodeSize.minimum": `(${box.width},${box.height + 2 * inset})`,
      },
      children: [...nodesIn(id), ...children.map(toNode)],
    };
  };
  const graph = {
    id: "",
    children: [toNode(chart.states[0].id)],
    edges: parts.flatMap(({ edges }) => edges),
    layoutOptions: options,
  };
  return { graph, boxes, pills };
}

/** Nodes and edges that stand for one transition. */
function partsOf(edge, pill, tree) {
  const { id, kind, source, targets } = edge;
  if (kind === "initial") {
    const dot = { id: `dot ${id}`, parent: source, width: dotSize, height: dotSize };
    return { nodes: [dot], edges: [labelled(`${id}>0`, dot.id, targets[0], pill)] };
  }
  const enters = targets.every((target) => tree.isWithin(target, source) && target !== source);
  const leaves = targets.every((target) => tree.isWithin(source, target) && target !== source);
  const simple = targets.length === 1 && !enters && !leaves;
  if (simple || pill === undefined) {
    return { nodes: [], edges: targets.map((target, index) => labelled(`${id}>${index}`, source, target, pill)) };
  }
  const node = { id: `pill ${id}`, width: pill.width, height: pill.height };
  const out = targets.map((target, index) => labelled(`${id}>${index}`, node.id, target));
  const into = enters ? [] : [labelled(`${id}>`, source, node.id)];
  const all = enters ? targets : [source, ...targets];
  return { nodes: [{ ...node, parent: tree.commonAncestor(all) }], edges: [...into, ...out] };
}

function labelled(id, from, to, pill = undefined) {
  const label = pill && {
    id: `label ${id}`,
    text: ".",
    width: pill.width,
    height: pill.height,
    layoutOptions: { "elk.edgeLabels.inline": "true", "elk.edgeLabels.placement": "CENTER" },
  };
  return { id, sources: [from], targets: [to], labels: label === undefined ? [] : [label] };
}

function treeOf(chart) {
  const parents = new Map(chart.states.map(({ id, parent }) => [id, parent]));
  const withAncestors = (id) => (id === null ? [] : [id, ...withAncestors(parents.get(id) ?? null)]);
  return {
    isWithin: (id, ancestor) => withAncestors(id).includes(ancestor),
    /** The innermost state that holds all of these as descendants. */
    commonAncestor: ([first, ...rest]) =>
      withAncestors(parents.get(first) ?? null).find((id) =>
        rest.every((other) => other !== id && withAncestors(other).includes(id)),
      ) ?? chart.id,
  };
}

const options = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.randomSeed": "1",
  "elk.json.shapeCoords": "ROOT",
  "elk.json.edgeCoords": "ROOT",
  "elk.padding": "[top=12,left=12,bottom=12,right=12]",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
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
