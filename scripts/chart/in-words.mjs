// What a chart says, as text.

/**
 * What the event is called, in a word or two.
 * @param {{kind: string, event: string}} edge
 * @returns {string} empty for an initial transition and for a history's default
 */
export function eventText({ kind, event }) {
  switch (kind) {
    case "event":
      return event === "*" ? "any event" : event;
    case "after":
      return `after ${event}`;
    case "always":
      return "always";
    case "done":
    case "error":
      return event === "" ? kind : `${event} ${kind}`;
    case "snapshot":
      return `${event} snapshot`;
    default:
      return "";
  }
}

/**
 * A transition without a guard that comes after others is what remains.
 * @param {{guard: string, order: number}} edge
 * @returns {{keyword: "" | "IF" | "ELSE", guard: string}}
 */
export function guardText({ guard, order }) {
  if (guard !== "") return { keyword: "IF", guard };
  return { keyword: order > 1 ? "ELSE" : "", guard: "" };
}

/**
 * A chart as sentences, for those who do not see the picture.
 * @param {import("./chart-model.mjs").Chart} chart
 * @returns {string}
 */
export function inWords({ states, edges }) {
  const keys = new Map(states.map(({ id, key }) => [id, key]));
  const name = (id) => keys.get(id) ?? id;
  return edges.map((edge) => sentence(edge, name)).join(" ");
}

function sentence(edge, name) {
  const { kind, source, targets, description } = edge;
  const goal = targets.map(name).join(" and ");
  if (kind === "initial") return `${name(source)} begins in ${goal}.`;
  if (kind === "history") return `${name(source)} is ${goal} at first.`;
  const { keyword, guard } = guardText(edge);
  const when = [eventText(edge), keyword.toLowerCase(), guard].filter((word) => word !== "").join(" ");
  const what = goal === "" ? "stays" : `goes to ${goal}`;
  return `${name(source)} ${what}: ${when}${description === "" ? "" : ` (${description})`}.`;
}
