// Thousands who follow builds while they run, their connections in processes of their own: what each costs the server in
// memory, how late events come, and what readers that do not read make the server hold.
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createReadApi } from "@fetch-image/inspector";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { promptRegistry } from "./support/prompt-registry.mjs";

export const name = "followers";

const builds = Array.from({ length: 20 }, (_, n) => `build-${n}`);
const processes = 2;
const rounds = 5;
/** In each round every build says so many things, one after the other. */
const eventsPerRound = 5;
const betweenEventsMs = 500;

export async function run(emit) {
  for (const followers of [2000, 5000]) await within((scene) => following(emit, { followers, scene }));
  await within((scene) => slowReaders(emit, scene));
}

/** Node 20 disposes of nothing by itself. */
async function within(work) {
  const scene = await startScene();
  try {
    await work(scene);
  } finally {
    await scene.close();
  }
}

async function following(emit, { followers, scene }) {
  const before = await settled();
  const clients = await Promise.all(Array.from({ length: processes }, startClient));
  const begin = performance.now();
  const opened = clients.map((client) => {
    client.send({ kind: "open", port: scene.port, builds, count: followers / processes });
    return once(client, "message");
  });
  await Promise.all(opened);
  const perSecond = followers / ((performance.now() - begin) / 1000);
  const after = await settled();
  const each = (field) => (after[field] - before[field]) / followers / 1024;
  emit({ name: `open-${followers}`, unit: "connections", per: "s", value: perSecond, runs: 1, spread: 0 });
  emit({ name: `heap-${followers}`, unit: "KiB", per: "follower", value: each("heapUsed"), runs: 1, spread: 0 });
  emit({ name: `memory-${followers}`, unit: "KiB", per: "follower", value: each("rss"), runs: 1, spread: 0 });

  /** @type {number[][]} */
  const [p50, p99, cpu] = [[], [], []];
  for (let round = -1; round < rounds; round++) {
    const used = process.cpuUsage();
    for (let event = 0; event < eventsPerRound; event++) {
      await scene.saySomething();
      await sleep(betweenEventsMs);
    }
    const { user, system } = process.cpuUsage(used);
    const latencies = await toldBy(clients, followers * eventsPerRound);
    if (round < 0) continue;
    p50.push(latencies[Math.floor(latencies.length * 0.5)]);
    p99.push(latencies[Math.floor(latencies.length * 0.99)]);
    cpu.push((followers * eventsPerRound) / ((user + system) / 1e6));
  }
  emit({ name: `delivery-p50-${followers}`, unit: "ms", samples: p50 });
  emit({ name: `delivery-p99-${followers}`, unit: "ms", samples: p99 });
  emit({ name: `deliveries-${followers}`, unit: "events", per: "processor second", samples: cpu });
  for (const client of clients) client.disconnect();
}

/** Readers that take nothing of a log that grows by megabytes: memory beside that of the log itself. */
async function slowReaders(emit, scene) {
  const sockets = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const socket = connect(scene.port, "127.0.0.1");
      socket.on("error", () => undefined);
      await once(socket, "connect");
      socket.pause();
      socket.write(`GET /api/v1/builds/${builds[0]}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return socket;
    }),
  );
  const build = await scene.open(builds[0]);
  const payload = "x".repeat(32 * 1024);
  const growth = [];
  for (let megabytes = 0; megabytes < 64; megabytes += 16) {
    for (let line = 0; line < 512; line++) {
      await build.append({ key: `slow/${megabytes}/${line}`, event: "log", data: { origin: { id: "1" }, payload } });
    }
    await sleep(500);
    const { heapUsed, external } = await settled();
    growth.push(heapUsed + external);
  }
  // The log itself stands in this process's memory too: 16 MiB of text more at each look.
  const held = growth
    .slice(1)
    .map((bytes, index) => (bytes - growth[index] - 16 * 1024 * 1024) / sockets.length / 1024);
  emit({ name: "slow-readers", unit: "KiB", per: "reader and 16 MiB of log", ...spreadOf(held) });
  for (const socket of sockets) socket.destroy();
}

async function startScene() {
  const eventLog = createMemoryEventLog();
  const engine = createFetchImageEngine({
    eventLog,
    registry: promptRegistry(),
    nativeImageFetch: true,
    soleNode: true,
  });
  const opened = new Map();
  for (const id of builds) {
    const build = await engine.openBuild({ id });
    await build.append({ key: "started", event: "status", data: { status: "started" } });
    opened.set(id, build);
  }
  const api = createReadApi({ eventLog });
  const server = createServer((request, response) => void api.handle(request, response));
  server.listen(0, "127.0.0.1", 4096);
  await once(server, "listening");
  const address = server.address();
  let said = 0;
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    open: async (id) => opened.get(id),
    /** One line in each build, which says when. */
    async saySomething() {
      const key = `said/${said++}`;
      await Promise.all(
        [...opened.values()].map((build) => {
          const sent = (performance.timeOrigin + performance.now()).toFixed(4);
          const payload = `sent=${sent} ok  example.com/acme/app/package 0.3s coverage: 81.4% of statements\n`;
          return build.append({ key, event: "log", data: { origin: { id: "1", source: "stdout" }, payload } });
        }),
      );
    },
    async close() {
      api.close();
      server.closeAllConnections();
      server.close();
      await engine.close();
    },
  };
}

async function startClient() {
  const client = fork(fileURLToPath(new URL("support/followers-client.mjs", import.meta.url)));
  await once(client, "message");
  return client;
}

/** What the clients were told of so many events, in order of lateness. */
async function toldBy(clients, events) {
  const latencies = [];
  for (let tries = 0; latencies.length < events; tries++) {
    if (tries > 100) throw new Error(`${latencies.length} of ${events} events came`);
    for (const client of clients) {
      client.send({ kind: "told" });
      const [report] = await once(client, "message");
      latencies.push(...report.latencies);
    }
    if (latencies.length < events) await sleep(100);
  }
  return latencies.toSorted((a, b) => a - b);
}

/** Memory after what is not needed has gone. */
async function settled() {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await sleep(100);
  }
  return process.memoryUsage();
}

function spreadOf(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.floor(sorted.length / 2)];
  return { value, runs: sorted.length, spread: (sorted.at(-1) - sorted[0]) / Math.abs(value) };
}
