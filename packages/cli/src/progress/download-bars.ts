import type { ArtifactProgress, UnpackProgress } from "@fetch-image/registry";
import type { Terminal } from "../terminal.ts";
import { barLines, type TerminalSize } from "./bar-lines.ts";
import { size } from "./size-text.ts";

/** Shows a download, and then the unpacking, to whoever watches; nobody else sees anything of it. */
export interface DownloadBars {
  readonly download: (progress: ArtifactProgress) => void;
  readonly unpack: (progress: UnpackProgress) => void;
  /** Takes them away. */
  readonly end: () => void;
}

/** Ten times a second: what is more nobody sees, and costs. */
const drawEveryMs = 100;

export function createDownloadBars(
  terminal: Pick<Terminal, "progress" | "progressSize">,
  now: () => number = () => performance.now(),
): DownloadBars {
  let drawnAt = -Infinity;
  let next: (() => string) | undefined;
  let timer: NodeJS.Timeout | undefined;

  const draw = () => {
    timer = undefined;
    drawnAt = now();
    if (next !== undefined) terminal.progress(next());
  };
  const show = (lines: (shape: TerminalSize) => readonly string[]) => {
    // Asked each time: the window may have another size by now.
    const shape = terminal.progressSize();
    if (shape === undefined) return;
    next = () => lines(terminal.progressSize() ?? shape).join("\n");
    const wait = drawnAt + drawEveryMs - now();
    if (wait <= 0) draw();
    else timer ??= setTimeout(draw, wait);
  };
  return {
    download: (progress) => show((shape) => barLines(progress, shape)),
    unpack: ({ layer, layers, bytes, entries }) =>
      show(() => [`unpacking layer ${layer} of ${layers}: ${entries} files, ${size(bytes)}`]),
    end() {
      clearTimeout(timer);
      timer = undefined;
      next = undefined;
      terminal.progress("");
    },
  };
}
