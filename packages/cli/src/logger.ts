import { type JsonObject, type Logger, visible } from "@fetch-image/core/basics";

type LogLevel = "debug" | "info" | "warn" | "error";

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly write: (line: string) => void;
  /** Cuts secrets, whatever a caller hands over. */
  readonly redact: (text: string) => string;
  readonly now?: () => Date;
}

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Structured lines: `{"time","level","message",…}`, or `time level message key=value`. */
export function createLogger({ level, format, write, redact, now = () => new Date() }: LoggerOptions): Logger {
  const log =
    (at: LogLevel) =>
    (message: string, fields: JsonObject = {}) => {
      if (levels.indexOf(at) < levels.indexOf(level)) return;
      const time = now().toISOString();
      const line =
        format === "json"
          ? JSON.stringify({ time, level: at, message, ...fields })
          : visible([time, at.padEnd(5), message, ...Object.entries(fields).map(textField)].join(" "));
      write(`${redact(line)}\n`);
    };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

function textField([name, value]: readonly [string, unknown]): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `${name}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
}
