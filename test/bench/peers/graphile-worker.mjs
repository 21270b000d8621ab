// graphile-worker: a job for each step, chained, with the steps' records in tables like those of hand-written SQL.
import { setTimeout as sleep } from "node:timers/promises";
import { Logger, makeWorkerUtils, run as runWorker } from "graphile-worker";
import { Pool } from "pg";
import { createRegistryClient, record, referenceOf, scopeOf } from "../support/contest/workflow.mjs";
import { prepare as makeTables } from "../support/contest/contestants/sql-steps.mjs";
import { firstRow } from "./scopes.mjs";

export { recorded } from "../support/contest/contestants/sql-steps.mjs";

const concurrency = 16;
const logger = new Logger(() => () => undefined);

// A job may run twice: its record is stored once.
const insert = {
  name: "event",
  text: "insert into events (workflow, step, data) values ($1, $2, $3) on conflict (workflow, step) do nothing",
};
const insertVersion = {
  name: "version",
  text: `with event as (
      insert into events (workflow, step, data) values ($1, 2, $2) on conflict (workflow, step) do nothing)
    insert into scopes (scope, digest) values ($3, $4)
    on conflict (scope) do update set digest = excluded.digest, updated_at = now()`,
};

export async function prepare(place) {
  await makeTables(place);
  const utils = await makeWorkerUtils({ connectionString: place.databaseUrl, logger });
  await utils.migrate();
  await utils.release();
}

/** A job that is stored will run. */
export async function begun({ databaseUrl }) {
  return (await firstRow(databaseUrl, "select count(*)::int as jobs from graphile_worker.jobs")).jobs;
}

export async function open({ registry, databaseUrl }) {
  const pool = new Pool({ connectionString: databaseUrl, max: concurrency + 8 });
  const ignore = () => undefined;
  pool.on("error", ignore).on("connect", (connection) => connection.on("error", ignore));
  const client = createRegistryClient(registry);
  const waiting = new Map();

  const taskList = {
    async check({ workflow }, { addJob }) {
      await pool.query({ ...insert, values: [workflow, 1, record("check-started", { workflow })] });
      await addJob("version", { workflow, digest: await client.digestOf(workflow) });
    },
    async version({ workflow, digest }, { addJob }) {
      const scope = scopeOf(workflow);
      const values = [workflow, record("version-found", { workflow, scope, digest }), scope, digest];
      await pool.query({ ...insertVersion, values });
      await addJob("get", { workflow, digest });
    },
    async get({ workflow, digest }) {
      const reference = referenceOf(registry, workflow, digest);
      await pool.query({ ...insert, values: [workflow, 3, record("get-recorded", { workflow, reference })] });
      waiting.get(workflow)?.(reference);
    },
  };
  await unlockJobs(pool);
  const runner = await runWorker({
    pgPool: pool,
    concurrency,
    noHandleSignals: true,
    taskList,
    logger,
    preset: { worker: { concurrentJobs: concurrency, localQueue: { size: 4 * concurrency } } },
  });
  return {
    run(workflow) {
      return new Promise((resolve, reject) => {
        waiting.set(workflow, (reference) => {
          waiting.delete(workflow);
          resolve(reference);
        });
        runner.addJob("check", { workflow }).catch(reject);
      });
    },
    /** What was unlocked goes on by itself. */
    async resume(workflows) {
      const sql = "select count(*)::int as done from events where step = 3 and workflow = any ($1)";
      for (;;) {
        const { rows } = await pool.query(sql, [workflows]);
        if (rows[0].done >= workflows.length) return;
        await sleep(20);
      }
    },
    async close() {
      await runner.stop();
      await Promise.all([pool.end(), client.close()]);
    },
  };
}

// A dead process's jobs stay locked for four hours; here, whoever had one is dead.
async function unlockJobs(pool) {
  await pool.query(`select graphile_worker.force_unlock_workers(array_agg(distinct locked_by))
    from graphile_worker.jobs where locked_by is not null`);
}
