// How a chart looks. Colours are custom properties of the picture: dark where the reader's system is, unless whoever
// shows the picture says `data-theme="light"` or `"dark"` on it.
import { textStyles } from "./text-width.mjs";

const light = {
  canvas: "#ffffff",
  body: "#ffffff",
  band: "#f0f1f4",
  border: "#c6cad2",
  text: "#1b1e25",
  muted: "#5f6673",
  line: "#969dab",
  pill: "#ffffff",
  "pill-border": "#d3d7de",
  chip: "#ffffff",
  "chip-border": "#d9dce3",
};
const dark = {
  canvas: "#131519",
  body: "#1d2026",
  band: "#2e323b",
  border: "#484d59",
  text: "#f2f4f7",
  muted: "#a2a9b6",
  line: "#7a8190",
  pill: "#181a20",
  "pill-border": "#414652",
  chip: "#262a32",
  "chip-border": "#414652",
};

const properties = (colours) =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";");

const fonts = Object.entries(textStyles).map(
  ([name, { size, weight }]) => `.${name}{font-size:${size}px;font-weight:${weight}}`,
);

/** The picture's style sheet; every rule begins at the class `machine-chart`, so that it fits into any page. */
export const styleSheet = [
  `{${properties(light)};font-family:Inter,"Segoe UI",system-ui,sans-serif}`,
  `[data-theme="dark"]{${properties(dark)}}`,
  ...fonts.map((rule) => ` text${rule}`),
  " text{fill:var(--text)}",
  " :is(.description,.label,.params,.keyword){fill:var(--muted)}",
  " .edge .action{fill:var(--muted)}",
  " .order{fill:var(--canvas);text-anchor:middle}",
  " .canvas{fill:var(--canvas)}",
  " .body{fill:var(--body)}",
  " .border{fill:none;stroke:var(--border);stroke-width:1.5}",
  " .parent>.body{fill:var(--canvas)}",
  " .region>.border{stroke-dasharray:6 4}",
  " .band{fill:var(--band)}",
  // A halo, where a line may lead behind.
  " .parent>:is(.title,.description,.label){paint-order:stroke;stroke:var(--canvas);stroke-width:4;stroke-linejoin:round}",
  " .parent>.title{stroke:var(--band)}",
  " .chip{fill:var(--chip);stroke:var(--chip-border)}",
  " .pill{fill:var(--pill);stroke:var(--pill-border);stroke-width:1.5}",
  " .line{fill:none;stroke:var(--line);stroke-width:1.6}",
  " :is(.arrow,.dot){fill:var(--line)}",
  " .diamond{fill:var(--text)}",
  " .icon{fill:none;stroke:var(--muted);stroke-width:1.3;stroke-linecap:round;stroke-linejoin:round}",
  " .icon .full{fill:var(--muted);stroke:none}",
]
  .map((rule) => `.machine-chart${rule}`)
  .concat(`@media(prefers-color-scheme:dark){.machine-chart:not([data-theme="light"]){${properties(dark)}}}`)
  .join("\n");
