// Hand-written SQL that commits in groups, with two durable points a workflow: the start is stored beside the question to
// the registry; version, scope and get are stored together. What comes in while a statement is in flight makes the next
// one; a record that is alone goes as a plain statement.
import { Client } from "pg";
import { createRegistryClient, record, referenceOf, scopeOf } from "../workflow.mjs";
import { stepsOf } from "./sql-steps.mjs";

export { prepare, recorded } from "./sql-steps.mjs";

const largestBatch = 128;

const plainStart = {
  name: "start",
  text: "insert into events (workflow, step, data) values ($1, 1, $2)",
};
const plainEnd = {
  name: "end",
  text: `with event as (insert into events (workflow, step, data) values ($1, 2, $2), ($1, 3, $3))
    insert into scopes (scope, digest) values ($4, $5)
    on conflict (scope) do update set digest = excluded.digest, updated_at = now()`,
};
const batch = {
  name: "batch",
  text: `with event as (
      insert into events (workflow, step, data) select * from unnest($1::text[], $2::int2[], $3::text[]::jsonb[]))
    insert into scopes (scope, digest) select * from unnest($4::text[], $5::text[])
    on conflict (scope) do update set digest = excluded.digest, updated_at = now()`,
};

export async function open({ registry, databaseUrl }) {
  const database = new Client({ connectionString: databaseUrl });
  await database.connect();
  const client = createRegistryClient(registry);
  const store = groupCommit(database);

  async function end(workflow, digest) {
    const scope = scopeOf(workflow);
    const reference = referenceOf(registry, workflow, digest);
    const version = record("version-found", { workflow, scope, digest });
    const get = record("get-recorded", { workflow, reference });
    await store({ workflow, start: undefined, version, get, scope, digest });
    return reference;
  }

  return {
    async run(workflow) {
      const started = store({ workflow, start: record("check-started", { workflow }) });
      const [digest] = await Promise.all([client.digestOf(workflow), started]);
      return await end(workflow, digest);
    },
    /** Goes on with workflows of a process that died. */
    async resume(workflows) {
      const steps = await stepsOf(database, workflows);
      await Promise.all(
        workflows.map(async (workflow) => {
          const step = steps.get(workflow)?.step ?? 0;
          if (step === 0) await this.run(workflow);
          else if (step === 1) await end(workflow, await client.digestOf(workflow));
        }),
      );
    },
    async close() {
      await Promise.all([database.end(), client.close()]);
    },
  };
}

/** Gives a function that stores a start or an end, and resolves once it is durable. */
function groupCommit(database) {
  let waiting = [];
  let isBusy = false;

  async function flush() {
    while (waiting.length > 0) {
      const group = waiting.slice(0, largestBatch);
      waiting = waiting.slice(largestBatch);
      try {
        await database.query(group.length === 1 ? plain(group[0].item) : together(group.map(({ item }) => item)));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    isBusy = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (isBusy) return;
      isBusy = true;
      setImmediate(() => void flush());
    });
}

function plain({ workflow, start, version, get, scope, digest }) {
  if (start !== undefined) return { ...plainStart, values: [workflow, start] };
  return { ...plainEnd, values: [workflow, version, get, scope, digest] };
}

function together(items) {
  const workflows = [];
  const steps = [];
  const data = [];
  // A statement may not update a row twice: the last one counts.
  const scopes = new Map();
  for (const { workflow, start, version, get, scope, digest } of items) {
    const records = start === undefined ? [version, get] : [start];
    records.forEach((text, index) => {
      workflows.push(workflow);
      steps.push(start === undefined ? index + 2 : 1);
      data.push(text);
    });
    if (scope !== undefined) scopes.set(scope, digest);
  }
  const values = [texts(workflows), int2s(steps), texts(data), texts([...scopes.keys()]), texts([...scopes.values()])];
  return { ...batch, values };
}

// Arrays in PostgreSQL's binary form (array_send in its source): as text, each element would be quoted and parsed.
const textOid = 25;
const int2Oid = 21;

function texts(values) {
  return array(
    textOid,
    values.map((value) => Buffer.from(value)),
  );
}

function int2s(values) {
  return array(
    int2Oid,
    values.map((value) => Buffer.from([value >> 8, value & 255])),
  );
}

function array(elementOid, elements) {
  const dimensions = elements.length === 0 ? 0 : 1;
  const size = elements.reduce((sum, element) => sum + 4 + element.length, 12 + 8 * dimensions);
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeInt32BE(dimensions, 0);
  at = bytes.writeInt32BE(0, at);
  at = bytes.writeInt32BE(elementOid, at);
  if (dimensions === 1) {
    at = bytes.writeInt32BE(elements.length, at);
    at = bytes.writeInt32BE(1, at);
  }
  for (const element of elements) {
    at = bytes.writeInt32BE(element.length, at);
    at += element.copy(bytes, at);
  }
  return bytes;
}
