// Fetches a second, warm and cold, one to 256 at a time, on both stores, beside a bare HEAD and a bare commit; what they
// cost this process's CPU, and how many transactions. Every fetch is a build of its own: one stream, as a scheduler has
// them. Rounds are interleaved. Beside hand-written SQL they stand in `workflows`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry } from "@fetch-image/registry";
import { openEmbedded } from "@fetch-image/store/pglite";
import { createPostgresEventLog } from "@fetch-image/store/postgres";
import { Pool as PgPool } from "pg";
import { Pool } from "undici";
import { startPostgres } from "../support/postgres.ts";
import { closedLoop, startStubRegistry, summary } from "./support/load.mjs";

export const name = "fetches";

const rounds = 3;
const seconds = 3;
const concurrencies = [1, 16, 64, 256];

export async function run(emit) {
  const stub = await startStubRegistry();
  const postgres = await startPostgres();
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-bench-"));
  const embedded = await openEmbedded({ directory, access: "write" });
  const url = await postgres.createDatabase();
  const eventLog = createPostgresEventLog({ connectionString: url });
  const pool = new PgPool({ connectionString: url, max: 16 });
  await pool.query("create table bare (id bigint generated always as identity primary key, body text not null)");
  const client = new Pool(`http://${stub.host}`, { connections: 64 });
  const registry = createImageRegistry();
  const engines = {
    pglite: createFetchImageEngine({ eventLog: embedded.eventLog, registry, nativeImageFetch: true, soleNode: true }),
    // Several nodes share a server: the claim is acknowledged before the HEAD.
    postgres: createFetchImageEngine({ eventLog, registry, nativeImageFetch: true }),
  };
  let unique = 0;
  const fetch = async (engine, tag) => {
    const source = { repository: `${stub.host}/acme/app`, tag };
    const build = await engine.openBuild({ id: `${process.pid}-${unique++}` });
    await build.fetchImage({
      getPlan: { id: "1/image-get", get: { name: "image", type: "registry-image", source } },
      checkPlan: { id: "1/image-check", check: { name: "image", type: "registry-image", source, interval: "1h" } },
      privileged: false,
    });
    await build.close();
  };
  const workloads = {
    "bare-head": () =>
      client
        .request({ method: "HEAD", path: "/v2/acme/app/manifests/1", reset: false })
        .then(({ body }) => body.dump()),
    "bare-commit": () => pool.query("insert into bare (body) values ($1)", ["x".repeat(500)]),
  };
  for (const [store, engine] of Object.entries(engines)) {
    workloads[`${store}-warm`] = () => fetch(engine, "warm");
    workloads[`${store}-cold`] = () => fetch(engine, `cold-${unique}`);
  }
  const results = new Map();
  const commits = async () => {
    const { rows } = await pool.query("select xact_commit from pg_stat_database where datname = current_database()");
    return Number(rows[0].xact_commit);
  };
  const perFetch = [];
  try {
    for (const work of Object.values(workloads)) await closedLoop(64, 3, work);
    for (let round = 0; round < rounds; round++) {
      for (const inFlight of concurrencies) {
        for (const [workload, work] of Object.entries(workloads)) {
          const before = await commits();
          const cpu = process.cpuUsage();
          const ran = await closedLoop(inFlight, seconds, work);
          const { user, system } = process.cpuUsage(cpu);
          const result = { ...ran, cpuSeconds: (user + system) / 1e6 };
          // The statistics arrive up to a second late.
          if (workload === "postgres-cold" && inFlight === 64) {
            await new Promise((resolve) => setTimeout(resolve, 1500));
            perFetch.push(((await commits()) - before) / result.count);
          }
          const key = `${workload}-${inFlight}`;
          results.set(key, [...(results.get(key) ?? []), result]);
        }
      }
    }
    for (const inFlight of concurrencies) {
      for (const workload of Object.keys(workloads)) {
        const key = `${workload}-${inFlight}`;
        const of = (pick) => summary((results.get(key) ?? []).map(pick));
        const ratioTo = workload.startsWith("bare") ? undefined : `bare-commit-${inFlight}`;
        emit({
          name: key,
          unit: "1",
          per: "s",
          ...(ratioTo === undefined ? {} : { ratioTo }),
          ...of((r) => r.perSecond),
        });
        emit({ name: `${key}-p50`, unit: "ms", ...of((r) => r.p50) });
        emit({ name: `${key}-p99`, unit: "ms", ...of((r) => r.p99) });
        emit({ name: `${key}-cpu`, unit: "s", per: "1000", ...of((r) => (r.cpuSeconds / r.count) * 1000) });
      }
    }
    emit({ name: "postgres-cold-64-commits-per-fetch", unit: "commits", ...summary(perFetch) });
    for (const store of Object.keys(engines)) {
      for (const kind of ["warm", "cold"]) {
        const one = results.get(`${store}-${kind}-1`) ?? [];
        const many = results.get(`${store}-${kind}-64`) ?? [];
        const factors = many.map((result, round) => result.perSecond / one[round].perSecond);
        emit({ name: `${store}-${kind}-64-over-1`, unit: "x", ...summary(factors) });
      }
    }
  } finally {
    await Promise.all(Object.values(engines).map((engine) => engine.close()));
    await Promise.all([registry.close(), client.close(), pool.end(), eventLog.close(), embedded.close()]);
    await postgres.stop();
    stub.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
