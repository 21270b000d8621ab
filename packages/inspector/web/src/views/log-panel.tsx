import type { JSX } from "preact";
import { lineAt } from "../facts/log-lines.ts";
import { build } from "../live/build.ts";
import { at, goToEntry, isAtHead } from "../live/position.ts";
import { timeOfDay } from "../parts/now.ts";
import { VirtualList } from "../parts/virtual-list.tsx";

/** The build's log: each line leads to its fact, and the fact that is looked at to its line. */
export function LogPanel(): JSX.Element {
  const log = build.value?.log;
  const lines = log?.lines ?? [];
  const selected = lineAt(lines, at.value);
  // At the newest fact of a fetch the rest of its build has happened all the same.
  const position = isAtHead.value ? Infinity : at.value;
  return (
    <div class="log">
      {log?.problem === undefined ? null : <p class="problem">{log.problem}</p>}
      {lines.length === 0 ? <p class="nothing">The log has no lines yet.</p> : null}
      <VirtualList
        label="Build log"
        class="log-lines"
        count={lines.length}
        rowHeight={22}
        selected={selected}
        sticksToEnd={isAtHead.value && build.value?.isCaughtUp === true && selected === lines.length - 1}
        onSelect={(index) => {
          const line = lines[index];
          if (line !== undefined) goToEntry(line.entry);
        }}
        row={(index) => {
          const line = lines[index];
          if (line === undefined) return <span />;
          return (
            <div class={`log-line tone-${line.tone}${line.entry > position ? " later" : ""}`}>
              <span class="log-time">{timeOfDay(line.at).slice(0, 8)}</span>
              <span class="log-origin">{line.origin}</span>
              <span class="log-text">
                {line.tone === "stderr" ? <span class="log-sign">stderr </span> : null}
                {line.tone === "error" ? <span class="log-sign">error </span> : null}
                {line.text}
              </span>
            </div>
          );
        }}
      />
    </div>
  );
}
