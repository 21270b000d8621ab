// docs/machine.svg: the FetchImage machine as a picture in Stately's visual language, light and dark.
import { fetchImageMachine } from "../../packages/core/dist/index.js";
import { drawChart } from "../chart/draw-chart.mjs";

export const path = "docs/machine.svg";

export function make() {
  return drawChart(fetchImageMachine.config);
}
