// A cold fetch by our engine: a new build of its own, from `openBuild` to the durable last fact and `close`, of a scope
// that nobody has seen.
import { createFetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry } from "@fetch-image/registry";
import { Client } from "pg";

/** Of a fetch's facts, those that stand once, whatever happens: a crash and a registry that is slow add others. */
const once = [
  "BuildOpened",
  "FetchRequested",
  "VersionObserved",
  "ImageChecked",
  "ImageVersionResolved",
  "ImageShortCircuited",
];

/** Brings the schema up to date, so that its first user does not pay for it. */
export async function prepare(place) {
  await (await openStore(place)).close();
}

export async function open(place) {
  const { engine, close } = await openEngine(place);
  const run = async (workflow, isNew = true) => {
    const build = await engine.openBuild({ id: workflow, isNew });
    const { imageURL } = await build.fetchImage(requestOf(place, workflow));
    await build.close();
    return imageURL;
  };
  return {
    run,
    /** The scheduler's own calls, once more: a build that is opened goes on with what was in flight. */
    async resume(workflows) {
      await Promise.all(workflows.map((workflow) => run(workflow, false)));
    },
    close,
  };
}

/** The engine on its store, and what closes both. */
export async function openEngine(place) {
  const store = await openStore(place);
  const registry = createImageRegistry();
  const { eventLog } = store;
  const engine = createFetchImageEngine({ eventLog, registry, nativeImageFetch: true, soleNode: place.soleNode });
  const close = async () => {
    await engine.close();
    await registry.close();
    await store.close();
  };
  return { engine, close };
}

/** What a workflow asks of its build, as one step of it. */
export function requestOf({ registry }, workflow, step = "1") {
  const source = { repository: `${registry}/acme/app`, tag: workflow };
  return {
    getPlan: { id: `${step}/image-get`, get: { name: "image", type: "registry-image", source } },
    checkPlan: { id: `${step}/image-check`, check: { name: "image", type: "registry-image", source, interval: "1h" } },
    privileged: false,
  };
}

/** What the store says: how many fetches began, how many ended, and all facts that stand once for each. */
export async function recorded(place) {
  const counts = place.databaseUrl === undefined ? await countedFacts(place) : await countedRows(place);
  const of = (type) => counts.get(type) ?? 0;
  const facts = once.reduce((sum, type) => sum + of(type), 0);
  return {
    begun: of("FetchRequested"),
    ended: of("ImageShortCircuited"),
    scopes: of("VersionObserved"),
    facts,
    factsEach: once.length,
    all: Object.fromEntries(counts),
  };
}

// Each store's driver is loaded where it is used: no contestant carries another's.
async function openStore({ databaseUrl, directory, eventStoreUrl }, access = "write") {
  if (eventStoreUrl !== undefined) {
    const { openEventStoreDb } = await import("@fetch-image/store/eventstoredb");
    // A thousand reads at once, on a machine that is busy, take longer than a build should wait.
    return await openEventStoreDb({ connectionString: eventStoreUrl, timeoutMs: 60_000 });
  }
  if (directory !== undefined) {
    const { openEmbedded } = await import("@fetch-image/store/pglite");
    return await openEmbedded({ directory, access: /** @type {"write"} */ (access) });
  }
  const { openPostgresStore } = await import("@fetch-image/store/postgres");
  return await openPostgresStore({ connectionString: databaseUrl, pipeline: true });
}

async function countedRows({ databaseUrl }) {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query("select type, count(*)::int as count from fetch_image.events group by type");
  await client.end();
  return new Map(rows.map(({ type, count }) => [type, count]));
}

async function countedFacts(place) {
  // While the contestant holds an embedded store, it answers.
  const store = await openStore(place, "read");
  const counts = new Map();
  for (let after, end = false; !end;) {
    const page = await store.eventLog.readAll({ limit: 1000, ...(after === undefined ? {} : { after }) });
    for (const { type } of page.facts) counts.set(type, (counts.get(type) ?? 0) + 1);
    ({ next: after, end } = page);
  }
  await store.close();
  return counts;
}
