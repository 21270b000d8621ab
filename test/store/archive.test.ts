import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  type BuildImageRow,
  type BuildRow,
  type EventLog,
  isFinished,
  replayBuild,
  type JsonObject,
  type NewFact,
  type ReadModel,
  type RecordedBuildFact,
  silentLogger,
} from "@fetch-image/core";
import { type AuditImage, createAudit, createProjector, type Projector, systemClock } from "@fetch-image/engine";
import { archiveBuilds, restoreBuilds } from "@fetch-image/store/archive";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import {
  createPostgresEventLog,
  createPostgresReadModel,
  expireArchived,
  expireAudit,
  type Sql,
} from "@fetch-image/store/postgres";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { errorOf } from "../conformance/facts.ts";
import { sharedEmbedded } from "../conformance/shared-embedded.ts";
import { sharedPostgres } from "../conformance/shared-postgres.ts";
import { seedFromEnv } from "../properties/seed.ts";
import { anyScheduledBuild } from "../support/any-scheduled-build.ts";
import { aRequest, digestA, inputs } from "../support/fetch-facts.ts";
import { postgresMissing } from "../support/postgres.ts";
import { type Scratch, scratch } from "../support/scratch.ts";
import { BuildHistory } from "../support/stream-histories.ts";

vi.setConfig({ testTimeout: 60_000 });

const postgres = sharedPostgres();
const embedded = sharedEmbedded();
let place: Scratch;
beforeAll(() => void (place = scratch("archive")));
afterAll(() => place[Symbol.dispose]());

const dayMs = 24 * 60 * 60 * 1000;
/** The day that the histories of the tests are of. */
const firstDay = Date.parse("2026-11-22T00:00:00Z");
const later = firstDay + 30 * dayMs;

let directories = 0;
function newDirectory(): string {
  return join(place.directory, `${++directories}`);
}

describe("an archive of builds", () => {
  /** Three builds that are over, on two days, and one that is not. */
  async function aStore() {
    const eventLog = createMemoryEventLog();
    const readModel = createMemoryReadModel();
    const projector = createProjector({ eventLog, readModel, clock: systemClock, logger: silentLogger });
    for (const [id, day] of [
      ["1", 0],
      ["2", 0],
      ["3", 1],
    ] as const) {
      await store(eventLog, id, day, aBuildThatIsOver().facts);
    }
    await store(eventLog, "running", 0, new BuildHistory().request(aRequest()).facts);
    await projector.catchUp();
    return { eventLog, readModel, projector, directory: newDirectory() };
  }

  test("has a file for each day, with what a manifest says of it, and lines that anybody can read", async () => {
    const { eventLog, readModel, directory } = await aStore();
    const summary = await archiveBuilds({ eventLog, readModel, directory, before: later });
    expect(summary).toMatchObject({ builds: 3, left: 1, already: 0, expired: undefined });
    const names = ["builds-2026-11-22.ndjson.gz", "builds-2026-11-23.ndjson.gz"];
    expect(readdirSync(directory).toSorted()).toEqual([...names, "manifest.json"]);
    expect(summary.files.toSorted()).toEqual(names);
    const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
    expect(manifest).toMatchObject({ format: "fetch-image-builds", version: 1 });
    const [first] = manifest.files;
    const one = await eventLog.read("build-1");
    const two = await eventLog.read("build-2");
    expect(first).toEqual({
      file: names[0],
      day: "2026-11-22",
      builds: 2,
      facts: one.length + two.length,
      positions: { first: one[0]?.position, last: two.at(-1)?.position },
      bytes: readFileSync(join(directory, names[0] ?? "")).length,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const lines = gunzipSync(readFileSync(join(directory, names[0] ?? "")))
      .toString()
      .trimEnd()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      [...one, ...two].map((fact) => ({ ...fact, revision: String(fact.revision) })),
    );
  });

  test("made again holds the same, and a build that is over later goes into a further file of its day", async () => {
    const { eventLog, readModel, projector, directory } = await aStore();
    const archive = () => archiveBuilds({ eventLog, readModel, directory, before: later });
    await archive();
    const before = filesIn(directory);
    expect(await archive()).toMatchObject({ builds: 0, already: 3, left: 1, files: [] });
    expect(filesIn(directory)).toEqual(before);

    const running = new BuildHistory().request(aRequest());
    const so = running.facts.length;
    const history = running.take(inputs.aborted());
    await append(eventLog, "running", 0, history.facts, so);
    await projector.catchUp();
    expect(await archive()).toMatchObject({ builds: 1, left: 0, files: ["builds-2026-11-22.2.ndjson.gz"] });
    const target = createMemoryEventLog();
    expect(await restoreBuilds({ eventLog: target, directory })).toMatchObject({ builds: 4 });
    expect(await target.read("build-running")).toHaveLength(history.facts.length);
  });

  test("takes no build that runs by its scheduler's word, has gone on since, or holds what nobody here can fold", async () => {
    const { eventLog, readModel, projector } = await aStore();
    const over = aBuildThatIsOver().facts.length;
    const runs = aBuildThatIsOver().save({ event: "status", data: { status: "started" } });
    await append(eventLog, "1", 0, runs.facts, over);
    const goesOn = aBuildThatIsOver()
      .wait(9 * dayMs)
      .adopt("node-b");
    await append(eventLog, "2", 0, goesOn.facts, over);
    await store(eventLog, "newer", 1, aBuildThatIsOver().facts);
    const [opened] = aBuildThatIsOver().facts;
    if (opened !== undefined) {
      const { data, metadata, ...unknown } = newFact(opened, 1);
      const newer = { ...unknown, type: "FromTheFuture", data, metadata: { ...metadata, schema: 99 } };
      await eventLog.append("build-newer", BigInt(over - 1), [newer]);
    }
    await projector.catchUp();
    const directory = newDirectory();
    const summary = await archiveBuilds({ eventLog, readModel, directory, before: firstDay + 5 * dayMs });
    expect(summary).toMatchObject({ builds: 1, left: 4 });
    const target = createMemoryEventLog();
    await restoreBuilds({ eventLog: target, directory });
    expect(await target.read("build-3")).toHaveLength(over);
  });

  test("interrupted anywhere, is whole after the next run, and nothing went that it does not hold", async () => {
    const { eventLog, readModel, directory } = await aStore();
    const controller = new AbortController();
    const gone: string[] = [];
    const expire = async (builds: readonly { readonly buildId: string }[]) => {
      gone.push(...builds.map(({ buildId }) => buildId));
      controller.abort();
      return { builds: builds.length, facts: 0 };
    };
    const options = { eventLog, readModel, directory, before: later, expire };
    expect((await errorOf(archiveBuilds({ ...options, signal: controller.signal })))?.code).toBe("FI_ABORTED");
    expect(gone).toEqual(["3"]);
    // What a process that was killed may have left: a draft, and a file that the manifest does not know.
    writeFileSync(join(directory, "2026-11-22.12345678.part"), "half");
    writeFileSync(join(directory, "builds-2026-11-22.ndjson.gz"), "half");
    expect(await archiveBuilds(options)).toMatchObject({ builds: 2, already: 1 });
    expect(gone.toSorted()).toEqual(["1", "2", "3", "3"]);
    expect(readdirSync(directory).filter((name) => name.endsWith(".part"))).toEqual([]);
    expect(await restoreBuilds({ eventLog: createMemoryEventLog(), directory })).toMatchObject({ builds: 3 });
  });

  test("is written by one process at a time, and taken over from one that is dead", async () => {
    const { eventLog, readModel, directory } = await aStore();
    let during: Promise<unknown> | undefined;
    const options = { eventLog, readModel, directory, before: later };
    await archiveBuilds({ ...options, onProgress: () => void (during ??= errorOf(archiveBuilds(options))) });
    expect(await during).toMatchObject({
      code: "FI_STORE_LOCKED",
      message: expect.stringContaining(`process ${process.pid}`),
    });
    const dead = { pid: 1, started: "never", host: "elsewhere", boot: "", pidNamespace: "" };
    writeFileSync(join(directory, "lock"), JSON.stringify(dead));
    expect((await errorOf(archiveBuilds(options)))?.hint).toContain(join(directory, "lock"));
    rmSync(join(directory, "lock"));
    expect(await archiveBuilds(options)).toMatchObject({ already: 3 });
    expect(existsSync(join(directory, "lock"))).toBe(false);
  });

  const name = "builds-2026-11-22.ndjson.gz";
  test.each<[string, string, (file: string) => void]>([
    ["lost a byte", name, (file) => writeFileSync(file, readFileSync(file).subarray(0, -1))],
    ["has another byte", name, (file) => writeFileSync(file, readFileSync(file).fill(7, 60, 61))],
    ["holds another day", name, (file) => writeFileSync(file, readFileSync(file.replace("-22", "-23")))],
    ["is gone", name, (file) => rmSync(file)],
    [
      "is a manifest of something else",
      "manifest.json",
      (file) => writeFileSync(file, '{"format":"else","version":1}'),
    ],
    ["is a manifest cut off", "manifest.json", (file) => writeFileSync(file, readFileSync(file).subarray(0, 60))],
    ["is a manifest of files elsewhere", "manifest.json", (file) => replaceIn(file, name, "../../etc/passwd")],
    ["is a manifest of a later format", "manifest.json", (file) => replaceIn(file, '"version": 1', '"version": 2')],
  ])(
    "of which a file %s is refused by that file's name, and nothing of it is restored or expired",
    async (_how, file, damage) => {
      const { eventLog, readModel, directory } = await aStore();
      await archiveBuilds({ eventLog, readModel, directory, before: later });
      damage(join(directory, file));
      const target = createMemoryEventLog();
      const refusal = { code: "FI_ARCHIVE_DAMAGED", message: expect.stringContaining(join(directory, file)) };
      expect(await errorOf(restoreBuilds({ eventLog: target, directory }))).toMatchObject(refusal);
      expect((await target.readAll({ limit: 1 })).facts).toEqual([]);
      const gone: string[] = [];
      const expire = async (builds: readonly { readonly buildId: string }[]) => {
        gone.push(...builds.map(({ buildId }) => buildId));
        return { builds: 0, facts: 0 };
      };
      const again = archiveBuilds({ eventLog, readModel, directory, before: later, expire });
      expect(await errorOf(again)).toMatchObject(refusal);
      expect(gone.filter((id) => id !== "3")).toEqual([]);
    },
  );

  test("of nothing is one all the same: it restores to nothing, and is added to", async () => {
    const { eventLog, readModel, directory } = await aStore();
    const long = Date.parse("2001-01-01T00:00:00Z");
    expect(await archiveBuilds({ eventLog, readModel, directory, before: long })).toMatchObject({
      builds: 0,
      files: [],
    });
    const target = createMemoryEventLog();
    expect(await restoreBuilds({ eventLog: target, directory })).toEqual({ builds: 0, facts: 0, restored: 0 });
    await archiveBuilds({ eventLog, readModel, directory, before: later });
    expect((await restoreBuilds({ eventLog: target, directory })).builds).toBeGreaterThan(0);
  });

  test("restored into a store with another build of that id is refused, naming the fact; and where there is none, said", async () => {
    const { eventLog, readModel, directory } = await aStore();
    await archiveBuilds({ eventLog, readModel, directory, before: later });
    const target = createMemoryEventLog();
    await store(target, "2", 0, new BuildHistory("other").request(aRequest()).facts);
    const error = await errorOf(restoreBuilds({ eventLog: target, directory }));
    expect(error).toMatchObject({ code: "FI_STORES_DIFFER", details: { stream: "build-2", revision: "0" } });
    const none = newDirectory();
    expect(await errorOf(restoreBuilds({ eventLog: target, directory: none }))).toMatchObject({
      code: "FI_ARCHIVE_UNUSABLE",
      message: expect.stringContaining(none),
    });
    renameSync(directory, none);
    writeFileSync(directory, "a file");
    const unusable = archiveBuilds({ eventLog, readModel, directory, before: later });
    expect(await errorOf(unusable)).toMatchObject({ code: "FI_ARCHIVE_UNUSABLE" });
  });
});

describe.each([
  ["PostgreSQL", postgres, postgresMissing()],
  ["the embedded store", embedded, undefined],
] as const)("builds that are archived, in %s", (_name, store_, missing) => {
  async function open(skip: (note?: string) => void) {
    if (missing !== undefined) skip(missing);
    const on: { readonly sql: Sql; readonly schema: string } = await store_.empty();
    const eventLog = createPostgresEventLog(on);
    const readModel = createPostgresReadModel(on);
    const projector = createProjector({ eventLog, readModel, clock: systemClock, logger: silentLogger });
    return { on, eventLog, readModel, projector, directory: newDirectory() };
  }

  test("and have gone on meanwhile, or were not seen by the read model, keep their facts", async ({ skip }) => {
    const { on, eventLog, readModel, projector, directory } = await open(skip);
    const { facts } = aBuildThatIsOver();
    for (const id of ["1", "2", "3"]) await store(eventLog, id, 0, facts);
    await projector.catchUp();
    const archived = await archiveBuilds({
      eventLog,
      readModel,
      directory,
      before: later,
      async expire(builds) {
        await append(eventLog, "2", 0, aBuildThatIsOver().adopt("node-b").facts, facts.length);
        return await expireArchived({ ...on, builds });
      },
    });
    expect(archived.expired).toEqual({ builds: 2, facts: 2 * facts.length });
    expect(await eventLog.read("build-1")).toEqual([]);
    expect(await eventLog.read("build-2")).toHaveLength(facts.length + 1);
    await store(eventLog, "4", 0, facts);
    const builds = [{ buildId: "4", lastRevision: BigInt(facts.length - 1) }];
    expect(await expireArchived({ ...on, builds })).toEqual({ builds: 0, facts: 0 });
    expect((await readModel.builds({ limit: 9, stored: true })).map(({ buildId }) => buildId)).toEqual(["2"]);
  });

  test("dropped and restored in any order, answer as a plain memory of them does", async ({ skip }) => {
    const { on } = await open(skip);
    const step = fc.record({
      do: fc.constantFrom("archive", "archive", "drop", "restore", "rebuild"),
      day: fc.integer({ min: 0, max: 4 }),
    });
    const builds = fc.array(fc.record({ build: anyScheduledBuild({ ends: false }), day: fc.nat({ max: 3 }) }), {
      minLength: 2,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(builds, fc.array(step, { minLength: 2, maxLength: 6 }), async (given, steps) => {
        await store_.empty();
        await on.sql.query(`delete from ${on.schema}.audit_horizon`);
        const eventLog = createPostgresEventLog(on);
        const readModel = createPostgresReadModel(on);
        const real = { eventLog, readModel, projector: projectorOf(eventLog, readModel) };
        const model = await Model.of(
          given.map(({ build, day }, n) => ({ id: `${n}`, day, facts: build.history.facts })),
        );
        for (const { id, day, facts } of model.builds) await store(eventLog, id, day, facts);
        await real.projector.catchUp();
        const directory = newDirectory();
        const expire = (archived: Parameters<typeof expireArchived>[0]["builds"]) =>
          expireArchived({ ...on, builds: archived });
        for (const { do: what, day } of steps) {
          const before = firstDay + day * dayMs;
          if (what === "archive") {
            await archiveBuilds({ eventLog, readModel, directory, before, expire });
            for (const build of model.builds) {
              build.stored = (await eventLog.read(`build-${build.id}`)).length > 0;
              if (!build.stored) model.archived.add(build.id);
            }
          } else if (what === "drop") {
            await expireAudit({ ...on, before });
            for (const build of model.builds) if (build.day < day && !build.stored) build.known = false;
          } else if (what === "restore" && existsSync(join(directory, "manifest.json"))) {
            await restoreBuilds({ eventLog, directory });
            await real.projector.catchUp();
            for (const build of model.builds.filter(({ id }) => model.archived.has(id)))
              build.stored = build.known = true;
          } else if (what === "rebuild") await real.projector.rebuild();
          expect(await told(real, model.builds)).toEqual(await model.told());
          expect(model.builds.filter(({ stored, isOver }) => !stored && !isOver)).toEqual([]);
        }
      }),
      { seed: seedFromEnv(), numRuns: 5 },
    );
  });
});

type StoredFact = RecordedBuildFact;

interface ModelBuild {
  readonly id: string;
  readonly day: number;
  readonly facts: readonly StoredFact[];
  /** Whether each of its fetches has ended. */
  readonly isOver: boolean;
  /** Whether its facts are in the store, and whether the audit knows it. */
  stored: boolean;
  known: boolean;
}

/** All builds, as a memory that forgets nothing has them; and what of that a store should still tell. */
class Model {
  readonly builds: readonly ModelBuild[];
  readonly archived = new Set<string>();
  readonly #readModel = createMemoryReadModel();
  readonly #eventLog = createMemoryEventLog();

  private constructor(builds: readonly ModelBuild[]) {
    this.builds = builds;
  }

  static async of(given: readonly Pick<ModelBuild, "id" | "day" | "facts">[]): Promise<Model> {
    const model = new Model(
      given.map((build) => {
        const { fetches } = replayBuild(build.facts);
        const isOver = [...fetches.values()].every((fetch) => isFinished(fetch));
        return { ...build, isOver, stored: true, known: true };
      }),
    );
    for (const { id, day, facts } of model.builds) await store(model.#eventLog, id, day, facts);
    await projectorOf(model.#eventLog, model.#readModel).catchUp();
    return model;
  }

  /** What is asked of a store, as it should answer now. */
  async told(): Promise<Told> {
    const all = await told({ readModel: this.#readModel, eventLog: this.#eventLog }, this.builds);
    const knows = new Map(this.builds.map(({ id, known }) => [id, known]));
    return {
      builds: all.builds.map((build, n) => (this.builds[n]?.known === true ? build : undefined)),
      images: all.images.map((images, n) => (this.builds[n]?.known === true ? images : [])),
      facts: all.facts.map((facts, n) => (this.builds[n]?.stored === true ? facts : [])),
      ran: all.ran.filter(({ build }) => knows.get(build)),
    };
  }
}

interface Told {
  readonly builds: readonly (BuildRow | undefined)[];
  readonly images: readonly (readonly BuildImageRow[])[];
  readonly facts: readonly (readonly string[])[];
  readonly ran: readonly AuditImage[];
}

interface Asked {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
}

async function told({ eventLog, readModel }: Asked, builds: readonly { readonly id: string }[]): Promise<Told> {
  const { rows } = await createAudit({ readModel }).builds({ digest: digestA, all: true, limit: 1000 });
  const streams = await Promise.all(builds.map(({ id }) => eventLog.read(`build-${id}`)));
  return {
    builds: await Promise.all(builds.map(({ id }) => readModel.build(id))),
    images: await Promise.all(builds.map(({ id }) => readModel.imagesOfBuild(id))),
    facts: streams.map((facts) =>
      facts.map(({ position: _position, ...fact }) => JSON.stringify({ ...fact, revision: String(fact.revision) })),
    ),
    ran: rows,
  };
}

function projectorOf(eventLog: EventLog, readModel: ReadModel): Projector {
  return createProjector({ eventLog, readModel, clock: systemClock, logger: silentLogger });
}

function aBuildThatIsOver(): BuildHistory {
  return new BuildHistory().request(aRequest()).take(inputs.aborted());
}

/** A history as the stream of a build that was opened some days later. */
async function store(eventLog: EventLog, id: string, day: number, facts: readonly StoredFact[]): Promise<void> {
  await append(eventLog, id, day, facts, 0);
}

async function append(
  eventLog: EventLog,
  id: string,
  day: number,
  facts: readonly StoredFact[],
  from: number,
): Promise<void> {
  const given = facts.map((fact, revision) => ({ ...newFact(fact, day), id: idOf(id, revision) }));
  await eventLog.append(`build-${id}`, from === 0 ? "no-stream" : BigInt(from - 1), given.slice(from));
}

function newFact({ type, data, metadata }: StoredFact, day: number): NewFact {
  const time = new Date(Date.parse(metadata.time) + day * dayMs).toISOString();
  const plain: { data: JsonObject; metadata: JsonObject } = JSON.parse(JSON.stringify({ data, metadata }));
  return { id: randomUUID(), type, data: plain.data, metadata: { ...plain.metadata, time } };
}

function idOf(build: string, revision: number): string {
  const hex = `${Buffer.from(build).toString("hex")}${revision.toString(16).padStart(6, "0")}`
    .padStart(12, "0")
    .slice(-12);
  return `00000000-0000-4000-8000-${hex}`;
}

function filesIn(directory: string): readonly string[] {
  return readdirSync(directory)
    .toSorted()
    .map((name) => `${name} ${readFileSync(join(directory, name)).toString("base64")}`);
}

function replaceIn(file: string, text: string, by: string): void {
  writeFileSync(file, readFileSync(file, "utf8").replace(text, by));
}
