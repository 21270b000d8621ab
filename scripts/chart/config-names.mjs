// What to call the actions and guards of a machine's config.

/** One, several or none, as an array. */
export function list(value) {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/**
 * @param {unknown} actions of a config: names, objects with params, functions; one or several
 * @returns {import("./chart-model.mjs").Action[]}
 */
export function actionsOf(actions) {
  return list(actions).map((action) => ({ name: actionName(action), params: paramsOf(action) }));
}

/**
 * @param {unknown} guard of a config
 * @returns {string} its name, combined ones spelled out; empty for no guard
 */
export function guardOf(guard) {
  return guard === undefined || guard === null ? "" : guardName(guard);
}

const inline = "inline";

const builtIns = new Set([
  "raise",
  "sendTo",
  "emit",
  "cancel",
  "spawnChild",
  "stopChild",
  "log",
  "assign",
  "enqueueActions",
]);

function actionName(action) {
  if (typeof action === "string") return action;
  // A function in a list is null once it was JSON.
  if (action === null) return inline;
  const type = String(action.type ?? "");
  if (typeof action !== "function") return type;
  const builtIn = type.replace(/^xstate\./, "");
  if (!builtIns.has(builtIn)) return ownName(action);
  const event = action.event?.type;
  return event === undefined ? builtIn : `${builtIn} ${event}`;
}

function guardName(guard) {
  if (typeof guard === "string") return guard;
  if (typeof guard !== "function") return guard.type;
  const parts = (guard.guards ?? []).map(guardName);
  switch (guard.name) {
    case "and":
      return parts.map(inBrackets).join(" and ");
    case "or":
      return parts.map(inBrackets).join(" or ");
    case "not":
      return `not ${inBrackets(parts[0])}`;
    case "stateIn":
      return `in ${stateName(guard.stateValue)}`;
    default:
      return ownName(guard);
  }
}

/** `playing.picture.gone`, or of a parallel state `playing.(picture.gone, sound.quiet)`. */
function stateName(value) {
  if (typeof value === "string") return value;
  const parts = Object.entries(value).map(([key, inner]) => `${key}.${stateName(inner)}`);
  return parts.length === 1 ? parts[0] : `(${parts.join(", ")})`;
}

const inBrackets = (guard) => (/ (and|or) /.test(guard) ? `(${guard})` : guard);

/** A function written in the config is called after the property that holds it: that says nothing. */
function ownName({ name }) {
  return ["", "guard", "actions", "entry", "exit", "cond"].includes(name) ? inline : name;
}

function paramsOf(action) {
  const params = action?.params;
  if (params === undefined || params === null || typeof params === "function") return "";
  if (typeof params !== "object") return String(params);
  return Object.entries(params)
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
