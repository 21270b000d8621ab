import type { ArtifactProgress, LayerProgress } from "@fetch-image/registry";
import { size } from "./size-text.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/**
 * How far a download is: a bar for each blob, and one for all of them. Fits the terminal: where there are more blobs
 * than rows those under way are shown, and narrow ones have shorter bars or none.
 */
export function barLines(progress: ArtifactProgress, { columns, rows }: TerminalSize): readonly string[] {
  const { receivedBytes, totalBytes, blobsDone, blobsTotal } = progress;
  const counts = `${size(receivedBytes)} / ${size(totalBytes)}, ${blobsDone} of ${blobsTotal} blobs`;
  const total = line("total", { part: receivedBytes, of: totalBytes, text: counts }, columns);
  return [...shownOf(progress.layers, rows - 2).map((layer) => layerLine(layer, columns)), total];
}

function shownOf(layers: readonly LayerProgress[], most: number): readonly LayerProgress[] {
  if (layers.length <= most) return layers;
  const rank = { downloading: 0, waiting: 1, done: 2, present: 3 };
  const chosen = new Set(layers.toSorted((a, b) => rank[a.state] - rank[b.state]).slice(0, Math.max(0, most)));
  return layers.filter((layer) => chosen.has(layer));
}

function layerLine({ digest, receivedBytes, totalBytes, state }: LayerProgress, columns: number): string {
  const texts = {
    waiting: size(totalBytes),
    downloading: `${size(receivedBytes)} / ${size(totalBytes)}`,
    present: `${size(totalBytes)}, here already`,
    done: `${size(totalBytes)}, done`,
  };
  return line(shortDigest(digest), { part: receivedBytes, of: totalBytes, text: texts[state] }, columns);
}

/** As docker and the resource show it. */
function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

const nameWidth = 12;
const textWidth = 36;
const widestBar = 40;
const narrowestBar = 8;

interface Bar {
  readonly part: number;
  readonly of: number;
  readonly text: string;
}

function line(name: string, { part, of, text }: Bar, columns: number): string {
  const width = Math.min(widestBar, columns - 1 - nameWidth - textWidth - "  [] ".length);
  const named = name.padEnd(nameWidth);
  if (width < narrowestBar) return `${named} ${text}`;
  const filled = of === 0 ? width : Math.min(width, Math.floor((width * part) / of));
  const head = filled > 0 && filled < width ? ">" : "";
  return `${named} [${("=".repeat(filled - head.length) + head).padEnd(width)}] ${text}`;
}
