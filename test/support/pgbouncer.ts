import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answers, freePort, serverCommand } from "./postgres.ts";

/** A PgBouncer of the test's own before a PostgreSQL of its own, on loopback only. */
export interface TestPgBouncer extends AsyncDisposable {
  readonly port: number;
  /** The URL of a database of the server's, through the pooler. */
  through(databaseUrl: string): string;
  /** Ends it as a crash would; `start` brings it back on the same port. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface PgBouncerOptions {
  readonly mode: "session" | "transaction";
  /** Connections to the server, at most. */
  readonly poolSize: number;
}

const program = ["/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer"].find((path) => existsSync(path));

/** Says why a suite that needs PgBouncer is skipped, or undefined when it can run. */
export function pgBouncerMissing(): string | undefined {
  return program === undefined ? "PgBouncer is not installed (apt-get install pgbouncer)" : undefined;
}

export async function startPgBouncer(serverPort: number, options: PgBouncerOptions): Promise<TestPgBouncer> {
  if (program === undefined) throw new Error(pgBouncerMissing());
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-pgbouncer-"));
  // The pooler runs as another user where we are root.
  chmodSync(directory, 0o755);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const settings = join(directory, "pgbouncer.ini");
  writeFileSync(
    settings,
    `[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${options.mode}
default_pool_size = ${options.poolSize}
max_client_conn = 200
`,
  );
  let child: ChildProcess | undefined;
  const killAtExit = (): void => void child?.kill("SIGKILL");
  process.once("exit", killAtExit);

  async function start(): Promise<void> {
    const [command, args] = serverCommand(program ?? "", ["-q", settings]);
    const started = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    child = started;
    let log = "";
    started.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4000)));
    for (const deadline = Date.now() + 30_000; !(await answers(url)); await sleep(20)) {
      if (started.exitCode !== null) throw new Error(`PgBouncer ended at once: ${log}`);
      if (Date.now() > deadline) throw new Error(`PgBouncer did not start: ${log}`);
    }
  }

  async function kill(): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const ended = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill("SIGKILL");
    await ended;
  }

  await start();
  return {
    port,
    start,
    kill,
    through(databaseUrl) {
      const url = new URL(databaseUrl);
      url.port = String(port);
      return url.href;
    },
    async [Symbol.asyncDispose]() {
      await kill();
      process.off("exit", killAtExit);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
