// Where a transition of a machine's config leads, by XState's rules.

/**
 * The state that a target names: `#id` and `#id.child` from anywhere, `.child` from the state itself, otherwise a
 * sibling. Dots go deeper; one with a backslash before it is part of a key.
 * @template {{id: string, key: string, parent?: any, children: readonly any[]}} Node
 * @param {string} target
 * @param {Node} from the state whose transition it is
 * @param {readonly Node[]} nodes of the machine, the root first
 * @returns {Node | undefined} undefined when there is no such state
 */
export function findTarget(target, from, nodes) {
  if (target.startsWith("#")) return byId(target.slice(1), nodes);
  if (target.startsWith(".")) return descend(from, keysOf(target.slice(1)));
  return from.parent === undefined ? undefined : descend(from.parent, keysOf(target));
}

/** @param {string} reference an id, then keys: an id's own dots are written as a key's are. */
function byId(reference, nodes) {
  const [id, ...keys] = keysOf(reference);
  const start = nodes.find((node) => node.id === id);
  return start === undefined ? undefined : descend(start, keys);
}

function descend(node, keys) {
  return keys.reduce((at, key) => at?.children.find((child) => child.key === key), node);
}

/** The keys of a path: a dot goes deeper, a backslash takes the next character as it is. */
function keysOf(path) {
  return (path.match(/(?:\\.|[^.\\])+/g) ?? []).map((key) => key.replaceAll(/\\(.)/g, "$1"));
}

/** A key as a path names it. */
export function asPath(key) {
  return key.replaceAll(/[.\\]/g, "\\$&");
}
