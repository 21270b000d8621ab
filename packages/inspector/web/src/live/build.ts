// The build that is looked at: its facts as they come, folded, and the log that they make.
import { computed, effect, signal } from "@preact/signals";
import type { RecordedFact } from "@fetch-image/core";
import { chartEdges } from "../chart/machine-picture.ts";
import { BuildHistory } from "../facts/history.ts";
import { BuildLog } from "../facts/log-lines.ts";
import { parseWireFact, readBuildFact } from "../facts/wire.ts";
import { chosenBuild } from "./address.ts";
import { openedFile } from "./file.ts";
import { problemText } from "./problem.ts";
import { api, server } from "./server.ts";

interface OpenBuild {
  readonly id: string;
  readonly history: BuildHistory;
  readonly log: BuildLog;
  /** Whether all there was has been read: from then on facts are news. */
  readonly isCaughtUp: boolean;
  readonly problem: string | undefined;
}

/** Facts are folded in portions, so that a long stream leaves the page usable while it is read. */
const portion = 4000;

const opened = signal<OpenBuild | undefined>(undefined);

/** Undefined where none is chosen. A new object for each portion of facts; what it holds grows. */
export const build = computed(() => opened.value);

let close = (): void => {};

/** Follows the address; to be called once. */
export function openChosenBuild(): void {
  effect(() => {
    const id = chosenBuild.value;
    const file = openedFile.value;
    const isThere = server.value === "here";
    close();
    close = () => {};
    if (id === undefined) opened.value = undefined;
    else if (file !== undefined) close = readAll(id, file.builds.get(id) ?? []);
    else if (isThere) close = follow(id);
  });
}

interface Reader {
  take(facts: readonly RecordedFact[]): void;
  end(change: Partial<OpenBuild>): void;
}

function begin(id: string): Reader {
  const history = new BuildHistory(chartEdges);
  const log = new BuildLog();
  let shown: OpenBuild = { id, history, log, isCaughtUp: false, problem: undefined };
  const end = (change: Partial<OpenBuild>): void => {
    shown = { ...shown, ...change };
    opened.value = shown;
  };
  end({});
  return {
    take(facts) {
      const first = history.entries.length;
      try {
        history.add(facts.map(readBuildFact));
      } catch (error) {
        end({ problem: problemText(error) });
      }
      log.add(history.entries.slice(first));
      end(history.problem === undefined ? {} : { problem: problemText(history.problem) });
    },
    end,
  };
}

function readAll(id: string, facts: readonly RecordedFact[]): () => void {
  const reader = begin(id);
  let next = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const go = (): void => {
    reader.take(facts.slice(next, next + portion));
    next += portion;
    if (next < facts.length) timer = setTimeout(go, 0);
    else reader.end({ isCaughtUp: true });
  };
  go();
  return () => clearTimeout(timer);
}

function follow(id: string): () => void {
  const reader = begin(id);
  const stream = new EventSource(api(`builds/${encodeURIComponent(id)}/facts`));
  let waiting: RecordedFact[] = [];
  let caughtUp = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    timer = undefined;
    const facts = waiting.slice(0, portion);
    waiting = waiting.slice(portion);
    reader.take(facts);
    if (waiting.length > 0) timer = setTimeout(flush, 0);
    else if (caughtUp) reader.end({ isCaughtUp: true });
  };
  stream.addEventListener("message", ({ data }: MessageEvent<string>) => {
    try {
      waiting.push(parseWireFact(data, `an event of build ${id}`));
    } catch (error) {
      stream.close();
      reader.end({ problem: problemText(error) });
    }
    timer ??= setTimeout(flush, 20);
  });
  stream.addEventListener("caught-up", () => {
    caughtUp = true;
    timer ??= setTimeout(flush, 0);
  });
  stream.addEventListener("open", () => reader.end({ problem: undefined }));
  stream.addEventListener("error", () => {
    const isRefused = stream.readyState === EventSource.CLOSED;
    const words = isRefused ? "The server gives no facts of this build." : "The connection is lost; trying again";
    reader.end({ problem: words });
  });
  return () => {
    clearTimeout(timer);
    stream.close();
  };
}
