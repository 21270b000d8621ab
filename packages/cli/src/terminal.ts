import type { WriteStream } from "node:tty";

/** Where output goes: data to standard output, everything else to standard error. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Replaces the lines below everything printed so far; only where people watch. An empty text takes them away. */
  progress(text: string): void;
  /** What is there for progress; undefined where nobody watches. */
  progressSize(): { readonly columns: number; readonly rows: number } | undefined;
  readonly outColor: boolean;
  readonly errColor: boolean;
  /** How wide the terminal is that standard output is; undefined where it is none. */
  readonly outColumns: number | undefined;
  /** Resolves once everything is handed to the system. */
  flushed(): Promise<void>;
}

type Stream = Pick<NodeJS.WriteStream, "write" | "on"> & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;

interface TerminalOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: { readonly [name: string]: string | undefined };
}

export function createTerminal({ stdout, stderr, env }: TerminalOptions): Terminal {
  // Whoever reads may have enough and close the pipe, as `head` does: that is no error of ours.
  let deaf = false;
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    deaf = true;
  });
  stderr.on("error", () => {});

  let lines: readonly string[] = [];
  const progressSize = () => {
    if (stderr.isTTY !== true || env["TERM"] === "dumb") return undefined;
    return { columns: stderr.columns ?? 80, rows: stderr.rows ?? 24 };
  };
  const erase = () => {
    if (lines.length === 0) return;
    // A window that was made narrower has wrapped them.
    const columns = Math.max(1, progressSize()?.columns ?? 80);
    const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0);
    stderr.write(rows > 1 ? `\r\u001b[${rows - 1}A\u001b[J` : "\r\u001b[K");
  };
  const aboveProgress = (write: () => void) => {
    erase();
    write();
    if (lines.length > 0) stderr.write(lines.join("\n"));
  };
  return {
    out: (text) => {
      if (!deaf) aboveProgress(() => stdout.write(text));
    },
    err: (text) => {
      aboveProgress(() => stderr.write(text));
    },
    progress(text) {
      const size = progressSize();
      if (size === undefined) return;
      erase();
      const fitting = text.split("\n").map((line) => line.slice(0, size.columns - 1));
      lines = text === "" ? [] : fitting.slice(0, Math.max(1, size.rows - 1));
      if (lines.length > 0) stderr.write(lines.join("\n"));
    },
    progressSize,
    outColor: wantsColor(stdout, env),
    errColor: wantsColor(stderr, env),
    outColumns: stdout.isTTY === true ? stdout.columns : undefined,
    async flushed() {
      await Promise.all([stdout, stderr].map((stream) => new Promise<void>((done) => stream.write("", () => done()))));
    },
  };
}

/** `FORCE_COLOR` decides, else `NO_COLOR` (no-color.org), else whether people watch. */
function wantsColor(stream: Stream, env: TerminalOptions["env"]): boolean {
  const { FORCE_COLOR: force = "", NO_COLOR: no = "" } = env;
  if (force !== "") return force !== "0" && force !== "false";
  if (no !== "") return false;
  return stream.isTTY === true && env["TERM"] !== "dumb";
}
