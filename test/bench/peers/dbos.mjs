// DBOS Transact: a workflow of three steps, its system database beside the scopes' table.
import { setTimeout as sleep } from "node:timers/promises";
import { DBOS } from "@dbos-inc/dbos-sdk";
import { Pool } from "pg";
import { createRegistryClient, record, referenceOf, scopeOf } from "../support/contest/workflow.mjs";
import { firstRow, makeScopes, storeScope } from "./scopes.mjs";

/** Its tables are made at the first launch. */
export async function prepare({ databaseUrl }) {
  await makeScopes(databaseUrl);
}

export async function open({ registry, databaseUrl }) {
  const pool = new Pool({ connectionString: databaseUrl, max: 16 });
  const client = createRegistryClient(registry);

  async function fetch(workflow) {
    const digest = await DBOS.runStep(
      async () => {
        const found = await client.digestOf(workflow);
        return { digest: found, record: record("check-started", { workflow }) };
      },
      { name: "check" },
    ).then((output) => output.digest);
    await DBOS.runStep(
      async () => {
        const scope = scopeOf(workflow);
        await storeScope(pool, scope, digest);
        return record("version-found", { workflow, scope, digest });
      },
      { name: "version" },
    );
    const reference = referenceOf(registry, workflow, digest);
    await DBOS.runStep(async () => record("get-recorded", { workflow, reference }), { name: "get" });
    return reference;
  }

  // A fixed version: a workflow is only recovered by the version that began it.
  DBOS.setConfig({
    name: "contest",
    applicationVersion: "1",
    systemDatabaseUrl: databaseUrl,
    systemDatabasePoolSize: 16,
    logLevel: "error",
  });
  const registered = DBOS.registerWorkflow(fetch, { name: "fetch" });
  await DBOS.launch();

  return {
    async run(workflow) {
      const handle = await DBOS.startWorkflow(registered, { workflowID: workflow })(workflow);
      return await handle.getResult();
    },
    /** It goes on by itself at its launch. */
    async resume(workflows) {
      const sql =
        "select count(*)::int as done from dbos.workflow_status where status = 'SUCCESS' and workflow_uuid = any ($1)";
      for (;;) {
        const { rows } = await pool.query(sql, [workflows]);
        if (rows[0].done >= workflows.length) return;
        await sleep(20);
      }
    },
    async close() {
      await DBOS.shutdown();
      await Promise.all([pool.end(), client.close()]);
    },
  };
}

export async function recorded({ databaseUrl }) {
  const counts = await firstRow(
    databaseUrl,
    `select count(*)::int as begun, count(*) filter (where status = 'SUCCESS')::int as ended,
      (select count(*) from scopes)::int as scopes, (select count(*) from dbos.operation_outputs)::int as facts
    from dbos.workflow_status`,
  );
  return { ...counts, factsEach: 3 };
}
