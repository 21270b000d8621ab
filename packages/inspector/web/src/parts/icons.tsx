import type { JSX } from "preact";

/** What a state looks like beside its name: a shape of its own, so that none is told by its colour. */
const stateShapes: { readonly [state: string]: string } = {
  authorizing: "M8 1.8 13.5 4v4c0 3-2.2 5.2-5.5 6.4C4.7 13.2 2.5 11 2.5 8V4z",
  checking: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9M10.3 10.3 14 14",
  waiting: "M5 3v10M11 3v10",
  "backing-off": "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M8 4.8V8l2.3 1.6",
  resolving: "M3 8h8M8 4.5 11.5 8 8 11.5M14 3v10",
  "fetching-artifact": "M8 2v8M4.6 6.8 8 10.2l3.4-3.4M2.5 13.5h11",
  "short-circuited": "M9.2 1.5 3.5 9h4l-1 5.5L12.5 7h-4z",
  fetched: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M5.2 8.2l2 2 3.6-4.2",
  failed: "M3 3h10v10H3zM5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4",
  aborted: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M3.8 12.2l8.4-8.4",
};

const shapes = {
  back: "M10 3 5 8l5 5",
  first: "M4 3v10M12 3 7 8l5 5",
  previous: "M10.5 3 5.5 8l5 5",
  next: "M5.5 3l5 5-5 5",
  last: "M12 3v10M4 3l5 5-5 5",
  play: "M5 3l8 5-8 5z",
  pause: "M5 3v10M11 3v10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  target: "M8 3.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9M8 1v4M8 11v4M1 8h4M11 8h4",
  warning: "M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.2",
  file: "M4 1.8h5L12.5 5v9.2H4zM9 1.8V5h3.5",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  link: "M6.5 9.5l3-3M7 4.5 8.8 2.7a3 3 0 0 1 4.4 4.4L11.5 9M9 11.5l-1.8 1.8a3 3 0 0 1-4.4-4.4L4.5 7",
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return <Shape path={shapes[name]} />;
}

export function StateIcon({ state }: { readonly state: string }): JSX.Element {
  return <Shape path={stateShapes[state] ?? "M8 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5"} />;
}

function Shape({ path }: { readonly path: string }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}
