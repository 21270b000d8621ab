// The shadow on the stores that a scheduler has: several nodes write one stream a day, and its report moves with the facts.
import { decodeFact, type EventLog, projectFacts } from "@fetch-image/core";
import { createFetchImageEngine, createShadow, type Shadow, shadowReport } from "@fetch-image/engine";
import { copyEvents } from "@fetch-image/store/copy";
import { createPostgresEventLog } from "@fetch-image/store/postgres";
import { describe, expect, test } from "vitest";
import { sharedEmbedded } from "../conformance/shared-embedded.ts";
import { sharedEventStoreDb } from "../conformance/shared-eventstoredb.ts";
import { sharedPostgres } from "../conformance/shared-postgres.ts";
import { typePlans } from "../support/engine.ts";
import { startEventStoreDbPeer } from "../support/eventstoredb-peer/index.ts";
import { postgresMissing } from "../support/postgres.ts";
import { scriptedRegistry } from "../support/scripted-registry.ts";

const postgres = sharedPostgres();
const embedded = sharedEmbedded();
const eventStoreDb = sharedEventStoreDb(async () => {
  const peer = await startEventStoreDbPeer();
  return { url: peer.url, clear: () => peer.log.clear(), stop: async () => peer.node.kill() };
});
const kinds: { readonly [kind: string]: () => Promise<EventLog> } = {
  Postgres: async () => createPostgresEventLog(await postgres.empty()),
  "the embedded store": async () => createPostgresEventLog(await embedded.empty()),
  EventStoreDB: () => eventStoreDb.empty(),
};

describe.each([
  ["Postgres", "EventStoreDB"],
  ["EventStoreDB", "the embedded store"],
  ["the embedded store", "Postgres"],
])("a shadow on %s", (kind, next) => {
  const needsPostgres = kind === "Postgres" || next === "Postgres";

  test(`whose nodes compare at the same time loses nothing, and goes on where copy-events moves it, on ${next}`, async ({
    skip,
  }) => {
    if (needsPostgres && postgresMissing() !== undefined) skip(postgresMissing());
    const eventLog = await open(kind);
    const registry = scriptedRegistry();
    const digest = registry.push("registry.example.com/app:1", "one");
    const nodes = ["one", "two", "three"].map((node) => createShadow({ eventLog, registry, node }));
    // A build of the engine's own, in the same log at the same time.
    const engine = createFetchImageEngine({ eventLog, registry, nativeImageFetch: true });
    const building = engine
      .openBuild({ id: "of-the-engine" })
      .then((build) => build.fetchImage({ ...typePlans("1", source), privileged: false }));
    const told = await Promise.all(
      nodes.flatMap((shadow, node) =>
        Array.from({ length: 8 }, (_, n) => compare(shadow, { id: `${node}-${n}`, actual: n === 0 ? other : digest })),
      ),
    );
    await building;
    await engine.close();
    await Promise.all(nodes.map((shadow) => shadow.close()));
    expect(new Set(told)).toEqual(new Set(["compared"]));
    const report = await reportOf(eventLog);
    expect(report).toMatchObject({ comparisons: 24, counts: { same: 21, unexplained: 3 } });
    // What a shadow compares was run by nobody; what the engine fetched was.
    expect(await imagesOf(eventLog)).toEqual([["of-the-engine", digest]]);

    const copy = await open(next);
    await copyEvents({ from: eventLog, to: copy });
    expect(await reportOf(copy)).toEqual(report);
    expect(await imagesOf(copy)).toEqual([["of-the-engine", digest]]);
    await using after = createShadow({ eventLog: copy, registry, node: "after" });
    expect(await compare(after, { id: "after", actual: digest })).toBe("compared");
    expect(await reportOf(copy)).toMatchObject({ comparisons: 25, counts: { same: 22, unexplained: 3 } });
    await eventLog.close();
    await copy.close();
  });
});

const source = { repository: "registry.example.com/app", tag: "1" };
const other = `sha256:${"0".repeat(64)}`;

async function compare(shadow: Shadow, { id, actual }: { readonly id: string; readonly actual: string }) {
  const compared = await shadow.compare({ build: { id }, ...typePlans("2", source), actual: { digest: actual } });
  return compared.kind === "not-compared" ? compared.error : compared.kind;
}

/** Of today, and of tomorrow where the test runs over midnight. */
async function reportOf(eventLog: EventLog) {
  const now = Date.now();
  return await shadowReport(eventLog, { since: now - 86_400_000, until: now + 86_400_000 });
}

async function imagesOf(eventLog: EventLog) {
  const { facts } = await eventLog.readAll({ limit: 1000 });
  const known = facts.map((fact) => decodeFact(fact)).flatMap((each) => (each.known ? [each.fact] : []));
  return projectFacts(known).images.map(({ buildId, digest }) => [buildId, digest]);
}

function open(kind: string): Promise<EventLog> {
  const make = kinds[kind];
  if (make === undefined) throw new Error(kind);
  return make();
}
