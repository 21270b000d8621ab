import { expect, test } from "vitest";
import { createTerminal } from "./terminal.ts";

function stream(isTTY: boolean) {
  let written = "";
  const listeners: ((error: Error) => void)[] = [];
  return {
    isTTY,
    columns: 20,
    rows: 4,
    write(text: string, done?: unknown) {
      written += text;
      if (typeof done === "function") done();
      return true;
    },
    on(_event: string, listener: (error: Error) => void) {
      listeners.push(listener);
      return this;
    },
    fail: (code: string) => listeners.forEach((listener) => listener(Object.assign(new Error(code), { code }))),
    get written() {
      return written;
    },
  };
}

function open(options: { readonly tty: boolean; readonly env?: { readonly [name: string]: string } }) {
  const stdout = stream(options.tty);
  const stderr = stream(options.tty);
  const streams = { stdout, stderr } as unknown as Pick<Parameters<typeof createTerminal>[0], "stdout" | "stderr">;
  return { stdout, stderr, terminal: createTerminal({ ...streams, env: options.env ?? {} }) };
}

test.each([
  { tty: true, env: {}, color: true },
  { tty: false, env: {}, color: false },
  { tty: true, env: { NO_COLOR: "1" }, color: false },
  { tty: true, env: { NO_COLOR: "" }, color: true },
  { tty: true, env: { TERM: "dumb" }, color: false },
  { tty: false, env: { FORCE_COLOR: "1" }, color: true },
  { tty: false, env: { FORCE_COLOR: "1", NO_COLOR: "1" }, color: true },
  { tty: true, env: { FORCE_COLOR: "0" }, color: false },
])("on a terminal: $tty, with $env, colours: $color", ({ tty, env, color }) => {
  expect(open({ tty, env }).terminal.outColor).toBe(color);
});

test("progress is shown on terminals alone, below what is printed, and leaves nothing behind", () => {
  const { terminal, stderr } = open({ tty: true });
  terminal.progress("1 of 3 images, with a long tail");
  terminal.err("warning\n");
  terminal.progress("");
  expect(stderr.written).toBe("1 of 3 images, with\r\u001b[Kwarning\n1 of 3 images, with\r\u001b[K");
  const piped = open({ tty: false });
  piped.terminal.progress("1 of 3");
  expect(piped.stderr.written).toBe("");
});

test("progress of several lines is redrawn in place, fits the window, and leaves nothing behind", () => {
  const { terminal, stderr } = open({ tty: true });
  terminal.progress("first\nsecond");
  terminal.progress("1\n2\n3\n4\n5");
  expect(stderr.written).toBe("first\nsecond\r\u001b[1A\u001b[J1\n2\n3");
  terminal.err("warning\n");
  terminal.progress("");
  terminal.progress("");
  expect(stderr.written.split("\n3").slice(1)).toEqual(["\r\u001b[2A\u001b[Jwarning\n1\n2", "\r\u001b[2A\u001b[J"]);
});

test("lines that a narrower window has wrapped are taken away whole", () => {
  const { terminal, stderr } = open({ tty: true });
  terminal.progress("0123456789\n0123456789");
  stderr.columns = 5;
  terminal.progress("");
  expect(stderr.written).toContain("\r\u001b[3A\u001b[J");
});

test("the room for progress is that of the window; where nobody watches there is none", () => {
  expect(open({ tty: true }).terminal.progressSize()).toEqual({ columns: 20, rows: 4 });
  expect(open({ tty: false }).terminal.progressSize()).toBeUndefined();
  expect(open({ tty: true, env: { TERM: "dumb" } }).terminal.progressSize()).toBeUndefined();
});

test("a reader that has enough is no error, any other failure to write is", () => {
  const { terminal, stdout } = open({ tty: false });
  stdout.fail("EPIPE");
  terminal.out("more\n");
  expect(stdout.written).toBe("");
  expect(() => open({ tty: false }).stdout.fail("ENOSPC")).toThrow("ENOSPC");
});
