import {
  advanceLog,
  type ConcourseEvent,
  type ConcourseLog,
  FetchImageError,
  type JsonObject,
  noLog,
  visible,
} from "@fetch-image/core";
import type { Entry } from "./history.ts";

/** A line of the build's log, and the fact that says it. */
export interface LogLine {
  readonly entry: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The plan whose line it is; empty for the build's own. */
  readonly origin: string;
  readonly tone: "text" | "heading" | "error" | "stderr";
  /** Ready to be shown: what a terminal would obey is spelt out, tabs aside. */
  readonly text: string;
}

/** The build log, line by line as facts come: core's own rendering of Concourse's events. */
export class BuildLog {
  readonly lines: LogLine[] = [];
  #log: ConcourseLog = noLog;
  #problem: string | undefined;

  /** Why the log ends early, where it does. */
  get problem(): string | undefined {
    return this.#problem;
  }

  add(entries: Iterable<Entry>): void {
    for (const entry of entries) {
      if (this.#problem !== undefined) return;
      try {
        const { log, events } = advanceLog(this.#log, entry.fact);
        this.#log = log;
        for (const event of events) this.lines.push(...linesOf(event, entry));
      } catch (error) {
        if (!FetchImageError.is(error)) throw error;
        this.#problem = error.message;
      }
    }
  }
}

/** The first line that a fact or one after it says: where the log stands at that fact. −1 before the first. */
export function lineAt(lines: readonly LogLine[], entry: number): number {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.entry ?? 0) <= entry) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function linesOf({ event, data }: ConcourseEvent, { index, at }: Entry): readonly LogLine[] {
  const origin = originOf(data);
  const line = (tone: LogLine["tone"], text: string): LogLine => ({
    entry: index,
    at,
    origin: visible(origin),
    tone,
    text,
  });
  switch (event) {
    case "log": {
      const isError = (data["origin"] as JsonObject | undefined)?.["source"] === "stderr";
      return textLines(data["payload"]).map((text) => line(isError ? "stderr" : "text", text));
    }
    case "error":
      return textLines(data["message"]).map((text) => line("error", text));
    case "status":
      return [line("heading", `build ${shown(data["status"])}`)];
    case "finish-task":
    case "finish-get":
    case "finish-put":
      return [line("heading", `${words(event)}: exit status ${shown(data["exit_status"])}`)];
    case "selected-worker":
      return [line("heading", `selected worker ${shown(data["selected_worker"])}`)];
    default:
      return [line("heading", words(event))];
  }
}

function textLines(payload: unknown): readonly string[] {
  if (typeof payload !== "string") return [];
  const lines = payload.split("\n");
  // A text that ends its last line has no empty one behind it.
  if (lines.length > 1 && lines.at(-1) === "") lines.pop();
  return lines.map((text) => text.replace(/\r$/, "").split("\t").map(visible).join("\t"));
}

function originOf({ origin }: JsonObject): string {
  const { id } = (origin ?? {}) as { readonly id?: unknown };
  return typeof id === "string" ? id : "";
}

function shown(value: unknown): string {
  return typeof value === "string" ? visible(value) : JSON.stringify(value ?? null);
}

function words(event: string): string {
  return event.replaceAll("-", " ");
}
