import { stateName, visible } from "@fetch-image/core";
import type { JSX } from "preact";
import { build } from "../live/build.ts";
import { entryOfStep, goToStep, step, stepCount } from "../live/position.ts";
import { StateIcon } from "../parts/icons.tsx";
import { timeOfDay } from "../parts/now.ts";
import { VirtualList } from "../parts/virtual-list.tsx";
import { wordsOf } from "./state-panel.tsx";

/** The facts that the scrubber steps through. */
export function FactList(): JSX.Element {
  return (
    <VirtualList
      label="Facts"
      class="fact-list"
      count={stepCount.value}
      rowHeight={44}
      selected={step.value}
      onSelect={goToStep}
      row={(index) => <FactRow place={index} />}
    />
  );
}

function FactRow({ place }: { readonly place: number }): JSX.Element | null {
  const entry = build.value?.history.entries[entryOfStep(place)];
  if (entry === undefined) return null;
  const { fact, at, after } = entry;
  return (
    <div class="fact-row">
      <span class="fact-time">{timeOfDay(at)}</span>
      <span class="fact-type">{visible(fact.type)}</span>
      {after === undefined ? null : (
        <span class="fact-state">
          <StateIcon state={stateName(after)} />
          {stateName(after)}
        </span>
      )}
      <span class="fact-text muted">{wordsOf(entry)}</span>
    </div>
  );
}
