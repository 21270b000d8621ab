// Folding and rendering a build's facts, of ten and of ten thousand; beside JSON.parse alone of the same rows.
import { createFetchImageEngine } from "@fetch-image/engine";
import { buildStream, decodeBuildFact, renderBuildLog, replayBuild } from "@fetch-image/core";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { summary } from "./support/load.mjs";
import { promptRegistry } from "./support/prompt-registry.mjs";

export const name = "replay";

const rounds = 7;

export async function run(emit) {
  for (const wanted of [10, 10_000]) {
    const rows = (await factsOf(wanted)).map((fact) => JSON.stringify(fact, bigintAsText));
    const repeat = Math.max(1, Math.floor(20_000 / rows.length));
    const works = {
      parse: () => rows.map((row) => JSON.parse(row)),
      fold: () => replayBuild(rows.map(decode)),
      render: () => renderBuildLog(rows.map(decode)),
    };
    const samples = { parse: [], fold: [], render: [] };
    for (let round = -2; round < rounds; round++) {
      for (const [work, go] of Object.entries(works)) {
        const begin = performance.now();
        for (let i = 0; i < repeat; i++) go();
        const perSecond = (rows.length * repeat) / ((performance.now() - begin) / 1000);
        if (round >= 0) samples[work].push(perSecond);
      }
    }
    for (const work of Object.keys(works)) {
      const ratioTo = work === "parse" ? undefined : `parse-${wanted}`;
      emit({
        name: `${work}-${wanted}`,
        unit: "facts",
        per: "s",
        ...(ratioTo === undefined ? {} : { ratioTo }),
        ...summary(samples[work]),
      });
    }
  }
}

function decode(row) {
  const stored = JSON.parse(row);
  const decoded = decodeBuildFact({ ...stored, revision: BigInt(stored.revision) });
  if (!decoded.known) throw new Error(`unknown fact ${stored.type}`);
  return decoded.fact;
}

/** A build's facts, made by the engine itself. */
async function factsOf(count) {
  const eventLog = createMemoryEventLog();
  const registry = promptRegistry();
  const engine = createFetchImageEngine({ eventLog, registry, nativeImageFetch: true, soleNode: true });
  const build = await engine.openBuild({ id: "1" });
  const source = { repository: "registry.example.com/acme/app", tag: "1" };
  for (let step = 0; step * 4 < count; step++) {
    await build.fetchImage({
      getPlan: { id: `${step}/image-get`, get: { name: "app", type: "registry-image", source } },
      checkPlan: { id: `${step}/image-check`, check: { name: "app", type: "registry-image", source } },
      privileged: false,
    });
  }
  await engine.close();
  const facts = await eventLog.read(buildStream("1"));
  return facts.slice(0, count);
}

function bigintAsText(_key, value) {
  return typeof value === "bigint" ? String(value) : value;
}
