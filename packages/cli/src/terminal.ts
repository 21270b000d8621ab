import type { WriteStream } from "node:tty";

/** Where output goes: data to standard output, everything else to standard error. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Replaces the line below everything printed so far; only where people watch. An empty text takes it away. */
  progress(text: string): void;
  readonly outColor: boolean;
  readonly errColor: boolean;
  /** How wide the terminal is that standard output is; undefined where it is none. */
  readonly outColumns: number | undefined;
  /** Resolves once everything is handed to the system. */
  flushed(): Promise<void>;
}

type Stream = Pick<NodeJS.WriteStream, "write" | "on"> & Partial<Pick<WriteStream, "isTTY" | "columns">>;

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

  let line = "";
  const aboveProgress = (write: () => void) => {
    if (line !== "") stderr.write("\r\u001b[K");
    write();
    if (line !== "") stderr.write(line);
  };
  return {
    out: (text) => {
      if (!deaf) aboveProgress(() => stdout.write(text));
    },
    err: (text) => {
      aboveProgress(() => stderr.write(text));
    },
    progress(text) {
      if (stderr.isTTY !== true || env["TERM"] === "dumb") return;
      if (line !== "") stderr.write("\r\u001b[K");
      line = text.slice(0, (stderr.columns ?? 80) - 1);
      stderr.write(line);
    },
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
