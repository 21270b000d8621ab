import { readSse } from "./read-sse.ts";

/** What `fly watch` prints of a stream, and its exit status. */
export interface Watched {
  readonly printed: string;
  readonly exitStatus: number;
  /** The stream ended and no status had told how: fly would exit 0 silently. */
  readonly cutOff: boolean;
}

interface Message {
  readonly event: string;
  readonly version: string;
  readonly event_id: unknown;
  readonly data: Data;
}

/** What stands in a stream may be anything. */
type Data = ReturnType<typeof JSON.parse>;

/** The versions that its parser has (concourse/atc/event/parser.go, 8.2): of another minor version it takes the event. */
const parsed: { readonly [event: string]: string } = {
  log: "5.1",
  status: "1.0",
  error: "4.1",
  initialize: "1.0",
  start: "1.0",
  finish: "1.0",
  "waiting-for-worker": "1.0",
  "selected-worker": "1.0",
  "streaming-volume": "1.0",
  "waiting-for-streamed-volume": "1.0",
  "initialize-task": "4.0",
  "start-task": "5.0",
  "finish-task": "4.0",
  "initialize-check": "1.0",
  "initialize-get": "2.0",
  "start-get": "1.0",
  "finish-get": "5.1",
  "initialize-put": "2.0",
  "start-put": "1.0",
  "finish-put": "5.1",
  "set-pipeline-changed": "1.0",
  "image-check": "1.1",
  "image-get": "1.1",
  "across-substeps": "1.0",
};

const exitStatuses: { readonly [status: string]: number } = { succeeded: 0, failed: 1, errored: 2, aborted: 3 };

/** Reads a stream as fly does (concourse/fly/eventstream, go-concourse's event source). */
export function flyWatch(text: string): Watched {
  let printed = "";
  let exitStatus = 0;
  const refuse = (why: string): Watched => ({
    printed: `${printed}failed to parse next event: ${why}\n`,
    exitStatus: 255,
    cutOff: false,
  });
  for (const frame of readSse(text)) {
    if (frame.name === "end") return { printed, exitStatus, cutOff: true };
    if (frame.name !== "event") return refuse(`unknown event name: ${frame.name}`);
    const message: Message = JSON.parse(frame.data);
    const known = Object.hasOwn(parsed, message.event) ? parsed[message.event] : undefined;
    if (known === undefined) return refuse(`unknown event type: ${message.event}`);
    if (major(known) !== major(message.version))
      return refuse(`unknown event version: ${message.event} ${message.version}`);
    const { time } = message.data;
    if (time !== undefined && !Number.isInteger(time)) return refuse("json: cannot unmarshal number into int64");
    if (message.event === "status" && message.data["status"] !== "started") {
      const status: string = message.data["status"];
      return { printed: `${printed}${status}\n`, exitStatus: exitStatus || (exitStatuses[status] ?? 0), cutOff: false };
    }
    if (message.event === "finish-task") exitStatus = message.data["exit_status"];
    printed += prints[message.event]?.(message.data) ?? "";
  }
  return { printed, exitStatus, cutOff: true };
}

const prints: { readonly [event: string]: (data: Data) => string } = {
  log: ({ payload }) => payload,
  error: ({ message }) => `${message}\n`,
  "selected-worker": (data) => `selected worker: ${data["selected_worker"]}\n`,
  "initialize-check": ({ name }) => `initializing check: ${name}\n`,
  "initialize-task": () => "initializing\n",
  "start-task": ({ config }) => `running ${[config.run.path, ...(config.run.args ?? [])].join(" ")}\n`,
};

function major(version: string): string {
  return version.split(".")[0] ?? "";
}
