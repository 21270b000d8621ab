// Rendering a build's stored facts to Concourse's event stream, beside JSON.parse alone of the same rows; how soon the first
// byte of a long log is at a client, its facts on an embedded PostgreSQL; and what it takes to resume it near its end.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { advanceStream, buildStream, decodeBuildFact, noLog } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createReadApi } from "@fetch-image/inspector";
import { openEmbedded } from "@fetch-image/store/pglite";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { summary } from "./support/load.mjs";
import { promptRegistry } from "./support/prompt-registry.mjs";

export const name = "logs";

const events = 100_000;
const rounds = 5;

export async function run(emit) {
  const facts = await factsOf();
  rendering(emit, facts);
  await firstByte(emit, facts);
}

function rendering(emit, facts) {
  const rows = facts.map((fact) => JSON.stringify({ ...fact, revision: String(fact.revision) }));
  const parse = () => rows.map((row) => JSON.parse(row)).length;
  const render = () => {
    let log = noLog;
    let bytes = 0;
    for (const row of rows) {
      const stored = JSON.parse(row);
      const next = advanceStream(log, decodeBuildFact({ ...stored, revision: BigInt(stored.revision) }).fact);
      bytes += Buffer.byteLength(next.text);
      log = next.log;
    }
    return { events: log.nextId, bytes };
  };
  /** @type {{ parse: number[], events: number[], megabytes: number[] }} */
  const samples = { parse: [], events: [], megabytes: [] };
  for (let round = -1; round < rounds; round++) {
    let begin = performance.now();
    const parsed = parse();
    const parsing = (performance.now() - begin) / 1000;
    begin = performance.now();
    const rendered = render();
    const seconds = (performance.now() - begin) / 1000;
    if (round < 0) continue;
    samples.parse.push(parsed / parsing);
    samples.events.push(rendered.events / seconds);
    samples.megabytes.push(rendered.bytes / 1e6 / seconds);
  }
  emit({ name: "parse", unit: "facts", per: "s", ...summary(samples.parse) });
  emit({ name: "render", unit: "events", per: "s", ratioTo: "parse", ...summary(samples.events) });
  emit({ name: "render-bytes", unit: "MB", per: "s", ...summary(samples.megabytes) });
}

async function firstByte(emit, facts) {
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-bench-logs-"));
  const store = await openEmbedded({ directory, access: "write" });
  const api = createReadApi({ eventLog: store.eventLog });
  const server = createServer((request, response) => void api.handle(request, response));
  try {
    const given = facts.map(({ id, type, data, metadata }) => ({ id, type, data, metadata }));
    for (let at = 0; at < given.length; at += 5000) {
      const expected = at === 0 ? "no-stream" : BigInt(at - 1);
      await store.eventLog.append(buildStream("1"), expected, given.slice(at, at + 5000));
    }
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const url = `http://127.0.0.1:${port}/api/v1/builds/1/events`;
    const reader = fork(fileURLToPath(new URL("support/stream-reader.mjs", import.meta.url)));
    await once(reader, "message");
    /** @type {{ first: number[], whole: number[], resumed: number[] }} */
    const samples = { first: [], whole: [], resumed: [] };
    for (let round = -2; round < 9; round++) {
      const { firstMs, wholeMs } = await read(reader, { url });
      const resumed = await read(reader, { url, lastId: events - 500 });
      if (round < 0) continue;
      samples.first.push(firstMs);
      samples.whole.push(wholeMs);
      samples.resumed.push(resumed.wholeMs);
    }
    reader.disconnect();
    emit({ name: "first-byte-100000", unit: "ms", ...summary(samples.first) });
    emit({ name: "whole-log-100000", unit: "ms", ...summary(samples.whole) });
    emit({ name: "resume-at-99500", unit: "ms", ratioTo: "whole-log-100000", ...summary(samples.resumed) });
  } finally {
    api.close();
    server.close();
    await store.close();
    rmSync(directory, { recursive: true });
  }
}

/** @returns {Promise<{ firstMs: number, wholeMs: number }>} */
async function read(reader, question) {
  reader.send(question);
  const [answer] = await once(reader, "message");
  return answer;
}

/** A build of so many events: its steps' output, and an image for every thousand lines. */
async function factsOf() {
  const eventLog = createMemoryEventLog();
  const registry = promptRegistry();
  const engine = createFetchImageEngine({ eventLog, registry, nativeImageFetch: true, soleNode: true });
  const build = await engine.openBuild({ id: "1" });
  await build.append({ key: "started", event: "status", data: { status: "started" } });
  const source = { repository: "registry.example.com/acme/app", tag: "1" };
  for (let step = 0; step * 1000 < events; step++) {
    const imageResource = { name: "image", type: "registry-image", source };
    await build.fetchTaskImage({ stepId: String(step), imageResource, resourceTypes: [], privileged: false });
    const lines = Array.from({ length: 991 }, (_, line) =>
      build.append({
        key: `${step}/${line}`,
        event: "log",
        data: {
          origin: { id: String(step), source: "stdout" },
          payload: `ok  \texample.com/acme/app/package-${line}\t0.${line}s <cached> coverage: 81.4% of statements\n`,
        },
      }),
    );
    await Promise.all(lines);
  }
  await build.append({ key: "ended", event: "status", data: { status: "succeeded" } });
  await engine.close();
  return await eventLog.read(buildStream("1"));
}
