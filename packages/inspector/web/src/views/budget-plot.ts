import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import type { RegistryAnswer } from "../../../src/registries/registry-answer.ts";

export interface BudgetPlot {
  destroy(): void;
}

const height = 220;

/** How many requests were left over time, and of how many. */
export function plotBudget(element: HTMLElement, points: RegistryAnswer["points"]): BudgetPlot {
  const style = getComputedStyle(element);
  const [text, line, accent] = ["--muted", "--line", "--accent"].map((name) => style.getPropertyValue(name).trim());
  const axis = { stroke: text ?? "", grid: { stroke: line ?? "", width: 1 }, ticks: { stroke: line ?? "" } };
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const plot = new uPlot(
    {
      width: Math.max(200, element.clientWidth),
      height,
      axes: [{ ...axis, space: 90, values: (_plot, splits) => splits.map(inUtc) }, { ...axis }],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.05)] } },
      series: [
        { label: "at", value: (_plot, seconds) => (seconds === null ? "" : inUtc(seconds)) },
        { label: "left", stroke: accent ?? "", width: 2, ...(stepped === undefined ? {} : { paths: stepped }) },
        { label: "limit", stroke: text ?? "", width: 1, dash: [6, 4] },
      ],
    },
    [
      points.map(({ at }) => Date.parse(at) / 1000),
      points.map(({ remaining }) => remaining),
      points.map(({ limit }) => limit ?? null),
    ],
    element,
  );
  const resized = new ResizeObserver(() => plot.setSize({ width: Math.max(200, element.clientWidth), height }));
  resized.observe(element);
  return {
    destroy() {
      resized.disconnect();
      plot.destroy();
    },
  };
}

/** `11-22 04:40`, as all times of the page. */
function inUtc(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(5, 16).replace("T", " ");
}
