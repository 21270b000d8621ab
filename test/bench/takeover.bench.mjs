// How long a process takes to go on with ten thousand fetches in flight that another has left: every build is read, taken
// over, asked for anew and ended. Beside it, as many fetches that nobody has begun. On PostgreSQL, by a registry in this
// process that answers at once.
import { createFetchImageEngine } from "@fetch-image/engine";
import { createPostgresEventLog } from "@fetch-image/store/postgres";
import { startPostgres } from "../support/postgres.ts";
import { promptRegistry } from "./support/prompt-registry.mjs";

export const name = "takeover";

const many = 10_000;
const rounds = 3;
/** Builds that are opened at the same time. */
const openings = 256;

export async function run(emit) {
  const postgres = await startPostgres();
  const takeovers = [];
  const anew = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const eventLog = createPostgresEventLog({ connectionString: await postgres.createDatabase() });
      const ids = Array.from({ length: many }, (_, index) => `${round}-${index}`);
      await leaveInFlight(eventLog, ids);
      takeovers.push(await secondsFor(eventLog, ids));
      anew.push(
        await secondsFor(
          eventLog,
          ids.map((id) => `anew-${id}`),
        ),
      );
      await eventLog.close();
    }
  } finally {
    await postgres.stop();
  }
  emit({ name: "ten-thousand-anew", unit: "s", samples: anew });
  emit({ name: "ten-thousand-taken-over", unit: "s", ratioTo: "ten-thousand-anew", samples: takeovers });
}

/** Begins a fetch in each build, and leaves them all while the registry is silent. */
async function leaveInFlight(eventLog, ids) {
  let asked = 0;
  const registry = silentRegistry(() => asked++);
  const engine = createFetchImageEngine({ eventLog, registry, nativeImageFetch: true });
  await eachOf(ids, async (id) => {
    const build = await engine.openBuild({ id });
    build.fetchImage(requestFor(id)).catch(() => {});
  });
  // A registry is asked only once the claim is stored, and with it the request.
  while (asked < ids.length) await new Promise((resolve) => setTimeout(resolve, 20));
  await engine.close();
}

/** By an engine of its own, until the last of the fetches has ended. */
async function secondsFor(eventLog, ids) {
  const engine = createFetchImageEngine({ eventLog, registry: promptRegistry(), nativeImageFetch: true });
  const begun = performance.now();
  await eachOf(ids, async (id) => {
    const build = await engine.openBuild({ id });
    const { imageURL } = await build.fetchImage(requestFor(id));
    if (imageURL === undefined) throw new Error(`build ${id} has no image`);
    await build.close();
  });
  const seconds = (performance.now() - begun) / 1000;
  await engine.close();
  return seconds;
}

function requestFor(id) {
  const source = { repository: "registry.example.com/acme/app", tag: `t${id}` };
  return {
    getPlan: { id: "1/image-get", get: { name: "image", type: "registry-image", source } },
    checkPlan: { id: "1/image-check", check: { name: "image", type: "registry-image", source, interval: "1h" } },
    privileged: false,
  };
}

async function eachOf(ids, work) {
  const left = ids.values();
  const worker = async () => {
    for (const id of left) await work(id);
  };
  await Promise.all(Array.from({ length: openings }, worker));
}

/** @returns {import("@fetch-image/core").ImageRegistry} */
function silentRegistry(onQuestion) {
  const silence = () => {
    onQuestion();
    return new Promise(() => {});
  };
  return { resolve: silence, check: silence };
}
