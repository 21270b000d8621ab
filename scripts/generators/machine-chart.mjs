// docs/machine.md: the FetchImage machine as a picture (Mermaid, which code hosts draw) and as tables, read off the
// machine itself.
import { fetchImageMachine } from "../../packages/core/dist/index.js";

export const path = "docs/machine.md";

export function make() {
  const { states, initial } = fetchImageMachine.config;
  const names = Object.keys(states);
  const root = fetchImageMachine.config.on ?? {};
  const active = names.filter((name) => states[name].type !== "final");

  const lines = [
    "stateDiagram-v2",
    "  direction LR",
    ...names.map((name) => `  state "${name}" as ${id(name)}`),
    `  [*] --> ${id(initial)}`,
    ...names.flatMap((name) =>
      edges(states[name]).map(({ target, label }) => `  ${id(name)} --> ${id(target)}: ${label}`),
    ),
    ...names.filter((name) => states[name].type === "final").map((name) => `  ${id(name)} --> [*]`),
  ];
  const anywhere = Object.entries(root).map(
    ([event, target]) => `\`${event}\` leads to \`${String(target).slice(1)}\``,
  );

  return `# The FetchImage machine

<!-- Generated from packages/core/src/fetch-image/machine.ts by \`pnpm generate\`. Change it there. -->

\`\`\`mermaid
${lines.join("\n")}
\`\`\`

From every state that is not final, ${anywhere.join(", ")}.

| State | What happens | On entry | Ends in |
| --- | --- | --- | --- |
${names.map((name) => row(name, states[name])).join("\n")}

${active.length} states are left by a fact or a timer; ${names.length - active.length} are final. Events are facts of the build's stream; \`after\` is a
durable timer, whose firing is a fact too. Numbered invariants: [SPEC.md](../packages/core/src/fetch-image/SPEC.md).
`;
}

function edges(state) {
  return [
    ...list(state.always).map((edge) => ({ ...edge, label: label("", edge) })),
    ...Object.entries(state.on ?? {}).flatMap(([event, to]) =>
      list(to).map((edge) => ({ ...edge, label: label(event, edge) })),
    ),
    ...Object.entries(state.after ?? {}).flatMap(([delay, to]) =>
      list(to).map((edge) => ({ ...edge, label: label(`after ${delay}`, edge) })),
    ),
  ].filter(({ target }) => target !== undefined);
}

function list(transition) {
  if (transition === undefined) return [];
  return (Array.isArray(transition) ? transition : [transition]).map((each) =>
    typeof each === "string" ? { target: each } : each,
  );
}

function label(event, { guard }) {
  const name = typeof guard === "string" ? guard : guard?.type;
  return [event, name === undefined ? "" : `[${name}]`].filter(Boolean).join(" ") || "always";
}

function row(name, state) {
  const entry = (Array.isArray(state.entry) ? state.entry : [state.entry])
    .filter((action) => action !== undefined)
    .map((action) => `\`${typeof action === "string" ? action : action.type}\``);
  const targets = [...new Set(edges(state).map(({ target }) => `\`${target}\``))];
  return `| \`${name}\` | ${state.description ?? ""} | ${entry.join(", ")} | ${targets.join(", ")} |`;
}

const id = (name) => name.replaceAll("-", "_");
