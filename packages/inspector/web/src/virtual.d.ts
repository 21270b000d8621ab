/** docs/machine.svg without its style sheet, and the style sheet: see vite.config.mjs. */
declare module "virtual:machine-chart.svg" {
  const svg: string;
  export default svg;
}
declare module "virtual:machine-chart.css";
