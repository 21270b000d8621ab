import { toChart } from "./chart-model.mjs";
import { layOut } from "./layout.mjs";
import { toSvg } from "./svg.mjs";

/**
 * A machine as a picture in Stately's visual language, light and dark.
 * @param {object} config of an XState 5 machine: `machine.config`, or the same as JSON
 * @returns {Promise<string>} an SVG document, the same bytes for the same config
 */
export async function drawChart(config) {
  const chart = toChart(config);
  return toSvg(chart, await layOut(chart));
}
