// What a fetch in flight costs in memory: 10,000 of them, each in a build and a scope of its own, waiting for a registry
// that does not answer yet. The log keeps nothing, so what is counted is the engine's.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createFetchImageEngine } from "@fetch-image/engine";

export const name = "memory";

const inFlight = 10_000;

export async function run(emit) {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc");
  const heap = async () => {
    for (let round = 0; round < 3; round++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().heapUsed;
  };
  const samples = [];
  const left = [];
  const refusals = [];
  // The first round warms up what is made once.
  for (let round = 0; round < 4; round++) {
    const measured = await oneRound(heap);
    if (round === 0) continue;
    samples.push(measured.perFetch);
    left.push(measured.left);
    refusals.push(measured.perWaiting);
  }
  emit({ name: "memory-in-flight", unit: "bytes", per: "fetch", samples });
  emit({ name: "memory-waiting", unit: "bytes", per: "fetch", samples: refusals });
  emit({ name: "memory-left-behind", unit: "bytes", per: "fetch", samples: left });
}

async function oneRound(heap) {
  let answer = () => {};
  const answered = new Promise((resolve) => (answer = () => resolve(undefined)));
  /** @type {import("@fetch-image/core").Digest} */
  const digest = `sha256:${"0".repeat(64)}`;
  const found = { via: /** @type {const} */ ("HEAD"), host: "registry.example.com", status: 200 };
  /** @type {import("@fetch-image/core").ImageRegistry} */
  const registry = {
    resolve: async () => ({ digest, ...found }),
    async check() {
      await answered;
      return { versions: [{ tag: "1", digest }], rejected: [], requests: 1, ...found };
    },
  };
  const engine = createFetchImageEngine({ eventLog: forgetful(), registry, nativeImageFetch: true });
  const before = await heap();
  const fetch = async (id) => {
    const source = { repository: "registry.example.com/acme/app", tag: `t${id}` };
    const build = await engine.openBuild({ id });
    const fetching = build.fetchImage({
      getPlan: { id: "1/image-get", get: { name: "image", type: "registry-image", source } },
      checkPlan: { id: "1/image-check", check: { name: "image", type: "registry-image", source } },
      privileged: false,
    });
    return { build, done: fetching.then(() => build.close()) };
  };
  const begun = [];
  const begin = async (count) => {
    const from = begun.length;
    for (let next = 0; next < count; next++) begun.push(await fetch(String(from + next)));
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
  await begin(inFlight);
  const full = await heap();
  const { fetches } = await engine.health();
  if (fetches.inFlight !== inFlight) throw new Error(`${fetches.inFlight} fetches are in flight`);
  await begin(inFlight);
  const waiting = await heap();
  answer();
  await Promise.all(begun.map(({ done }) => done));
  begun.length = 0;
  const after = await heap();
  await engine.close();
  return {
    perFetch: (full - before) / inFlight,
    perWaiting: (waiting - full) / inFlight,
    left: (after - before) / (2 * inFlight),
  };
}

/** @returns {import("@fetch-image/core").EventLog} */
function forgetful() {
  let position = 0;
  return {
    async append(_stream, expected, facts) {
      position += facts.length;
      return {
        revision: (expected === "no-stream" ? -1n : expected) + BigInt(facts.length),
        position: String(position),
      };
    },
    read: async () => [],
    readAll: async () => ({ facts: [], next: undefined, end: true }),
    async *subscribe() {},
    async close() {},
  };
}
