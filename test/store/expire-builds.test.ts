import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { type EventLog, type NewFact, silentLogger } from "@fetch-image/core";
import { createProjector, systemClock } from "@fetch-image/engine";
import { createPostgresEventLog, createPostgresReadModel, expireBuilds, type Sql } from "@fetch-image/store/postgres";
import { describe, expect, test, vi } from "vitest";
import { aFact, errorOf } from "../conformance/facts.ts";
import { sharedEmbedded } from "../conformance/shared-embedded.ts";
import { sharedPostgres } from "../conformance/shared-postgres.ts";
import { postgresMissing } from "../support/postgres.ts";

vi.setConfig({ testTimeout: 60_000 });

const postgres = sharedPostgres();
const embedded = sharedEmbedded();

describe.each([
  ["PostgreSQL", postgres, postgresMissing()],
  ["the embedded store", embedded, undefined],
] as const)("builds that are long over, in %s", (_name, store, missing) => {
  async function open(skip: (note?: string) => void) {
    if (missing !== undefined) skip(missing);
    const on: { readonly sql: Sql; readonly schema: string } = await store.empty();
    const eventLog = createPostgresEventLog(on);
    const readModel = createPostgresReadModel(on);
    const projector = createProjector({ eventLog, readModel, clock: systemClock, logger: silentLogger });
    return { on, eventLog, readModel, projector };
  }

  test("lose their facts and nothing else: what they ran stays known, over a rebuild too", async ({ skip }) => {
    const { on, eventLog, readModel, projector } = await open(skip);
    const histories = releasedHistories();
    for (const { stream, facts } of histories) await eventLog.append(stream, "no-stream", facts);
    await projector.catchUp();
    const known = await everything();
    const builds = (await readModel.builds({ limit: 1000 })).map(({ buildId }) => buildId);
    const ended = (await Promise.all(builds.map((id) => readModel.imagesOfBuild(id)))).map((images) =>
      images.every(({ endedAt }) => endedAt !== undefined),
    );
    const over = builds.filter((_, index) => ended[index]);
    expect(over.length).toBeGreaterThan(0);

    const expired = await expireBuilds({ ...on, before: Date.now() + 60_000 });
    expect(expired).toMatchObject({ builds: over.length, left: builds.length - over.length });
    for (const id of builds) {
      expect((await eventLog.read(`build-${id}`)).length === 0).toBe(over.includes(id));
    }
    const scopes = histories.filter(({ stream }) => stream.startsWith("imageScope-"));
    for (const { stream, facts } of scopes) expect(await eventLog.read(stream)).toHaveLength(facts.length);
    expect(await everything()).toEqual(known);
    await projector.rebuild();
    expect(await everything()).toEqual(known);
    expect(await expireBuilds({ ...on, before: Date.now() + 60_000 })).toMatchObject({ builds: 0, facts: 0 });

    async function everything() {
      const rows = await readModel.builds({ limit: 1000 });
      const images = await Promise.all(rows.map(({ buildId }) => readModel.imagesOfBuild(buildId)));
      return { rows, images: images.flat() };
    }
  });

  test("stay while a fetch of theirs has not ended, a fact is young, or the read model has not seen all", async ({
    skip,
  }) => {
    const { on, eventLog, readModel } = await open(skip);
    const row = (buildId: string) => ({ buildId, openedAt: "2020-01-01T00:00:00.000Z" });
    for (const id of ["open", "young", "unseen", "over"]) await eventLog.append(`build-${id}`, "no-stream", [aFact()]);
    const to = await headOf(eventLog);
    await readModel.apply(
      {
        builds: ["open", "young", "unseen", "over"].map(row),
        images: [{ buildId: "open", fetchId: "f", state: "checking" }],
        scopes: [],
        versions: [],
        observations: [],
      },
      { from: undefined, to },
    );
    await on.sql.query(
      `update ${on.schema}.events set recorded_at = '2020-01-02T00:00:00Z' where stream <> 'build-young'`,
    );
    await eventLog.append("build-unseen", 0n, [aFact()]);
    await on.sql.query(
      `update ${on.schema}.events set recorded_at = '2020-01-02T00:00:00Z' where stream = 'build-unseen'`,
    );
    const expired = await expireBuilds({ ...on, before: Date.parse("2021-01-01T00:00:00Z") });
    expect(expired).toEqual({ builds: 1, facts: 1, left: 3 });
    expect(await eventLog.read("build-over")).toEqual([]);
    expect((await eventLog.readAll({ limit: 100 })).facts).toHaveLength(4);
  });

  test("are gone through in batches, past those that stay", async ({ skip }) => {
    const { on, eventLog, readModel } = await open(skip);
    const ids = Array.from({ length: 450 }, (_, n) => `b${n}`);
    await Promise.all(ids.map((id) => eventLog.append(`build-${id}`, "no-stream", [aFact(), aFact()])));
    const to = await headOf(eventLog);
    await readModel.apply(
      {
        builds: ids.map((buildId) => ({ buildId, openedAt: "2020-01-01T00:00:00.000Z" })),
        images: ids.slice(0, 250).map((buildId) => ({ buildId, fetchId: "f", state: "checking" })),
        scopes: [],
        versions: [],
        observations: [],
      },
      { from: undefined, to },
    );
    const expired = await expireBuilds({ ...on, before: Date.now() + 60_000 });
    expect(expired).toEqual({ builds: 200, facts: 400, left: 250 });
  });

  test("are kept where the read model is projected from other facts", async ({ skip }) => {
    const { on, eventLog, readModel } = await open(skip);
    await eventLog.append("build-1", "no-stream", [aFact()]);
    expect((await errorOf(expireBuilds({ ...on, before: Date.now() })))?.code).toBe("FI_POSITION_INVALID");
    const changes = { builds: [], images: [], scopes: [], versions: [], observations: [] };
    await readModel.apply(changes, { from: undefined, to: "esdb:17" });
    expect((await errorOf(expireBuilds({ ...on, before: Date.now() })))?.code).toBe("FI_POSITION_INVALID");
    expect(await eventLog.read("build-1")).toHaveLength(1);
  });
});

async function headOf(eventLog: EventLog): Promise<string> {
  const { next } = await eventLog.readAll({ limit: 10_000 });
  if (next === undefined) throw new Error("there are no facts");
  return next;
}

interface History {
  readonly stream: string;
  readonly facts: readonly NewFact[];
}

/** Streams of every released shape, some of them of builds that are not over; each a stream of its own. */
function releasedHistories(): readonly History[] {
  const folder = new URL("../histories/v1/", import.meta.url);
  return readdirSync(folder).map((file) => {
    const { facts }: History = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
    const [kind, name] = file.replace(".json", "").split(/-(.*)/);
    return {
      stream: `${kind === "build" ? "build" : "imageScope"}-${name}`,
      facts: facts.map(({ type, data, metadata }) => ({ id: randomUUID(), type, data, metadata })),
    };
  });
}
