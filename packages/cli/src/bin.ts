#!/usr/bin/env node
import { commandLine } from "./command-line.ts";
import { exitStatus } from "./exit-status.ts";
import { main } from "./main.ts";
import { createTerminal } from "./terminal.ts";

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // Whoever asks twice does not want to wait for what the first request started.
    if (interruption.signal.aborted) process.exit(exitStatus.interrupted);
    interruption.abort(new Error("interrupted"));
  });
}

const { stdout, stderr, env } = process;
const terminal = createTerminal({ stdout, stderr, env });
const status = await main(commandLine(process.argv), {
  terminal,
  env,
  cwd: process.cwd(),
  stdin: () => process.stdin,
  signal: interruption.signal,
});
// Connections kept alive for a next request must not keep the process.
await terminal.flushed();
process.exit(status);
