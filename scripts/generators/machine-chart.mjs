// docs/machine.md: the FetchImage machine as a picture, as Mermaid text and as tables, read off the machine itself.
import { fetchImageMachine } from "../../packages/core/dist/index.js";
import { toChart } from "../chart/chart-model.mjs";

export const path = "docs/machine.md";

export function make() {
  const { states, edges } = toChart(fetchImageMachine.config);
  const [root, ...inner] = states;
  const keys = new Map(states.map(({ id, key }) => [id, key]));
  const key = (id) => keys.get(id) ?? id;
  const moves = edges.flatMap((edge) => edge.targets.map((target) => ({ ...edge, target: key(target) })));
  const final = inner.filter(({ type }) => type === "final");
  const anywhere = moves.filter(({ kind, source }) => source === root.id && kind === "event");

  const lines = [
    "stateDiagram-v2",
    "  direction LR",
    ...inner.map(({ key }) => `  state "${key}" as ${name(key)}`),
    ...moves.filter(({ kind }) => kind === "initial").map(({ target }) => `  [*] --> ${name(target)}`),
    ...moves
      .filter(({ source }) => source !== root.id)
      .map((edge) => `  ${name(key(edge.source))} --> ${name(edge.target)}: ${label(edge)}`),
    ...final.map(({ key }) => `  ${name(key)} --> [*]`),
  ];

  return `# The FetchImage machine

<!-- Generated from packages/core/src/fetch-image/machine.ts by \`pnpm generate\`. Change it there. -->

[![The states of the FetchImage machine, and what leads from one to the next: the table below says the same](machine.svg)](machine.svg)

Pills that share a line are alternatives. The numbers of one event's pills say in which order their guards are asked.

<details>
<summary>The same as Mermaid text</summary>

\`\`\`mermaid
${lines.join("\n")}
\`\`\`

</details>

From every state that is not final, ${anywhere.map(({ event, target }) => `\`${event}\` leads to \`${target}\``).join(", ")}.

| State | What happens | On entry | Ends in |
| --- | --- | --- | --- |
${inner.map((state) => row(state, moves)).join("\n")}

${inner.length - final.length} states are left by a fact or a timer; ${final.length} are final. Events are facts of the build's stream; \`after\` is a
durable timer, whose firing is a fact too. Numbered invariants: [SPEC.md](../packages/core/src/fetch-image/SPEC.md).
`;
}

function label({ kind, event, guard }) {
  const what = kind === "after" ? `after ${event}` : event;
  return [what, guard === "" ? "" : `[${guard}]`].filter(Boolean).join(" ") || "always";
}

function row({ id, key, description, entry }, moves) {
  const targets = moves.filter(({ source }) => source === id).map(({ target }) => target);
  const actions = entry.map(({ name }) => name);
  return `| \`${key}\` | ${description} | ${code(actions)} | ${code([...new Set(targets)])} |`;
}

const code = (names) => names.map((name) => `\`${name}\``).join(", ");

/** Mermaid's names hold no hyphen. */
const name = (key) => key.replaceAll("-", "_");
