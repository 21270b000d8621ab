// The page: relative addresses, so that it works at any path of any server, and no inline script or style, so that it
// works under a strict Content-Security-Policy.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  base: "./",
  publicDir: false,
  cacheDir: here("../../../node_modules/.cache/fetch-image-vite"),
  plugins: [machineChart()],
  resolve: { conditions: ["fetch-image:source", "module", "browser", "development|production"] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: here("../dist-web"),
    emptyOutDir: true,
    assetsDir: "inspector",
    // An inlined asset would be one more thing for the policy to allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["chrome111", "firefox115", "safari16.4"],
    reportCompressedSize: false,
    // Who wrote what the page is made of, and on what terms; the packages stand in one bundle.
    license: { fileName: "third-party-notices.md" },
  },
});

/**
 * The picture of the machine in two halves, as a page takes it: its elements, and its style sheet, which would be an
 * inline style otherwise.
 */
function machineChart() {
  const source = here("../../../docs/machine.svg");
  const halves = { "virtual:machine-chart.svg": picture, "virtual:machine-chart.css": styleSheet };
  return {
    name: "machine-chart",
    resolveId: (id) => (id in halves ? `\0${id}` : undefined),
    load(id) {
      const half = halves[id.slice(1)];
      if (!id.startsWith("\0") || half === undefined) return undefined;
      this.addWatchFile(source);
      return half(readFileSync(source, "utf8"));
    },
  };
}

const style = /<style>\n?([^]*?)<\/style>\n?/;

function picture(svg) {
  return `export default ${JSON.stringify(svg.replace(style, ""))};`;
}

function styleSheet(svg) {
  return style.exec(svg)?.[1] ?? "";
}
