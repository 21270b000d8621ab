// How transitions are drawn: which share a line, and where a card of pills stands by itself.
import { cardOf } from "./pill.mjs";

/** @typedef {import("./chart-model.mjs").ChartEdge} ChartEdge */

/**
 * @typedef {object} Route a line, or several that meet at a card
 * @property {string} id unique in the chart
 * @property {readonly ChartEdge[]} edges what it stands for: transitions with the same ends
 * @property {"line" | "hub" | "dot"} shape `line`: from the source, through the card, to the target. `hub`: the card
 *   stands by itself, and lines go from it to the targets. `dot`: the line begins in a dot
 * @property {string} source id of a state
 * @property {readonly string[]} targets ids of states
 * @property {import("./pill.mjs").Card | undefined} card
 * @property {string} within id of the state that holds the hub or the dot
 * @property {boolean} comesIn whether a line leads from the source to the hub
 * @property {boolean} back whether it leads to a state that the config lists before the source
 */

/**
 * @param {import("./chart-model.mjs").Chart} chart
 * @returns {Route[]} of the transitions that go somewhere, in the chart's order
 */
export function routesOf(chart) {
  const tree = treeOf(chart);
  /** @type {Map<string, ChartEdge[]>} */
  const groups = new Map();
  for (const edge of chart.edges.filter(({ targets }) => targets.length > 0)) {
    const ends = endsOf(edge);
    groups.set(ends, [...(groups.get(ends) ?? []), edge]);
  }
  return [...groups.values()].map((edges) => toRoute(edges, tree));
}

function endsOf({ kind, source, targets }) {
  const sort = ["initial", "history"].includes(kind) ? kind : "transition";
  return JSON.stringify([sort, source, ...targets]);
}

/** @returns {Route} */
function toRoute(edges, tree) {
  const [{ id, kind, source, targets }] = edges;
  const route = { id, edges, source, targets, card: cardOf(edges), within: source, comesIn: false, back: false };
  if (kind === "initial") return { ...route, shape: "dot" };
  const enters = targets.every((target) => tree.isInside(target, source));
  // A line between a state and one inside of it would have to cross the border both ways.
  const nested = enters || targets.some((target) => tree.isInside(source, target));
  const back = !nested && tree.isBefore(targets[0], source);
  if (route.card === undefined || (targets.length === 1 && !nested)) return { ...route, shape: "line", back };
  const around = enters ? targets : [source, ...targets];
  return { ...route, shape: "hub", within: tree.around(around), comesIn: !enters, back };
}

function treeOf({ states }) {
  const parents = new Map(states.map(({ id, parent }) => [id, parent]));
  const withAncestors = (id) => (id === null ? [] : [id, ...withAncestors(parents.get(id) ?? null)]);
  const ancestors = (id) => withAncestors(parents.get(id) ?? null);
  const places = new Map(states.map(({ id }, index) => [id, index]));
  return {
    isBefore: (id, other) => (places.get(id) ?? 0) < (places.get(other) ?? 0),
    isInside: (id, other) => ancestors(id).includes(other),
    /** The innermost state that all of these are inside of; the root, should it be one of them. */
    around: ([first, ...rest]) =>
      ancestors(first).find((id) => rest.every((other) => ancestors(other).includes(id))) ?? states[0].id,
  };
}
