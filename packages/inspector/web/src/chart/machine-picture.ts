// The machine's picture as elements of this page: it stands outside the virtual DOM, and is lit by classes.
import "virtual:machine-chart.css";
import { fetchImageMachine, type FetchStateName } from "@fetch-image/core";
import svg from "virtual:machine-chart.svg";
import type { ChartEdge, ChartEdges } from "../facts/path.ts";
import { stateId } from "../facts/path.ts";

export interface Lit {
  /** Undefined before the fetch begins. */
  readonly active: FetchStateName | undefined;
  readonly visited: ReadonlySet<FetchStateName>;
  /** Transitions of the fact that is looked at. */
  readonly taken: ReadonlySet<string>;
  /** Transitions of facts before it. */
  readonly passed: ReadonlySet<string>;
  /** Transitions that wait for something which may happen next. */
  readonly possible: ReadonlySet<string>;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const parsed = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement as unknown as SVGSVGElement;

export const chartEdges: ChartEdges = readEdges(parsed);

export interface MachinePicture {
  readonly element: SVGSVGElement;
  readonly size: { readonly width: number; readonly height: number };
  light(lit: Lit): void;
  /** What a reader looks at: the active state, with the transition just taken, with those that may come. Each holds the one before. */
  focus(lit: Lit): readonly [Box, ...Box[]];
  /** The state under an element of the picture. */
  stateOf(element: Element): string | undefined;
}

export function createMachinePicture(): MachinePicture {
  const element = document.importNode(parsed, true);
  const size = { width: element.viewBox.baseVal.width, height: element.viewBox.baseVal.height };
  element.removeAttribute("width");
  element.removeAttribute("height");
  const states = [...element.querySelectorAll<SVGGElement>("[data-state]")];
  const edges = [...element.querySelectorAll<SVGGElement>("[data-edge]")].map((group) => {
    return { group, ids: (group.dataset["edge"] ?? "").split(" ") };
  });
  const boxes = new Map<string, Box>();

  function boxOf(group: SVGGElement): Box {
    const key = group.id;
    const known = boxes.get(key);
    if (known !== undefined) return known;
    const { x, y, width, height } = group.getBBox();
    const box = { x, y, width, height };
    // Before the picture is shown nothing has a size.
    if (width > 0) boxes.set(key, box);
    return box;
  }

  return {
    element,
    size,
    light(lit) {
      element.classList.toggle("lit", lit.active !== undefined);
      const active = lit.active === undefined ? undefined : stateId(chartEdges, lit.active);
      const visited = new Set([...lit.visited].map((state) => stateId(chartEdges, state)));
      for (const group of states) {
        const id = group.dataset["state"] ?? "";
        group.classList.toggle("is-active", id === active);
        group.classList.toggle("is-visited", id !== active && visited.has(id));
      }
      for (const { group, ids } of edges) {
        const has = (set: ReadonlySet<string>): boolean => ids.some((id) => set.has(id));
        const isTaken = has(lit.taken);
        group.classList.toggle("is-taken", isTaken);
        group.classList.toggle("is-passed", !isTaken && has(lit.passed));
        group.classList.toggle("is-possible", !isTaken && has(lit.possible));
      }
    },
    focus(lit) {
      const active = lit.active === undefined ? undefined : stateId(chartEdges, lit.active);
      const own = states.filter(({ id, dataset }) => id !== "" && dataset["state"] === active);
      if (own.length === 0) return [{ x: 0, y: 0, ...size }];
      const pills = (ids: Iterable<string>): SVGGElement[] => {
        const wanted = new Set(ids);
        return edges
          .filter(({ group, ids }) => group.classList.contains("edge") && ids.some((id) => wanted.has(id)))
          .map(({ group }) => group);
      };
      const withTaken = [...own, ...pills(lit.taken)];
      // What is possible anywhere stands at the edge of the picture: following it would show everything, and thus nothing.
      const ahead = pills([...lit.possible].filter((id) => !id.startsWith(`${chartEdges.machine}/`)));
      return [union(own.map(boxOf)), union(withTaken.map(boxOf)), union([...withTaken, ...ahead].map(boxOf))];
    },
    stateOf(target) {
      const id = target.closest<SVGGElement>("[data-state]")?.dataset["state"];
      return id === undefined || id === chartEdges.machine ? undefined : id.slice(chartEdges.machine.length + 1);
    },
  };
}

function union(boxes: readonly Box[]): Box {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

function readEdges(picture: SVGSVGElement): ChartEdges {
  const machine = fetchImageMachine.config.id ?? "";
  const all = [...picture.querySelectorAll<SVGGElement>("g.edge")].map(({ dataset }): ChartEdge => {
    const { edge: id = "", source = "", target = "", event = "" } = dataset;
    return { id, source, target, event };
  });
  const initial = picture.querySelector<SVGGElement>("g.route.initial")?.dataset["edge"] ?? "";
  const target = fetchImageMachine.root.initial.target?.[0]?.id ?? "";
  return { machine, initial: { id: initial, target }, all };
}
