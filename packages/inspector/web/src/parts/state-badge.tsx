import type { JSX } from "preact";
import { StateIcon } from "./icons.tsx";

/** How a state is to be taken: on its way, held up, ended well, ended badly. */
export function toneOf(state: string): "active" | "held" | "good" | "bad" {
  switch (state) {
    case "short-circuited":
    case "fetched":
      return "good";
    case "failed":
    case "aborted":
      return "bad";
    case "waiting":
    case "backing-off":
      return "held";
    default:
      return "active";
  }
}

export function StateBadge({ state }: { readonly state: string }): JSX.Element {
  return (
    <span class={`badge ${toneOf(state)}`}>
      <StateIcon state={state} />
      {state}
    </span>
  );
}
