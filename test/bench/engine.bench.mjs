// What the engine by itself takes for a cold fetch, 64 at a time: CPU, and memory that is to be collected. A log in memory, and
// a registry that answers at once.
import { Session } from "node:inspector/promises";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { promptRegistry } from "./support/prompt-registry.mjs";

export const name = "engine";

export async function run(emit) {
  const registry = promptRegistry();
  const engine = createFetchImageEngine({ eventLog: createMemoryEventLog(), registry, nativeImageFetch: true });
  let next = 0;
  const fetch = async () => {
    const id = String(next++);
    const source = { repository: "registry.example.com/acme/app", tag: `t${id}` };
    const build = await engine.openBuild({ id });
    await build.fetchImage({
      getPlan: { id: "1/image-get", get: { name: "image", type: "registry-image", source } },
      checkPlan: { id: "1/image-check", check: { name: "image", type: "registry-image", source } },
      privileged: false,
    });
    await build.close();
  };
  const many = async (count) => {
    let left = count;
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        while (left-- > 0) await fetch();
      }),
    );
  };
  await many(3000);
  const samples = [];
  for (let round = 0; round < 5; round++) {
    const before = process.cpuUsage();
    await many(2000);
    const { user, system } = process.cpuUsage(before);
    samples.push((user + system) / 1000 / 2000);
  }
  const allocated = await allocatedBy(() => many(4000));
  await engine.close();
  emit({ name: "engine-cpu-cold", unit: "ms", per: "fetch", samples });
  emit({ name: "engine-allocated-cold", unit: "kB", per: "fetch", samples: [allocated / 4000 / 1000] });
}

/** Bytes, as V8's sampling profiler estimates them. */
async function allocatedBy(work) {
  const session = new Session();
  session.connect();
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: 512,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await work();
  const { profile } = await session.post("HeapProfiler.stopSampling");
  session.disconnect();
  const sizeOf = ({ selfSize, children }) => children.reduce((sum, child) => sum + sizeOf(child), selfSize);
  return sizeOf(profile.head);
}
