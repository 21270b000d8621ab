// A machine's config as a chart: what there is to draw, with every target resolved, and nothing of how it looks. Works
// on the config of any XState 5 machine, also on one that came as JSON, and needs no XState.
import { actionsOf, guardOf, list } from "./config-names.mjs";
import { asPath, findTarget } from "./targets.mjs";

/**
 * @typedef {object} Chart
 * @property {string} id the machine's
 * @property {readonly ChartState[]} states in document order, the root first
 * @property {readonly ChartEdge[]} edges in document order of their sources
 */

/**
 * @typedef {object} ChartState
 * @property {string} id as XState names the state node: unique in the machine
 * @property {string} key its name among its siblings
 * @property {string | null} parent id; null for the root
 * @property {"atomic" | "compound" | "parallel" | "final" | "history"} type
 * @property {"shallow" | "deep" | null} history of a history state
 * @property {string} description empty when there is none
 * @property {readonly string[]} tags
 * @property {readonly Action[]} entry
 * @property {readonly Action[]} exit
 * @property {readonly {readonly id: string, readonly src: string}[]} invoke
 * @property {readonly string[]} children ids
 */

/**
 * A transition, an initial one (`initial`) or a history state's default (`history`).
 * @typedef {object} ChartEdge
 * @property {string} id unique in the machine: `source/kind/name/order`, the name where the kind has several
 * @property {"event" | "after" | "always" | "done" | "error" | "snapshot" | "initial" | "history"} kind
 * @property {string} source id of a state
 * @property {readonly string[]} targets ids of states; none for a transition that stays, several into regions
 * @property {string} eventType as XState names it: `xstate.after.1000.machine.state`, empty for `always`
 * @property {string} event what a reader calls it: `ImageChecked`, `1 s`, the actor that is done
 * @property {number} order from 1, among the source's transitions of this event: the first that applies is taken
 * @property {number} of how many these are
 * @property {string} guard empty when there is none
 * @property {readonly Action[]} actions
 * @property {string} description empty when there is none
 */

/** @typedef {{readonly name: string, readonly params: string}} Action its params as text where the config has values */

/**
 * The chart of a machine's config.
 * @param {any} config of an XState 5 machine: `machine.config`, or the same as JSON
 * @returns {Chart}
 * @throws {Error} when a target leads to no state; it names the transition, the target and the machine
 */
export function toChart(config) {
  const id = config.id ?? "(machine)";
  const nodes = withDescendants({ config, id, key: id, parent: undefined });
  return {
    id,
    states: nodes.map(toState),
    edges: nodes.flatMap((node) => edgesOf(node).map((edge) => resolved(edge, node, nodes))),
  };
}

/**
 * @typedef {object} Node a state's place in the config
 * @property {any} config
 * @property {string} id
 * @property {string} key
 * @property {Node | undefined} parent
 * @property {readonly Node[]} children
 */

/**
 * @param {Omit<Node, "children">} place
 * @returns {Node[]}
 */
function withDescendants(place) {
  /** @type {Node[]} */
  const children = [];
  const node = { ...place, children };
  const path = pathOf(node);
  const families = Object.entries(place.config.states ?? {}).map(([key, config]) =>
    withDescendants({ config, id: config.id ?? [...path, key].join("."), key, parent: node }),
  );
  children.push(...families.map(([child]) => child));
  return [node, ...families.flat()];
}

/**
 * Keys from the root, whose key is the machine's id: what ids are made of where a state gives itself none.
 * @param {Node} node
 * @returns {string[]}
 */
function pathOf({ key, parent }) {
  return parent === undefined ? [key] : [...pathOf(parent), key];
}

/**
 * @param {Node} node
 * @returns {ChartState}
 */
function toState({ config, id, key, parent, children }) {
  const type = config.type ?? (config.history ? "history" : children.length > 0 ? "compound" : "atomic");
  return {
    id,
    key,
    parent: parent?.id ?? null,
    type,
    history: type === "history" ? (config.history === "deep" ? "deep" : "shallow") : null,
    description: config.description ?? "",
    tags: list(config.tags),
    entry: actionsOf(config.entry),
    exit: actionsOf(config.exit),
    invoke: invokesOf(config, id).map(({ id, src }) => ({ id, src })),
    children: children.map((child) => child.id),
  };
}

/**
 * Edges whose targets are still as the config writes them.
 * @param {Node} node
 * @returns {ChartEdge[]}
 */
function edgesOf({ config, id }) {
  return [
    ...initialOf(config, id),
    ...(config.type === "history" || config.history ? written(id, { kind: "history" }, config.target) : []),
    ...written(id, { kind: "always" }, config.always),
    ...Object.entries(config.on ?? {}).flatMap(([type, to]) =>
      // An event that is listed without a transition is forbidden: ancestors do not see it.
      written(id, { kind: "event", name: type, eventType: type, event: type }, to ?? {}),
    ),
    ...Object.entries(config.after ?? {}).flatMap(([delay, to]) => {
      const eventType = `xstate.after.${delay}.${id}`;
      return written(id, { kind: "after", name: delay, eventType, event: readable(delay) }, to);
    }),
    ...written(id, { kind: "done", eventType: `xstate.done.state.${id}` }, config.onDone),
    ...invokesOf(config, id).flatMap(({ id: name, label: event, config: { onDone, onError, onSnapshot } }) => [
      ...written(id, { kind: "done", name, event, eventType: `xstate.done.actor.${name}` }, onDone),
      ...written(id, { kind: "error", name, event, eventType: `xstate.error.actor.${name}` }, onError),
      ...written(id, { kind: "snapshot", name, event, eventType: `xstate.snapshot.${name}` }, onSnapshot),
    ]),
  ];
}

function initialOf({ initial, states }, id) {
  if (initial === undefined || states === undefined) return [];
  const { target, ...rest } = typeof initial === "string" ? { target: initial } : initial;
  return written(id, { kind: "initial" }, { ...rest, target: `.${asPath(target)}` });
}

/**
 * @param {string} source
 * @param {{kind: ChartEdge["kind"], name?: string, eventType?: string, event?: string}} event
 * @param {any} transitions as the config writes them: one or several, of which each may be a mere target
 * @returns {ChartEdge[]}
 */
function written(source, { kind, name = "", eventType = "", event = "" }, transitions) {
  const all = list(transitions).map((each) => (typeof each === "string" ? { target: each } : each));
  return all.map(({ target, guard, actions, description }, index) => ({
    id: [source, kind, ...(name === "" ? [] : [name]), index + 1].join("/"),
    kind,
    source,
    targets: list(target),
    eventType,
    event,
    order: index + 1,
    of: all.length,
    guard: guardOf(guard),
    actions: actionsOf(actions),
    description: description ?? "",
  }));
}

/**
 * @param {ChartEdge} edge
 * @param {Node} node its source
 * @param {readonly Node[]} nodes all
 * @returns {ChartEdge}
 */
function resolved(edge, node, nodes) {
  const targets = edge.targets.map((target) => {
    const found = findTarget(target, node, nodes);
    if (found !== undefined) return found.id;
    throw new Error(`${edge.id}: the target "${target}" is no state of ${nodes[0].id}`);
  });
  return { ...edge, targets };
}

function invokesOf({ invoke }, id) {
  return list(invoke).map((config, index) => {
    const src = typeof config.src === "string" ? config.src : "inline";
    return { id: config.id ?? `${index}.${id}`, src, label: config.id ?? src, config };
  });
}

/** A delay's name, or its milliseconds in the largest unit that fits. */
function readable(delay) {
  const ms = Number(delay);
  if (Number.isNaN(ms)) return delay;
  const units = /** @type {const} */ ([
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ]);
  const [size, unit] = units.find(([size]) => ms >= size && ms % (size / 2) === 0) ?? [1, "ms"];
  return `${ms / size} ${unit}`;
}
