// Emmett on PostgreSQL: a command for each step, and an inline projection that says where the scope stands.
import { CommandHandler, projections } from "@event-driven-io/emmett";
import { getPostgreSQLEventStore, postgreSQLRawSQLProjection } from "@event-driven-io/emmett-postgresql";
import { SQL } from "@event-driven-io/dumbo";
import { Pool } from "pg";
import { createRegistryClient, record, referenceOf, scopeOf } from "../support/contest/workflow.mjs";
import { firstRow, makeScopes } from "./scopes.mjs";

// A handler holds a connection while it asks for another: with as many handlers as connections, all wait for ever.
const mostHandlers = 32;
const connections = 2 * mostHandlers + 2;

const scopesProjection = postgreSQLRawSQLProjection({
  name: "scopes",
  canHandle: ["VersionFound"],
  evolve: ({ data: { scope, digest } }) =>
    SQL`insert into scopes (scope, digest) values (${scope}, ${digest})
      on conflict (scope) do update set digest = excluded.digest, updated_at = now()`,
});

export async function prepare({ databaseUrl }) {
  await makeScopes(databaseUrl);
  const store = getPostgreSQLEventStore(databaseUrl, { projections: projections.inline([scopesProjection]) });
  await store.schema.migrate();
  await store.close();
}

export async function open({ registry, databaseUrl }) {
  const pool = new Pool({ connectionString: databaseUrl, max: connections });
  const store = getPostgreSQLEventStore(databaseUrl, {
    projections: projections.inline([scopesProjection]),
    connectionOptions: { connector: "PostgreSQL:pg", pool },
    schema: { autoMigration: "None" },
  });
  const client = createRegistryClient(registry);
  const handler = CommandHandler({
    initialState: () => ({ step: 0, digest: undefined }),
    evolve: (state, { type, data }) => ({ step: stepOf[type], digest: data.digest ?? state.digest }),
  });
  const inTurn = gate(mostHandlers);
  const append = (workflow, type, data) => inTurn(() => handler(store, workflow, () => ({ type, data })));

  async function check(workflow) {
    return await version(workflow, await client.digestOf(workflow));
  }
  async function version(workflow, digest) {
    const scope = scopeOf(workflow);
    const data = { scope, digest, record: record("version-found", { workflow, scope, digest }) };
    await append(workflow, "VersionFound", data);
    return await get(workflow, digest);
  }
  async function get(workflow, digest) {
    const reference = referenceOf(registry, workflow, digest);
    await append(workflow, "GetRecorded", { record: record("get-recorded", { workflow, reference }) });
    return reference;
  }

  return {
    async run(workflow) {
      await append(workflow, "CheckStarted", { record: record("check-started", { workflow }) });
      return await check(workflow);
    },
    /** It has nothing that goes on with a command: each stream says where its workflow stands. */
    async resume(workflows) {
      const initialState = () => ({ step: 0, digest: undefined });
      const evolve = (state, { type, data }) => ({ step: stepOf[type], digest: data.digest ?? state.digest });
      await Promise.all(
        workflows.map(async (workflow) => {
          const { state } = await inTurn(() => store.aggregateStream(workflow, { evolve, initialState }));
          if (state.step === 0) await this.run(workflow);
          else if (state.step === 1) await check(workflow);
          else if (state.step === 2) await get(workflow, state.digest);
        }),
      );
    },
    async close() {
      await store.close();
      await Promise.all([pool.end(), client.close()]);
    },
  };
}

const stepOf = { CheckStarted: 1, VersionFound: 2, GetRecorded: 3 };

export async function recorded({ databaseUrl }) {
  const counts = await firstRow(
    databaseUrl,
    `select count(*) filter (where message_type = 'CheckStarted')::int as begun,
      count(*) filter (where message_type = 'GetRecorded')::int as ended,
      (select count(*) from scopes)::int as scopes, count(*)::int as facts
    from emt_messages`,
  );
  return { ...counts, factsEach: 3 };
}

/** Lets so many run at a time. */
function gate(most) {
  let running = 0;
  const waiting = [];
  return async (work) => {
    if (running >= most) await new Promise((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
