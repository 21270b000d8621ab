import { duration, isBuildFact, stateName, visible } from "@fetch-image/core";
import { signal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Entry } from "../facts/history.ts";
import { build } from "../live/build.ts";
import { address } from "../live/address.ts";
import { entry, entryOfStep, goToStep, isAtHead, isWholeBuild, step, stepCount } from "../live/position.ts";
import { Icon, type IconName } from "../parts/icons.tsx";
import { timeOfDay } from "../parts/now.ts";
import { theme } from "./theme.tsx";

const isPlaying = signal(false);
/** Between two steps, where they are played. */
const playMs = 700;

/** Time travel: one step for each fact, by keys, by dragging, by buttons. */
export function Scrubber(): JSX.Element | null {
  const [count, at] = [stepCount.value, step.value];
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    if (!isPlaying.value) return undefined;
    const timer = setInterval(() => {
      if (step.peek() >= stepCount.peek() - 1) isPlaying.value = false;
      else goToStep(step.peek() + 1);
    }, playMs);
    return () => clearInterval(timer);
  }, [isPlaying.value]);
  if (count === 0) return null;
  const looked = entry.value;
  return (
    <section class="scrubber" aria-label="Time travel">
      <div class="scrubber-buttons">
        <Button icon="first" label="First fact" onPress={() => goToStep(0)} />
        <Button icon="previous" label="Previous fact" onPress={() => goToStep(at - 1)} />
        <Button icon={isPlaying.value ? "pause" : "play"} label={isPlaying.value ? "Pause" : "Play"} onPress={play} />
        <Button icon="next" label="Next fact" onPress={() => goToStep(at + 1)} />
        <Button icon="last" label="Newest fact" onPress={() => goToStep(count - 1)} />
      </div>
      <div class="scrubber-track">
        <Marks />
        <input
          type="range"
          min={0}
          max={Math.max(0, count - 1)}
          value={Math.max(0, at)}
          aria-label="Fact"
          aria-valuetext={looked === undefined ? "" : words(looked, at, count)}
          onInput={({ currentTarget }) => goToStep(Number(currentTarget.value))}
        />
      </div>
      <div class="scrubber-where">
        <output>
          <strong>
            {at + 1} of {count}
          </strong>
          {looked === undefined ? null : <span class="muted">{sinceStart(looked)}</span>}
        </output>
        {address.value.fetch === undefined ? null : (
          <label class="check">
            <input
              type="checkbox"
              checked={isWholeBuild.value}
              onChange={({ currentTarget }) => {
                isWholeBuild.value = currentTarget.checked;
              }}
            />
            all facts of the build
          </label>
        )}
        <span class={isAtHead.value ? "head now" : "head"}>{isAtHead.value ? "newest" : "in the past"}</span>
      </div>
    </section>
  );
}

function play(): void {
  if (!isPlaying.peek() && step.peek() >= stepCount.peek() - 1) goToStep(0);
  isPlaying.value = !isPlaying.peek();
}

function Button(props: { readonly icon: IconName; readonly label: string; readonly onPress: () => void }): JSX.Element {
  return (
    <button type="button" title={props.label} aria-label={props.label} onClick={props.onPress}>
      <Icon name={props.icon} />
    </button>
  );
}

/** ← → Home End anywhere on the page, but where keys mean something else. */
function onKey(event: KeyboardEvent): void {
  const { target } = event;
  const isTaken =
    target instanceof Element && target.closest("input, select, textarea, [role=tablist], [role=listbox]") !== null;
  if (isTaken || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const [count, at] = [stepCount.peek(), step.peek()];
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1 }[event.key];
  if (to === undefined || count === 0) return;
  event.preventDefault();
  goToStep(to);
}

/** A mark for each fact; large where the fetch came into another state. Only drawn again when there are more. */
function Marks(): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    void theme.value;
    const count = stepCount.value;
    if (canvas.current !== null && build.value !== undefined) draw(canvas.current, count);
  });
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    const again = (): void => draw(element, stepCount.peek());
    const observer = new ResizeObserver(again);
    observer.observe(element);
    const colours = matchMedia("(prefers-color-scheme: dark)");
    colours.addEventListener("change", again);
    return () => {
      observer.disconnect();
      colours.removeEventListener("change", again);
    };
  }, []);
  return <canvas ref={canvas} class="marks" aria-hidden="true" />;
}

/** Half the width of the slider's thumb: the first and the last step stand so far inside. */
const inset = 10;

function draw(canvas: HTMLCanvasElement, count: number): void {
  const history = build.peek()?.history;
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext("2d");
  if (context === null || history === undefined || width === 0) return;
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name);
  const [middle, span] = [height / 2, width - 2 * inset];
  context.fillStyle = colour("--line");
  context.fillRect(inset, middle - 1, span, 2);

  const gap = count > 1 ? span / (count - 1) : 0;
  const moved = new Set([...history.tracks.values()].flatMap(({ moves }) => moves.map((move) => move.entry)));
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  // More marks than pixels cannot be told apart: one for each pixel then.
  const stride = Math.max(1, Math.floor(count / Math.max(1, span)));
  for (let place = 0; place < count; place++) {
    const index = entryOfStep(place);
    const isMove = moved.has(index);
    if (!isMove && place % stride !== 0) continue;
    const x = inset + place * gap;
    if (isMove) {
      const state = history.entries[index]?.after;
      context.fillStyle = colour(state !== undefined && stateName(state) === "failed" ? "--bad" : "--good");
      context.beginPath();
      context.arc(x, middle, gap > 12 || gap === 0 ? 6 : 3.5, 0, 2 * Math.PI);
      context.fill();
    } else {
      context.fillStyle = colour("--muted");
      context.fillRect(x - 1, middle - (gap > 6 ? 5 : 3), gap > 6 ? 2 : 1, gap > 6 ? 10 : 6);
    }
    if (gap > 64 && place > 0) {
      const passed = (history.entries[index]?.at ?? 0) - (history.entries[entryOfStep(place - 1)]?.at ?? 0);
      context.fillStyle = colour("--muted");
      if (passed > 0) context.fillText(`+${duration(passed)}`, x - gap / 2, middle - 7);
    }
  }
}

function words({ fact, at, after }: Entry, place: number, count: number): string {
  const state = after === undefined ? "" : `, ${stateName(after)}`;
  const type = isBuildFact(fact) ? fact.type : visible(fact.type);
  return `${place + 1} of ${count}: ${type}${state}, ${timeOfDay(at)}`;
}

function sinceStart({ at }: Entry): string {
  const first = build.peek()?.history.entries[Math.max(0, entryOfStep(0))]?.at ?? at;
  return `+${duration(Math.max(0, at - first))} · ${timeOfDay(at)}`;
}
