// The table that says which digest a scope stands at, for contestants that keep their steps elsewhere.
import { Client } from "pg";

const upsert = {
  name: "scope",
  text: `insert into scopes (scope, digest) values ($1, $2)
    on conflict (scope) do update set digest = excluded.digest, updated_at = now()`,
};

export async function makeScopes(databaseUrl) {
  await withClient(databaseUrl, (client) =>
    client.query(
      `create table scopes (
        scope text collate "C" primary key, digest text not null, updated_at timestamptz not null default now())`,
    ),
  );
}

/** Says where a scope stands; harmless when it is repeated. */
export async function storeScope(pool, scope, digest) {
  await pool.query({ ...upsert, values: [scope, digest] });
}

/** The first row that a query gives. */
export async function firstRow(databaseUrl, sql) {
  return await withClient(databaseUrl, async (client) => (await client.query(sql)).rows[0]);
}

async function withClient(databaseUrl, use) {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
