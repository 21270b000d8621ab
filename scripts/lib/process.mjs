// Running other programs: what every script here needs, and no dependency, since some run before anything is installed.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The path of a tool that pnpm installed for the root package, such as `tsc`. */
export const tool = (name) => join(root, "node_modules", ".bin", name);

// An empty HOME is not a missing one: npm would make a folder called `~` where it stands.
const { HOME: home, ...environment } = process.env;
const baseEnvironment = home ? { ...environment, HOME: home } : environment;

/**
 * Runs a program and collects what it prints; with `live`, passes its output through as well. Never rejects for what
 * the program does. After `timeoutSeconds` it and whatever it started are asked to end, and five seconds later ended.
 * @returns {Promise<{code: number, output: string, seconds: number, timedOut: boolean}>} `code` is 127 where the
 *   program is not there, 128 + signal number where a signal ended it, as in a shell.
 */
export function run(command, args, options = {}) {
  const started = performance.now();
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...baseEnvironment, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that what it started can be ended with it.
    detached: options.timeoutSeconds !== undefined,
  });
  let output = "";
  const take = (chunk) => {
    output += chunk;
    if (options.live) process.stderr.write(chunk);
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const timeout = endAfter(child, options.timeoutSeconds);
  return new Promise((resolve) => {
    const settle = (code) => {
      timeout.clear();
      resolve({ code, output, seconds: (performance.now() - started) / 1000, timedOut: timeout.fired() });
    };
    child.on("error", (error) => {
      output += `${error.message}\n`;
      settle(127);
    });
    child.on("close", (code, signal) => settle(exitStatus(code, signal)));
  });
}

/**
 * Runs a program in the foreground, on this process's own terminal, and resolves with its exit status. An interrupt is
 * left to the program: a terminal sends it one anyway, so it is forwarded only where there is no terminal.
 */
export function runInForeground(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, env: { ...baseEnvironment, ...options.env }, stdio: "inherit" });
  const onInterrupt = () => process.stdin.isTTY || child.kill("SIGINT");
  const onTerminate = () => child.kill("SIGTERM");
  process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
  return new Promise((resolve) => {
    const settle = (code) => {
      process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
      resolve(code);
    };
    child.on("error", (error) => {
      process.stderr.write(`${error.message}\n`);
      settle(127);
    });
    child.on("close", (code, signal) => settle(exitStatus(code, signal)));
  });
}

/** 0.94 → "0.9 s"; 72.4 → "72 s". */
export const inSeconds = (seconds) => `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;

/** The last `count` lines of a program's output, for a report of its failure. */
export const lastLines = (output, count) => output.trimEnd().split("\n").slice(-count).join("\n");

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };
const exitStatus = (code, signal) => code ?? 128 + (signalNumbers[signal] ?? 0);

function endAfter(child, seconds) {
  if (seconds === undefined) return { clear() {}, fired: () => false };
  let fired = false;
  const endGroup = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended by itself.
    }
  };
  let last;
  const first = setTimeout(() => {
    fired = true;
    endGroup("SIGTERM");
    last = setTimeout(endGroup, 5000, "SIGKILL");
  }, seconds * 1000);
  // The terminal's interrupt does not reach another group.
  const onInterrupt = () => process.exit(130);
  const onExit = () => endGroup("SIGTERM");
  process.on("SIGINT", onInterrupt).on("exit", onExit);
  return {
    clear() {
      clearTimeout(first);
      clearTimeout(last);
      process.off("SIGINT", onInterrupt).off("exit", onExit);
    },
    fired: () => fired,
  };
}
