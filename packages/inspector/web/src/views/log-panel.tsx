import type { JSX, RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type LogLine, lineAt } from "../facts/log-lines.ts";
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
  const box = useRef<HTMLDivElement>(null);
  const columns = useColumns(box);
  const heights = useMemo(
    () => lines.map((line) => Math.ceil(widthOf(line) / columns)),
    // Lines are only ever added to the log of a build.
    [log, lines.length, columns],
  );
  return (
    <div class="log" ref={box}>
      {log?.problem === undefined ? null : <p class="problem">{log.problem}</p>}
      {lines.length === 0 ? <p class="nothing">The log has no lines yet.</p> : null}
      <VirtualList
        label="Build log"
        class="log-lines"
        count={lines.length}
        rowHeight={20}
        lines={heights}
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
              <span class="log-time">{timeOfDay(line.at).slice(0, 8)} </span>
              <span class="log-origin">{line.origin} </span>
              {signOf(line) === "" ? null : <span class="log-sign">{signOf(line)}</span>}
              <span class="log-text">{spaced(line.text)}</span>
            </div>
          );
        }}
      />
    </div>
  );
}

function signOf({ tone }: LogLine): string {
  return tone === "stderr" || tone === "error" ? `${tone} ` : "";
}

/** Tabs as spaces, so that it is known how wide a line is. */
function spaced(text: string): string {
  let column = 0;
  return text.replaceAll(/\t|[^\t]+/g, (part) => {
    const put = part === "\t" ? " ".repeat(tab - (column % tab)) : part;
    column += put.length;
    return put;
  });
}

const tab = 8;
/** Pixels on both sides of a line, as the style has them. */
const padding = 28;
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/gu;

const widths = new WeakMap<LogLine, number>();

/** Columns of a terminal that the line takes. */
function widthOf(line: LogLine): number {
  const known = widths.get(line);
  if (known !== undefined) return known;
  const text = spaced(line.text);
  const width = 9 + line.origin.length + 1 + signOf(line).length + text.length + (text.match(wide)?.length ?? 0);
  widths.set(line, width);
  return width;
}

/** How many characters stand beside each other; the log's letters are all of one width. */
function useColumns(box: RefObject<HTMLDivElement | null>): number {
  const [columns, setColumns] = useState(80);
  useLayoutEffect(() => {
    const element = box.current?.querySelector(".log-lines") ?? null;
    const brush = document.createElement("canvas").getContext("2d");
    if (element === null || brush === null) return undefined;
    brush.font = `12px ${getComputedStyle(element).getPropertyValue("--mono")}`;
    const letter = brush.measureText("0".repeat(100)).width / 100;
    const observer = new ResizeObserver(() => {
      setColumns(Math.max(10, Math.floor((element.clientWidth - padding) / letter)));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return columns;
}
