import { effect, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Camera, createCamera } from "../chart/camera.ts";
import { createMachinePicture, type Lit } from "../chart/machine-picture.ts";
import { stateName } from "@fetch-image/core";
import { build } from "../live/build.ts";
import { at, goToEntry, lit, shownFetch } from "../live/position.ts";
import { Icon } from "../parts/icons.tsx";
import { theme } from "./theme.tsx";

/** Whether the picture is led to the active state. */
const follows = signal(true);

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

export function Chart(): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const camera = useRef<Camera | null>(null);

  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const picture = createMachinePicture();
    element.append(picture.element);
    const led = createCamera(picture.element, picture.size, { isStill: () => stillness.matches });
    camera.current = led;
    let shown = "";
    const look = (): void => {
      picture.light(lit.peek());
      if (follows.peek() && lit.peek().active !== undefined) led.lookAt(...picture.focus(lit.peek()));
      else if (follows.peek()) led.fit();
    };
    const stop = [
      effect(() => {
        // Most facts of a long build light nothing else.
        const next = `${follows.value} ${keyOf(lit.value)}`;
        if (next !== shown) look();
        shown = next;
      }),
      effect(() => {
        if (theme.value === "system") delete picture.element.dataset["theme"];
        else picture.element.dataset["theme"] = theme.value;
      }),
    ];
    const resized = new ResizeObserver(() => (follows.peek() ? look() : led.zoom(1)));
    resized.observe(element);
    const release = moveByHand(element, led);
    picture.element.addEventListener("click", ({ target }) => {
      const state = target instanceof Element ? picture.stateOf(target) : undefined;
      if (state !== undefined) goToLastVisit(state);
    });
    return () => {
      for (const each of stop) each();
      resized.disconnect();
      release();
      picture.element.remove();
    };
  }, []);

  const onKeyDown = (event: KeyboardEvent): void => {
    const moves: { readonly [key: string]: (camera: Camera) => void } = {
      "+": (led) => led.zoom(1.25),
      "=": (led) => led.zoom(1.25),
      "-": (led) => led.zoom(0.8),
      "0": (led) => led.fit(),
    };
    const move = moves[event.key];
    if (move === undefined || camera.current === null) return;
    event.preventDefault();
    if (event.key !== "0") follows.value = false;
    move(camera.current);
  };

  return (
    <div class="chart">
      <div
        class="chart-frame"
        ref={frame}
        role="group"
        tabIndex={0}
        aria-label="The fetch in its state machine. Plus and minus zoom, 0 shows all of it."
        onKeyDown={onKeyDown}
      />
      <div class="chart-foot">
        <Legend />
        <div class="chart-tools" role="toolbar" aria-label="Chart">
          <button type="button" title="Zoom in" aria-label="Zoom in" onClick={() => byHand(camera.current, 1.25)}>
            <Icon name="plus" />
          </button>
          <button type="button" title="Zoom out" aria-label="Zoom out" onClick={() => byHand(camera.current, 0.8)}>
            <Icon name="minus" />
          </button>
          <button
            type="button"
            title="Show all of the chart"
            aria-label="Show all of the chart"
            onClick={() => {
              follows.value = false;
              camera.current?.fit();
            }}
          >
            <Icon name="fit" />
          </button>
          <button
            type="button"
            class="follow"
            aria-pressed={follows.value}
            onClick={() => {
              follows.value = !follows.peek();
            }}
          >
            <Icon name="target" />
            Follow
          </button>
        </div>
      </div>
    </div>
  );
}

function Legend(): JSX.Element {
  return (
    <ul class="legend" aria-label="Legend">
      <li class="key-active">active</li>
      <li class="key-taken">just taken</li>
      <li class="key-passed">visited</li>
      <li class="key-possible">may come next</li>
    </ul>
  );
}

function keyOf({ active, visited, taken, passed, possible }: Lit): string {
  return [active, ...visited, "|", ...taken, "|", ...passed, "|", ...possible].join(" ");
}

function byHand(camera: Camera | null, factor: number): void {
  follows.value = false;
  camera?.zoom(factor);
}

/** The last time, at or before the position, that the fetch came into the state; else the first time after it. */
function goToLastVisit(state: string): void {
  const fetch = shownFetch.peek();
  const history = build.peek()?.history;
  if (fetch === undefined || history === undefined) return;
  const visits = (history.tracks.get(fetch)?.moves ?? []).filter(({ entry }) => {
    const after = history.entries[entry]?.after;
    return after !== undefined && stateName(after) === state;
  });
  const visit = visits.findLast(({ entry }) => entry <= at.peek()) ?? visits[0];
  if (visit !== undefined) goToEntry(visit.entry);
}

/** Drag and two fingers pan, the wheel with Ctrl and a pinch zoom, as maps and canvases do. */
function moveByHand(element: HTMLElement, camera: Camera): () => void {
  const fingers = new Map<number, PointerEvent>();
  const onDown = (event: PointerEvent): void => {
    fingers.set(event.pointerId, event);
  };
  const onMove = (event: PointerEvent): void => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const [right, down] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (!element.hasPointerCapture(event.pointerId)) {
      // A press that hardly moves is a click on a state.
      if (Math.hypot(right, down) < 4) return;
      element.setPointerCapture(event.pointerId);
    }
    follows.value = false;
    const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, finger]) => finger);
    if (other === undefined) camera.pan(right, down);
    else {
      const apart = (finger: PointerEvent): number =>
        Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
      camera.zoom(apart(event) / Math.max(1, apart(before)), event);
    }
    fingers.set(event.pointerId, event);
  };
  const onUp = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
  };
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    follows.value = false;
    if (event.ctrlKey || event.metaKey) camera.zoom(Math.exp(-event.deltaY / 200), event);
    else camera.pan(-event.deltaX, -event.deltaY);
  };
  element.addEventListener("pointerdown", onDown);
  element.addEventListener("pointermove", onMove);
  element.addEventListener("pointerup", onUp);
  element.addEventListener("pointercancel", onUp);
  element.addEventListener("wheel", onWheel, { passive: false });
  return () => {
    element.removeEventListener("pointerdown", onDown);
    element.removeEventListener("pointermove", onMove);
    element.removeEventListener("pointerup", onUp);
    element.removeEventListener("pointercancel", onUp);
    element.removeEventListener("wheel", onWheel);
  };
}
