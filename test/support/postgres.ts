import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

/** A PostgreSQL server of the test's own, durable as in production (fsync, synchronous_commit on), on loopback only. */
export interface TestPostgres {
  readonly url: string;
  readonly port: number;
  /** Of the unix socket. */
  readonly socketDirectory: string;
  /** The server's `data_directory`. */
  readonly dataDirectory: string;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Makes an empty database and gives its URL. */
  createDatabase(): Promise<string>;
  /** Stops the server, keeping its data; `start` brings it back on the same port. */
  halt(mode?: "fast" | "immediate"): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Where the server's programs stand, or undefined where PostgreSQL is not installed. */
function postgresBinaries(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env["PATH"] ?? "").split(":"),
  ];
  return candidates.find(
    (directory) => existsSync(join(directory, "initdb")) && existsSync(join(directory, "postgres")),
  );
}

/** Says why a suite that needs PostgreSQL is skipped, or undefined when it can run. */
export function postgresMissing(): string | undefined {
  return postgresBinaries() === undefined ? "PostgreSQL is not installed (apt-get install postgresql)" : undefined;
}

/** Starts a private cluster in a temporary directory; as root, under the `postgres` user, since the server refuses root. */
export async function startPostgres(options: { readonly settings?: readonly string[] } = {}): Promise<TestPostgres> {
  const binaries = postgresBinaries();
  if (binaries === undefined) throw new Error(postgresMissing());
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-pg-"));
  const data = join(directory, "data");
  if (isRoot()) run("chown", ["postgres:postgres", directory]);
  asServerUser(join(binaries, "initdb"), [
    "-D",
    data,
    "-A",
    "trust",
    "-U",
    "postgres",
    "-E",
    "UTF8",
    "--locale=C.UTF-8",
    "-N",
  ]);
  const port = await freePort();
  const server = new Server(join(binaries, "postgres"), directory, data, port, options.settings ?? []);
  await server.start();
  return server;
}

class Server implements TestPostgres {
  readonly #program: string;
  readonly #settings: readonly string[];
  readonly #directory: string;
  readonly dataDirectory: string;
  readonly port: number;
  readonly #killAtExit = (): void => void this.#child?.kill("SIGQUIT");
  #child: ChildProcess | undefined;
  #databases = 0;

  constructor(program: string, directory: string, data: string, port: number, settings: readonly string[]) {
    this.#program = program;
    this.#directory = directory;
    this.dataDirectory = data;
    this.port = port;
    this.#settings = settings;
  }

  get socketDirectory(): string {
    return this.#directory;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const settings = [`port=${this.port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${this.#directory}`];
    const args = ["-D", this.dataDirectory, ...[...settings, ...this.#settings].flatMap((setting) => ["-c", setting])];
    const [command, commandArgs] = serverCommand(this.#program, args);
    const child = spawn(command, commandArgs, { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4000)));
    this.#child = child;
    process.once("exit", this.#killAtExit);
    for (const deadline = Date.now() + 30_000; ; await sleep(20)) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended at once: ${log}`);
      if (await answers(this.url)) return;
      if (Date.now() > deadline) throw new Error(`PostgreSQL did not start: ${log}`);
    }
  }

  async createDatabase(): Promise<string> {
    const name = `test_${++this.#databases}`;
    const client = new Client({ connectionString: this.url });
    await client.connect();
    await client.query(`create database ${name}`);
    await client.end();
    return this.url.replace(/postgres$/, name);
  }

  async halt(mode: "fast" | "immediate" = "fast"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    process.off("exit", this.#killAtExit);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
  }

  async stop(): Promise<void> {
    await this.halt("immediate");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Whether a server is there, or a pooler before one, and takes connections. */
export async function answers(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** As the `postgres` user where we are root. The server dies with its parent, so that a killed test run leaves nothing behind. */
export function serverCommand(program: string, args: readonly string[]): [string, string[]] {
  const user = isRoot() ? ["--reuid=postgres", "--regid=postgres", "--init-groups"] : [];
  return existsSync("/usr/bin/setpriv")
    ? ["setpriv", [...user, "--pdeathsig=QUIT", program, ...args]]
    : ["su", ["postgres", "-s", "/bin/sh", "-c", [program, ...args].map((part) => `'${part}'`).join(" ")]];
}

function asServerUser(program: string, args: readonly string[]): void {
  if (isRoot()) run("su", ["postgres", "-s", "/bin/sh", "-c", [program, ...args].map((part) => `'${part}'`).join(" ")]);
  else run(program, args);
}

function run(program: string, args: readonly string[]): void {
  const done = spawnSync(program, args, { encoding: "utf8", cwd: tmpdir() });
  if (done.status !== 0) throw new Error(`${program} failed: ${done.stderr || String(done.error)}`);
}

// Below 32768, where outgoing connections take their ephemeral ports.
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
