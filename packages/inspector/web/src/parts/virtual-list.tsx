import type { JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

interface VirtualListProps {
  readonly label: string;
  readonly count: number;
  /** Pixels: of a row, or of one of its lines where rows have several. */
  readonly rowHeight: number;
  /** How many lines each row has, where not every one has a single one. */
  readonly lines?: readonly number[];
  /** −1 for none. */
  readonly selected: number;
  readonly class?: string;
  /** Whether the end stays in sight as rows come. */
  readonly sticksToEnd?: boolean;
  readonly onSelect: (index: number) => void;
  readonly row: (index: number) => JSX.Element;
}

const overscan = 8;

/**
 * A list of which only what is in sight is there. One stop for the Tab key; ↑ ↓, Page Up and Down, Home and End choose.
 * Rows are text: nothing in them can be pressed by itself.
 */
export function VirtualList(props: VirtualListProps): JSX.Element {
  const { label, count, rowHeight, lines, selected, sticksToEnd = false, onSelect, row } = props;
  const places = useMemo(() => placesOf(count, rowHeight, lines), [count, rowHeight, lines]);
  const end = places(count);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const [{ top, height }, setSeen] = useState({ top: 0, height: 600 });

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const look = (): void => setSeen({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || selected < 0) return;
    const [from, to] = [places(selected), places(selected + 1)];
    const { scrollTop, clientHeight } = element;
    if (from < scrollTop || to > scrollTop + clientHeight) {
      element.scrollTop = Math.max(0, from - Math.max(0, clientHeight - rowHeight) / 2);
    }
  }, [selected, places]);

  useEffect(() => {
    if (sticksToEnd && box.current !== null) box.current.scrollTop = end;
  }, [sticksToEnd, end]);

  const first = Math.max(0, rowAt(places, count, top) - overscan);
  const last = Math.min(count, rowAt(places, count, top + height) + 1 + overscan);
  const isShown = selected >= first && selected < last;

  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(height / rowHeight) - 1);
    const moves: { readonly [key: string]: number } = {
      ArrowDown: selected + 1,
      ArrowUp: selected - 1,
      PageDown: selected + page,
      PageUp: selected - page,
      Home: 0,
      End: count - 1,
    };
    const to = moves[event.key];
    if (to === undefined || count === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    onSelect(Math.max(0, Math.min(count - 1, to)));
  };

  return (
    <div
      ref={box}
      class={`virtual-list ${props.class ?? ""}`}
      role="listbox"
      aria-label={label}
      tabIndex={0}
      {...(isShown ? { "aria-activedescendant": `${id}-${selected}` } : {})}
      onKeyDown={onKeyDown}
    >
      <div class="virtual-list-whole" role="presentation" style={{ height: `${end}px` }}>
        {Array.from({ length: Math.max(0, last - first) }, (_, offset) => {
          const index = first + offset;
          return (
            <div
              key={index}
              id={`${id}-${index}`}
              class="virtual-list-row"
              role="option"
              aria-selected={index === selected}
              aria-posinset={index + 1}
              aria-setsize={count}
              style={{ top: `${places(index)}px`, height: `${places(index + 1) - places(index)}px` }}
              onClick={() => onSelect(index)}
            >
              {row(index)}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Where a row begins; that behind the last is where they end. */
function placesOf(count: number, rowHeight: number, lines?: readonly number[]): (index: number) => number {
  if (lines === undefined) return (index) => Math.min(index, count) * rowHeight;
  const places = [0];
  for (let index = 0; index < count; index++) places.push((places[index] ?? 0) + (lines[index] ?? 1) * rowHeight);
  return (index) => places[Math.min(index, count)] ?? 0;
}

/** The row that is there, or the last one before. */
function rowAt(places: (index: number) => number, count: number, place: number): number {
  let [low, high] = [0, Math.max(0, count - 1)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (places(middle) <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}
