import type { BuildFactData } from "../facts/build-facts.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Words } from "./fact-words.ts";
import { versionText } from "./version-text.ts";

/** The plan that an event of the scheduler's is about; undefined for the build's own. */
export function planOfEvent({ data }: BuildFactData<"BuildEventSaved">): string | undefined {
  const id = object(data["origin"])["id"];
  return typeof id === "string" ? id : undefined;
}

/** What an event of the scheduler's says. */
export function eventWords({ event, data }: BuildFactData<"BuildEventSaved">): Words {
  switch (event) {
    case "status":
      return { text: `build ${text(data["status"])}`, tone: tones[text(data["status"])] ?? "plain" };
    case "log":
      return printedWords(text(object(data["origin"])["source"]) || "stdout", text(data["payload"]));
    case "error":
      return { text: `error: ${text(data["message"])}`, tone: "bad" };
    case "initialize-check":
      return { text: `initializes check ${text(data["name"])}`, tone: "muted" };
    case "start-task":
      return { text: `runs ${command(object(data["config"]))}`, tone: "plain" };
    case "finish-task":
    case "finish-get":
    case "finish-put": {
      const status = data["exit_status"];
      const version = versionText(texts(data["version"]));
      const gave = event === "finish-task" || status !== 0 ? "" : `: ${version}`;
      return { text: `ended with exit status ${JSON.stringify(status)}${gave}`, tone: status === 0 ? "good" : "bad" };
    }
    case "finish":
      return data["succeeded"] === true ? { text: "succeeded", tone: "good" } : { text: "failed", tone: "bad" };
    case "selected-worker":
      return { text: `selected worker ${text(data["selected_worker"])}`, tone: "plain" };
    case "streaming-volume":
    case "waiting-for-streamed-volume":
      return { text: `${event} ${text(data["volume"])} to ${text(data["dest_worker"])}`, tone: "muted" };
    default:
      break;
  }
  return { text: event, tone: "muted" };
}

/** Each line of what a step printed; a line that was stored in pieces is shown in pieces. */
export function printedWords(origin: string, payload: string): Words {
  const printed = payload.split(/\r?\n/);
  if (printed.length > 1 && printed.at(-1) === "") printed.pop();
  const [first = "", ...notes] = printed.map((line) => `${origin} | ${line}`);
  return { text: first, tone: "plain", notes };
}

const tones: { readonly [status: string]: Words["tone"] } = {
  succeeded: "good",
  failed: "bad",
  errored: "bad",
  aborted: "bad",
};

function command({ run }: JsonObject): string {
  const { path, args } = object(run);
  return [text(path), ...(Array.isArray(args) ? args.map(text) : [])].join(" ");
}

function texts(value: Json | undefined): { readonly [key: string]: string } {
  return Object.fromEntries(Object.entries(object(value)).map(([key, one]) => [key, text(one)]));
}

function object(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
