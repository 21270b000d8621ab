// Restate: a workflow of three runs, kept by its own server; the scopes' table is PostgreSQL's.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer as createPlainServer } from "node:net";
import { createServer } from "node:http2";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "pg";
import { Pool as HttpPool } from "undici";
import { createRegistryClient, record, referenceOf, scopeOf } from "../support/contest/workflow.mjs";
import { firstRow, makeScopes, storeScope } from "./scopes.mjs";

export async function prepare({ databaseUrl }) {
  await makeScopes(databaseUrl);
}

/** Starts the server, with as many partitions as `place` says. */
export async function host({ partitions }) {
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-restate-"));
  const [ingress, admin, node, worker] = await freePorts(4);
  const environment = {
    RESTATE_BASE_DIR: directory,
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_BIND_IP: "127.0.0.1",
    RESTATE_BIND_PORT: String(node),
    RESTATE_ADVERTISED_HOST: "127.0.0.1",
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_DISABLE_TELEMETRY: "true",
    // It asks whether there is a newer release, and says so where it cannot.
    RESTATE_LOG_FILTER: "error,octocrab=off",
    DO_NOT_TRACK: "1",
    ...(partitions === undefined ? {} : { RESTATE_DEFAULT_NUM_PARTITIONS: String(partitions) }),
  };
  const server = spawn(...mortal(program()), {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const killAtExit = () => server.kill("SIGKILL");
  process.once("exit", killAtExit);
  const close = async () => {
    process.off("exit", killAtExit);
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(async () => (await fetch(`http://127.0.0.1:${admin}/health`)).ok, server);
    await until(async () => (await fetch(`http://127.0.0.1:${ingress}/restate/health`)).ok, server);
  } catch (error) {
    await close();
    throw error;
  }
  return { place: { ingress, admin, worker }, pids: [server.pid], close };
}

export async function open({ registry, databaseUrl, ingress, admin, worker }) {
  // The SDK uses what Node has from version 22 on.
  Promise.withResolvers ??= withResolvers;
  const { createEndpointHandler, workflow: define } = await import("@restatedev/restate-sdk");
  const pool = new Pool({ connectionString: databaseUrl, max: 16 });
  const client = createRegistryClient(registry);

  async function run(context) {
    const workflow = context.key;
    const { digest } = await context.run("check", async () => {
      const found = await client.digestOf(workflow);
      return { digest: found, record: record("check-started", { workflow }) };
    });
    await context.run("version", async () => {
      const scope = scopeOf(workflow);
      await storeScope(pool, scope, digest);
      return record("version-found", { workflow, scope, digest });
    });
    const reference = referenceOf(registry, workflow, digest);
    await context.run("get", async () => record("get-recorded", { workflow, reference }));
    return reference;
  }

  const server = createServer(
    createEndpointHandler({ services: [define({ name: "fetch", handlers: { run } })], logger: () => undefined }),
  );
  const sessions = new Set();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  await once(server.listen(worker, "127.0.0.1"), "listening");
  await register(admin, worker);
  // A request is a connection for as long as its workflow takes.
  const http = new HttpPool(`http://127.0.0.1:${ingress}`, { connections: 1024 });

  return {
    async run(workflow) {
      const { statusCode, body } = await http.request({
        method: "POST",
        path: `/fetch/${workflow}/run`,
        headersTimeout: 0,
      });
      if (statusCode !== 200) throw new Error(`Restate answered ${statusCode}: ${await body.text()}`);
      return await body.json();
    },
    /** The server calls again. */
    async resume(workflows) {
      for (;;) {
        const { ended } = await invocations(admin);
        if (ended >= workflows.length) return;
        await sleep(20);
      }
    },
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await Promise.all([pool.end(), client.close(), http.destroy()]);
    },
  };
}

export async function recorded({ databaseUrl, admin }) {
  const { scopes } = await firstRow(databaseUrl, "select count(*)::int as scopes from scopes");
  return { ...(await invocations(admin)), scopes };
}

async function invocations(admin) {
  const query = `select count(*) as begun,
    sum(case when status = 'completed' and completion_result = 'success' then 1 else 0 end) as ended
    from sys_invocation`;
  const answer = await fetch(`http://127.0.0.1:${admin}/query`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query }),
  });
  if (!answer.ok) throw new Error(`Restate's query answered ${answer.status}: ${await answer.text()}`);
  const { rows } = await answer.json();
  return { begun: rows[0].begun, ended: rows[0].ended ?? 0 };
}

async function register(admin, worker) {
  const answer = await fetch(`http://127.0.0.1:${admin}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri: `http://127.0.0.1:${worker}`, force: true }),
  });
  if (!answer.ok) throw new Error(`Restate did not take the worker: ${answer.status} ${await answer.text()}`);
}

/** The server dies with this process, so that a benchmark which is interrupted leaves none behind. */
function mortal(path) {
  return existsSync("/usr/bin/setpriv") ? ["setpriv", ["--pdeathsig=KILL", path]] : [path, []];
}

function program() {
  const name = `restate-server-${platform()}-${arch()}`;
  const path = fileURLToPath(new URL(`node_modules/@restatedev/${name}/bin/restate-server`, import.meta.url));
  if (!existsSync(path)) throw new Error(`there is no Restate server for ${platform()} on ${arch()}`);
  return path;
}

async function until(holds, server) {
  for (const deadline = Date.now() + 60_000; ; await sleep(50)) {
    if (await holds().catch(() => false)) return;
    if (server.exitCode !== null) throw new Error(`Restate's server ended with ${server.exitCode}`);
    if (Date.now() > deadline) throw new Error("Restate's server did not start");
  }
}

// Below 32768, where outgoing connections take their ephemeral ports: one that a client has taken cannot be listened on.
async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createPlainServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
