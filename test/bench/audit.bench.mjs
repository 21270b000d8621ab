// The audit over many fetches, on a PostgreSQL server with fsync on: what is asked of it, a day of it dropped, and the read
// model made from facts. FETCH_IMAGE_BENCH_FETCHES (500,000) fetches are written straight into the read model, over thirty
// days, a fifth of them on the first; FETCH_IMAGE_BENCH_FACTS (100,000) facts are projected from zero.
import { createFetchImageEngine, createAudit, createProjector, systemClock } from "@fetch-image/engine";
import { silentLogger } from "@fetch-image/core";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { createPostgresReadModel, expireAudit, openPostgresStore } from "@fetch-image/store/postgres";
import { startPostgres } from "../support/postgres.ts";
import { promptRegistry } from "./support/prompt-registry.mjs";

export const name = "audit";

const fetches = Number(process.env["FETCH_IMAGE_BENCH_FETCHES"] ?? 500_000);
const facts = Number(process.env["FETCH_IMAGE_BENCH_FACTS"] ?? 100_000);
const perBuild = 3;
const days = 30;
const firstDay = "2026-09-01";
const questions = 200;
/** Writing millions of rows at once takes longer than any question may. */
const loadingMs = 3_600_000;

export async function run(emit) {
  const server = await startPostgres({ settings: ["shared_buffers=512MB", "max_wal_size=8GB"] });
  try {
    const store = await openPostgresStore({ connectionString: server.url, poolSize: 4, timeoutMs: loadingMs });
    await projection(emit, store);
    await answers(emit, store.sql);
    await store.close();
  } finally {
    await server.stop();
  }
}

/** Builds of the engine's own facts, projected; and pages of one build's. */
async function projection(emit, { sql, eventLog, readModel }) {
  const template = await factsOfABuild();
  const builds = Math.ceil(facts / template.length);
  await sql.script("create table template (no int, type text, data text, metadata text)");
  for (const [no, { type, data, metadata }] of template.entries()) {
    const texts = [JSON.stringify(data), JSON.stringify(metadata)];
    await sql.query("insert into template values ($1, $2, $3, $4)", [no, type, ...texts]);
  }
  const day = new Date().toISOString().slice(0, 10);
  await sql.query(
    `insert into fetch_image.events (stream, revision, event_id, type, data, metadata)
     select 'build-' || n, t.no, gen_random_uuid(), t.type, t.data::json,
       replace(t.metadata, $2, to_char(date '${firstDay}' + (n * ${days} / $1::int)::int, 'YYYY-MM-DD'))::json
     from generate_series(1, $1::int) n, template t order by n, t.no`,
    [builds, day],
  );
  // One long build, to be read page by page.
  const long = Math.min(facts, 100_000);
  await sql.query(
    `insert into fetch_image.events (stream, revision, event_id, type, data, metadata)
     select 'build-long', n, gen_random_uuid(), t.type, t.data::json, t.metadata::json
     from generate_series(0, $1::int - 1) n join template t on t.no = 1 + n % ($2::int - 1) order by n`,
    [long, template.length],
  );
  await sql.script("vacuum analyze fetch_image.events");
  const projector = createProjector({ eventLog, readModel, clock: systemClock, logger: silentLogger });
  const begin = performance.now();
  const { facts: projected } = await projector.rebuild();
  const seconds = (performance.now() - begin) / 1000;
  if (projected < facts) throw new Error(`${projected} of ${facts} facts were projected`);
  emit({ name: "project", unit: "facts", per: "s", value: projected / seconds, runs: 1, spread: 0 });
  emit({ name: "project-a-million", unit: "s", value: (seconds / projected) * 1e6, runs: 1, spread: 0 });

  const pages = await timed(questions, (n) => {
    const from = BigInt(Math.floor(((long - 500) * n) / questions));
    return eventLog.read("build-long", { from, limit: 500 });
  });
  emitLatencies(emit, "page-of-events", pages);
}

/** Questions, over rows made of those of one build. */
async function answers(emit, sql) {
  const on = { sql, schema: "audit" };
  const readModel = createPostgresReadModel(on);
  await readModel.checkpoint();
  const builds = Math.ceil(fetches / perBuild);
  await sql.script(`
    select audit.ensure_days(array_agg(date '${firstDay}' + n)) from generate_series(0, ${days - 1}) n;
    create function day_of(n int) returns date language sql immutable as
      $$ select date '${firstDay}' + greatest(0, n * ${days} / ${builds} - ${days / 5 - 1}) $$;
    insert into audit.builds (build_id, day, team, pipeline, job, steps, opened_at, expired_at)
    select n::text, day_of(n), 'main', 'ci', 'job-' || n % 500, b.steps,
      day_of(n)::timestamp at time zone 'UTC' + n % 86400 * interval '1 s', now()
    from generate_series(0, ${builds - 1}) n, fetch_image.builds b where b.build_id = '1';
    insert into audit.build_days select build_id, day from audit.builds;
    create table numbered as
      select *, row_number() over (order by fetch_id) - 1 as no from fetch_image.build_images where build_id = '1';
    insert into audit.build_images
    select n::text, i.fetch_id, day_of(n), i.plan_id, i.name, i.type, 's' || n % 500, i.repository, i.tag, i.state,
      i.reference, i.image_url, 'sha256:' || lpad(to_hex(case when i.no = 0 then n % 40 else n % 20000 end), 64, '0'), i.version,
      i.via, i.artifact, i.observed_at, i.evidence, i.failure,
      day_of(n)::timestamp at time zone 'UTC' + n % 86400 * interval '1 s',
      day_of(n)::timestamp at time zone 'UTC' + n % 86400 * interval '1 s'
    from generate_series(0, ${builds - 1}) n, numbered i where i.no < ${perBuild};
    insert into audit.checkpoints values ('read-model', '1')`);
  await sql.script("vacuum analyze");
  const audit = createAudit({ readModel });
  const digestOf = (n) => `sha256:${n.toString(16).padStart(64, "0")}`;
  // One in twenty thousand builds, all of them; and one in forty, a page.
  emitLatencies(emit, "builds-rare", await timed(questions, (n) => audit.builds({ digest: digestOf(40 + n * 97) })));
  emitLatencies(
    emit,
    "builds-common",
    await timed(questions, (n) => audit.builds({ digest: digestOf(n % 40), limit: 500 })),
  );
  emitLatencies(emit, "why", await timed(questions, (n) => audit.why(String(Math.floor((builds / questions) * n)))));
  const begin = performance.now();
  const { dropped } = await expireAudit({ ...on, before: Date.parse(firstDay) + 86_400_000 });
  const ms = performance.now() - begin;
  if (dropped.length !== 1) throw new Error("no day was dropped");
  emit({ name: "drop-a-day", unit: "ms", value: ms, runs: 1, spread: 0 });
}

async function timed(count, work) {
  const samples = [];
  for (let n = 0; n < count; n++) {
    const begin = performance.now();
    const answer = await work(n);
    samples.push(performance.now() - begin);
    if ((answer.rows ?? answer).length === 0) throw new Error("an answer is empty");
  }
  return samples.toSorted((a, b) => a - b);
}

function emitLatencies(emit, what, samples) {
  for (const share of [0.5, 0.99]) {
    const value = samples[Math.ceil(samples.length * share) - 1];
    emit({ name: `${what}-p${share * 100}`, unit: "ms", value, runs: samples.length, spread: 0 });
  }
}

/** Three images of a build, as the engine fetches them. */
async function factsOfABuild() {
  const eventLog = createMemoryEventLog();
  const engine = createFetchImageEngine({
    eventLog,
    registry: promptRegistry(),
    nativeImageFetch: true,
    soleNode: true,
  });
  const build = await engine.openBuild({ id: "1", team: "main", pipeline: "ci", job: "unit" });
  for (let step = 1; step <= perBuild; step++) {
    const source = { repository: `registry.example.com/acme/app${step}`, tag: "1" };
    await build.fetchImage({
      getPlan: { id: `${step}/image-get`, get: { name: "app", type: "registry-image", source } },
      checkPlan: { id: `${step}/image-check`, check: { name: "app", type: "registry-image", source } },
      privileged: false,
    });
  }
  await engine.close();
  return await eventLog.read("build-1");
}
