import { FetchImageError, type NewFact, silentLogger } from "@fetch-image/core";
import { createProjector } from "@fetch-image/engine";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";

/** A read model on the log of a scene, and who follows that. */
function following() {
  const { engine, eventLog, registry, clock } = scene();
  registry.push(`${repository}:v1.2`, "one");
  const readModel = createMemoryReadModel();
  const projector = createProjector({ eventLog, readModel, clock, logger: silentLogger });
  const ending = new AbortController();
  const fetch = async (id: string) => {
    const build = await engine.openBuild({ id });
    await build.fetchImage({ ...typePlans("2", { repository, tag: "v1.2" }), privileged: false });
  };
  return { eventLog, readModel, clock, projector, ending, fetch };
}

/** Facts that say nothing to the read model, which has to pass them all the same. */
function manyFacts(count: number): NewFact[] {
  const fact = { type: "ImageScanned", data: {}, metadata: { schema: 1 } };
  return Array.from({ length: count }, () => ({ id: randomUUID(), ...fact }));
}

describe("a projection that follows the log", () => {
  test("is tried again after a failure, though nothing more comes", async () => {
    const { readModel, clock, projector, ending, fetch } = following();
    const apply = readModel.apply.bind(readModel);
    let fails = 1;
    readModel.apply = async (...applying) => {
      if (fails-- <= 0) return await apply(...applying);
      // By then all has been told of.
      await new Promise<void>((resolve) => clock.after(100, resolve));
      throw new FetchImageError("FI_STORE_UNAVAILABLE");
    };
    const followed = projector.follow(ending.signal);
    await fetch("1");
    await clock.advance(2000);
    expect(await readModel.imagesOfBuild("1")).toMatchObject([{ state: "short-circuited" }]);
    ending.abort();
    await followed;
  });

  test("ends with the page under way, however much is left; who catches up meanwhile gets to the head", async () => {
    const { eventLog, readModel, clock, projector, ending } = following();
    for (let at = -1n; at < 4999n; at += 1000n) {
      await eventLog.append("build-1", at < 0n ? "no-stream" : at, manyFacts(1000));
    }
    const apply = readModel.apply.bind(readModel);
    let pages = 0;
    readModel.apply = async (...applying) => {
      if (++pages === 2) ending.abort();
      return await apply(...applying);
    };
    const followed = projector.follow(ending.signal);
    await followed;
    await clock.settle();
    expect(pages).toBe(2);
    expect((await projector.catchUp()).skipped).toBe(3000);
  });

  test("asks for nothing once it has ended, whatever failed before", async () => {
    const { eventLog, readModel, clock, projector, ending, fetch } = following();
    let asked = 0;
    readModel.checkpoint = () => {
      asked++;
      return Promise.reject(new FetchImageError("FI_STORE_UNAVAILABLE"));
    };
    const readAll = eventLog.readAll.bind(eventLog);
    eventLog.readAll = (...reading) => {
      asked++;
      return readAll(...reading);
    };
    const followed = projector.follow(ending.signal);
    await fetch("1");
    await clock.advance(500);
    ending.abort();
    await followed;
    asked = 0;
    await clock.advance(5000);
    expect(asked).toBe(0);
  });
});
