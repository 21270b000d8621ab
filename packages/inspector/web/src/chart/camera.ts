// Which part of the picture is seen: a view box that is panned, zoomed, and led to what matters.
import type { Box } from "./machine-picture.ts";

export interface Camera {
  /** The whole picture. */
  fit(): void;
  /** Brings the last part to the middle that can be read there as a whole, else the first. */
  lookAt(...parts: readonly [Box, ...Box[]]): void;
  zoom(factor: number, around?: { readonly clientX: number; readonly clientY: number }): void;
  /** By pixels of the screen. */
  pan(right: number, down: number): void;
}

/** Pixels of the screen for one of the picture: as small as is still read at ease, so that more of it is seen. */
const atEase = 0.86;
/** Below this it is not read any more. */
const readable = 0.68;
const largest = 4;
const margin = 40;
const travelMs = 180;

export function createCamera(
  svg: SVGSVGElement,
  picture: { readonly width: number; readonly height: number },
  options: { readonly isStill: () => boolean },
): Camera {
  let view: Box = { x: 0, y: 0, ...picture };
  let travel = 0;

  const screen = (): { width: number; height: number } => {
    const { width, height } = svg.getBoundingClientRect();
    return { width: Math.max(1, width), height: Math.max(1, height) };
  };
  const show = (next: Box): void => {
    view = next;
    const box = `${view.x} ${view.y} ${view.width} ${view.height}`;
    // The same again would have all of the picture painted again.
    if (svg.getAttribute("viewBox") !== box) svg.setAttribute("viewBox", box);
  };
  /** As large as the element's shape has it, so that a pixel is a pixel in both directions. */
  const viewOf = (middle: { x: number; y: number }, scale: number): Box => {
    const { width, height } = screen();
    const [w, h] = [width / scale, height / scale];
    return { x: middle.x - w / 2, y: middle.y - h / 2, width: w, height: h };
  };
  const middleOf = ({ x, y, width, height }: Box): { x: number; y: number } => ({
    x: x + width / 2,
    y: y + height / 2,
  });
  const scaleFor = ({ width, height }: Box): number => {
    const at = screen();
    return Math.min(at.width / (width + 2 * margin), at.height / (height + 2 * margin));
  };
  const wholeScale = (): number => {
    const { width, height } = screen();
    return Math.min(width / picture.width, height / picture.height);
  };
  const travelTo = (target: Box): void => {
    cancelAnimationFrame(travel);
    if (options.isStill()) {
      show(target);
      return;
    }
    const from = view;
    const start = performance.now();
    const frame = (now: number): void => {
      // A frame may have begun before it was asked for.
      const part = Math.max(0, Math.min(1, (now - start) / travelMs));
      const left = (1 - part) ** 3;
      // From the end, so that the end is met to the last digit.
      const between = (a: number, b: number): number => b - (b - a) * left;
      show({
        x: between(from.x, target.x),
        y: between(from.y, target.y),
        width: between(from.width, target.width),
        height: between(from.height, target.height),
      });
      if (part < 1) travel = requestAnimationFrame(frame);
    };
    travel = requestAnimationFrame(frame);
  };

  return {
    fit() {
      travelTo(viewOf({ x: picture.width / 2, y: picture.height / 2 }, wholeScale()));
    },
    lookAt(...parts) {
      const part = parts.findLast((one) => scaleFor(one) >= readable) ?? parts[0];
      const scale = Math.max(wholeScale(), Math.min(atEase, Math.max(readable, scaleFor(part))));
      const target = viewOf(middleOf(part), scale);
      // The picture's edge is no farther in than the screen's, where the picture is the larger.
      travelTo({
        ...target,
        x: within(target.x, picture.width - target.width),
        y: within(target.y, picture.height - target.height),
      });
    },
    zoom(factor, around) {
      cancelAnimationFrame(travel);
      const { left, top } = svg.getBoundingClientRect();
      const at = screen();
      const scale = at.width / view.width;
      const next = Math.max(wholeScale() / 1.5, Math.min(largest, scale * factor));
      const [px, py] =
        around === undefined ? [at.width / 2, at.height / 2] : [around.clientX - left, around.clientY - top];
      const [x, y] = [view.x + px / scale, view.y + py / scale];
      show({ x: x - px / next, y: y - py / next, width: at.width / next, height: at.height / next });
    },
    pan(right, down) {
      cancelAnimationFrame(travel);
      const scale = screen().width / view.width;
      show({ ...view, x: view.x - right / scale, y: view.y - down / scale });
    },
  };
}

/** Between 0 and the room there is; in the middle where there is less than none. */
function within(place: number, room: number): number {
  return room < 0 ? room / 2 : Math.max(0, Math.min(room, place));
}
