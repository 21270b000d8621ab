// Hand-written SQL: a statement, and so a transaction, for each step; the second one stores the version and the scope's
// digest at once. Statements are prepared, sixteen connections.
import { Client, Pool } from "pg";
import { createRegistryClient, record, referenceOf, scopeOf } from "../workflow.mjs";

const insert = {
  name: "event",
  text: "insert into events (workflow, step, data) values ($1, $2, $3)",
};
const insertVersion = {
  name: "version",
  text: `with event as (insert into events (workflow, step, data) values ($1, 2, $2))
    insert into scopes (scope, digest) values ($3, $4)
    on conflict (scope) do update set digest = excluded.digest, updated_at = now()`,
};

/** Makes the tables that hand-written contestants have. */
export async function prepare({ databaseUrl }) {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`
    create table events (
      workflow text collate "C" not null, step smallint not null, data jsonb not null, at timestamptz not null default now(),
      primary key (workflow, step));
    create table scopes (
      scope text collate "C" primary key, digest text not null, updated_at timestamptz not null default now())`);
  await client.end();
}

export async function open({ registry, databaseUrl }) {
  const pool = new Pool({ connectionString: databaseUrl, max: 16 });
  const client = createRegistryClient(registry);

  async function check(workflow) {
    return await recordVersion(workflow, await client.digestOf(workflow));
  }
  async function recordVersion(workflow, digest) {
    const scope = scopeOf(workflow);
    const version = record("version-found", { workflow, scope, digest });
    await pool.query({ ...insertVersion, values: [workflow, version, scope, digest] });
    return await get(workflow, digest);
  }
  async function get(workflow, digest) {
    const reference = referenceOf(registry, workflow, digest);
    await pool.query({ ...insert, values: [workflow, 3, record("get-recorded", { workflow, reference })] });
    return reference;
  }

  return {
    async run(workflow) {
      await pool.query({ ...insert, values: [workflow, 1, record("check-started", { workflow })] });
      return await check(workflow);
    },
    /** Goes on with workflows of a process that died. */
    async resume(workflows) {
      const steps = await stepsOf(pool, workflows);
      await Promise.all(
        workflows.map((workflow) => {
          const { step, digest } = steps.get(workflow) ?? { step: 0 };
          if (step === 0) return this.run(workflow);
          if (step === 1) return check(workflow);
          return step === 2 ? get(workflow, digest) : undefined;
        }),
      );
    },
    async close() {
      await Promise.all([pool.end(), client.close()]);
    },
  };
}

/** The last step of each workflow that has one, with the digest where it was found. */
export async function stepsOf(pool, workflows) {
  const { rows } = await pool.query(
    `select workflow, max(step) as step, max(data ->> 'digest') as digest
     from events where workflow = any ($1) group by workflow`,
    [workflows],
  );
  return new Map(rows.map(({ workflow, step, digest }) => [workflow, { step, digest }]));
}

/** What the tables say: how many workflows began, how many are whole, and how many rows there are too many. */
export async function recorded({ databaseUrl }) {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query(`
    select count(*) filter (where step = 1)::int as begun, count(*) filter (where step = 3)::int as ended,
      count(*)::int as facts, (select count(*) from scopes)::int as scopes
    from events`);
  await client.end();
  const { begun, ended, facts, scopes } = rows[0];
  return { begun, ended, scopes, facts, factsEach: 3 };
}
