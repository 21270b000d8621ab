import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { shortLived } from "./short-lived.ts";

export const repository: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const bin = join(repository, "packages", "cli", "dist", "bin.js");

export interface Ended {
  /** 128 + the signal's number where a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output, a JSON document a line. */
  readonly json: () => ReturnType<typeof documents>;
}

export interface RunningCommand {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly kill: (signal: "SIGINT" | "SIGTERM") => void;
  /** Resolves once standard error holds the text. */
  readonly says: (text: string) => Promise<void>;
  /** What the pattern's first group has found on standard error; empty where it has found nothing. */
  readonly said: (pattern: RegExp) => string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Beside PATH and HOME, the whole environment. */
  readonly env?: { readonly [name: string]: string };
  /** Standard input; none without it. */
  readonly input?: string;
  /** For Node itself. */
  readonly nodeOptions?: readonly string[];
}

/** Runs the built command to its end, no terminal anywhere. */
export function fetchImage(args: readonly string[], options?: CommandOptions): Promise<Ended> {
  return startFetchImage(args, options).ended;
}

export function startFetchImage(args: readonly string[], options: CommandOptions = {}): RunningCommand {
  if (!existsSync(bin)) throw new Error("the packages are not built: run `pnpm build`");
  return startNode([...(options.nodeOptions ?? []), bin, ...args], options);
}

/** Runs a script of the repository. */
export function startNode(
  args: readonly string[],
  { cwd = repository, env = {}, input }: CommandOptions = {},
): RunningCommand {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [...shortLived, ...args], {
    cwd,
    env: { PATH, HOME, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A program that never reads it may have ended already.
  child.stdin.on("error", () => undefined).end(input);
  let [stdout, stderr] = ["", ""];
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const status = code ?? 128 + (signal === "SIGINT" ? 2 : signal === "SIGTERM" ? 15 : 9);
      resolve({ status, stdout, stderr, json: () => documents(stdout) });
    });
  });
  return {
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => void child.kill(signal),
    said: (pattern) => pattern.exec(stderr)?.[1] ?? "",
    async says(text) {
      const said = new Promise<void>((resolve) => {
        const look = () => void (stderr.includes(text) && resolve());
        listeners.add(look);
        look();
      });
      const early = ended.then(({ status }) => {
        throw new Error(`the command ended with ${status} and never said "${text}": ${stderr}`);
      });
      await Promise.race([said, early]);
    },
  };
}

/** Whoever reads them says what they are. */
export const documents = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

export const login = { username: "robot-account", password: "correct-horse-battery" } as const;

export interface Images {
  readonly registry: EmbeddedRegistry;
  /** Digests by reference, `acme/golang:1.22` say. */
  readonly digests: { readonly [reference: string]: string };
  /** Flags for the vars that examples/ need. */
  readonly vars: readonly string[];
}

/** A registry with the images that examples/ name. */
export async function startImages(): Promise<Images> {
  const registry = await startEmbeddedRegistry({
    users: { [login.username]: login.password },
    private: [{ prefix: "acme/private-tools", scheme: "bearer" }],
  });
  const digests: { [reference: string]: string } = {};
  for (const reference of [
    "acme/github-pr-resource:v0.23.0",
    "acme/slack-notification-resource:v1.7.0",
    "acme/registry-image-resource:1.13",
    "acme/golang:1.22",
    "acme/private-tools:2.3",
  ]) {
    digests[reference] = (await registry.push(reference)).digest;
  }
  const values = { registry: registry.host, pinned_digest: digests["acme/golang:1.22"] ?? "", ...login };
  return { registry, digests, vars: Object.entries(values).flatMap(([name, value]) => ["--var", `${name}=${value}`]) };
}

export const example = (name: string): string => join(repository, "examples", `${name}.yml`);
