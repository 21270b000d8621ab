import type { JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

interface VirtualListProps {
  readonly label: string;
  readonly count: number;
  /** Pixels. */
  readonly rowHeight: number;
  /** −1 for none. */
  readonly selected: number;
  /** What is told to be the current one of several; the selected one where it is left out. */
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
  const { label, count, rowHeight, selected, sticksToEnd = false, onSelect, row } = props;
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
    const [from, to] = [selected * rowHeight, (selected + 1) * rowHeight];
    const { scrollTop, clientHeight } = element;
    if (from < scrollTop || to > scrollTop + clientHeight) {
      element.scrollTop = Math.max(0, from - Math.max(0, clientHeight - rowHeight) / 2);
    }
  }, [selected, rowHeight]);

  useEffect(() => {
    if (sticksToEnd && box.current !== null) box.current.scrollTop = count * rowHeight;
  }, [sticksToEnd, count, rowHeight]);

  const first = Math.max(0, Math.floor(top / rowHeight) - overscan);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + overscan);
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
      <div class="virtual-list-whole" role="presentation" style={{ height: `${count * rowHeight}px` }}>
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
              style={{ top: `${index * rowHeight}px`, height: `${rowHeight}px` }}
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
