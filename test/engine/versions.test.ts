import {
  buildFactToStore,
  buildStream,
  type EventLog,
  type NewFact,
  scopeFactToStore,
  scopeStream,
} from "@fetch-image/core";
import { createFetchImageEngine, createProjector, nodeHash } from "@fetch-image/engine";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import { describe, expect, test } from "vitest";
import { factsOf, scene, typePlans } from "../support/engine.ts";
import type { SimulatedClock } from "../support/simulated-clock.ts";

const repository = "registry.example.com/acme/git-resource";
const source = { repository, tag: "v1.2" };
const plans = { ...typePlans("2", source), privileged: false };

/** Warnings, as the host's logger gets them. */
function warnings() {
  const said: { readonly message: string; readonly fields: unknown }[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (message: string, fields?: unknown) => void said.push({ message, fields }),
    error() {},
  };
  return { said, logger };
}

/** A fact as a newer version would write it: another shape of a known type, another type, or of another machine. */
function newer(fact: NewFact, how: "schema" | "type" | "machine"): NewFact {
  if (how === "type") return { ...fact, type: "ImageScanned", data: { verdict: ["clean"] } };
  return { ...fact, metadata: { ...fact.metadata, ...(how === "schema" ? { schema: 2 } : { machine: "2" }) } };
}

async function appendTo(eventLog: EventLog, stream: string, fact: NewFact): Promise<void> {
  const last = (await eventLog.read(stream, { direction: "backwards", limit: 1 }))[0]?.revision;
  await eventLog.append(stream, last ?? "no-stream", [fact]);
}

function opened(build: string, clock: SimulatedClock): NewFact {
  const context = { stream: buildStream(build), key: `newer ${build}`, buildId: build, node: "new", at: clock.now() };
  return buildFactToStore({ type: "BuildAdopted", data: { buildId: build, from: "" } }, context, nodeHash);
}

describe("a build that a newer version has written", () => {
  test.each(["schema", "type", "machine"] as const)(
    "(another %s) is refused for writing, and stays as it is",
    async (how) => {
      const { engine, eventLog, registry, clock } = scene({ node: "old" });
      registry.push(`${repository}:v1.2`, "one");
      await (await engine.openBuild({ id: "1" })).fetchImage(plans);
      await engine.close();
      await appendTo(eventLog, "build-1", newer(opened("1", clock), how));
      const before = await eventLog.read("build-1");

      const again = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "old again" });
      await expect(again.openBuild({ id: "1" })).rejects.toMatchObject({
        code: "FI_STORE_TOO_NEW",
        retryable: false,
        message: expect.stringMatching(/ at build-1@5 has .*may read the build, not write it/),
      });
      expect(await eventLog.read("build-1")).toEqual(before);
      await again.close();
    },
  );
});

describe("a scope that a newer version has written", () => {
  const observed = (scope: string, clock: SimulatedClock): NewFact =>
    scopeFactToStore(
      { type: "RateLimitObserved", data: { host: "registry.example.com" } },
      { stream: scopeStream(scope), key: "newer", buildId: "9", node: "new", at: clock.now() },
      nodeHash,
    );

  async function upgraded(how: "schema" | "type") {
    const { said, logger } = warnings();
    const { engine: first, eventLog, registry, clock } = scene({ node: "old", soleNode: false });
    const digest = registry.push(`${repository}:v1.2`, "one");
    await (await first.openBuild({ id: "1" })).fetchImage(plans);
    const requested = (await factsOf(eventLog, "1")).find((fact) => fact.type === "FetchRequested");
    const stream = scopeStream(requested?.data.scope ?? "");
    await appendTo(eventLog, stream, newer(observed(requested?.data.scope ?? "", clock), how));
    const engine = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "old 2", logger });
    return { engine, first, eventLog, registry, clock, digest, stream, said, stored: await eventLog.read(stream) };
  }

  test.each(["schema", "type"] as const)(
    "(another %s) is not written and not believed: the registry is asked, once an interval, and builds go on",
    async (how) => {
      const { engine, eventLog, registry, clock, digest, stream, said, stored } = await upgraded(how);
      const builds = await Promise.all(["2", "3", "4"].map((id) => engine.openBuild({ id })));
      const fetched = Promise.all(builds.map((build) => build.fetchImage(plans)));
      await clock.advance(1000);
      for (const { imageURL } of await fetched) expect(imageURL).toContain(digest);
      // What stood there before the newer fact was fresh; it may count no more.
      expect(registry.questions).toHaveLength(2);
      await (await engine.openBuild({ id: "5" })).fetchImage(plans);
      expect(registry.questions).toHaveLength(2);
      await clock.advance(61_000);
      await (await engine.openBuild({ id: "6" })).fetchImage(plans);
      expect(registry.questions).toHaveLength(3);
      expect(await eventLog.read(stream)).toEqual(stored);
      expect(said).toEqual([
        {
          message: "a scope has a fact of a newer version: its registry is asked, and nothing recorded",
          fields: expect.objectContaining({ stream, type: how === "type" ? "ImageScanned" : "RateLimitObserved" }),
        },
      ]);
    },
  );

  test("while a question of this node is under way: its answer reaches the build, and not the scope", async () => {
    const { engine: old, eventLog, registry, clock } = scene({ node: "old", soleNode: false });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await old.openBuild({ id: "1" });
    const fetch = build.fetchImage(plans);
    await clock.settle();
    const requested = (await factsOf(eventLog, "1")).find((fact) => fact.type === "FetchRequested");
    const scope = requested?.data.scope ?? "";
    await appendTo(eventLog, scopeStream(scope), newer(observed(scope, clock), "type"));
    registry.release();
    expect((await fetch).imageURL).toContain(digest);
    await clock.settle();
    expect((await eventLog.read(scopeStream(scope))).map(({ type }) => type)).toEqual(["CheckClaimed", "ImageScanned"]);
    await (await old.openBuild({ id: "2" })).fetchImage(plans);
    expect(registry.questions).toHaveLength(1);
  });

  test("while a question here was given up and its check goes on: who comes asks again later, and does not go round in circles", async () => {
    const { engine, registry, clock } = await upgraded("type");
    // A registry client that does not stop at once.
    registry.check = () => new Promise(() => {});
    const caller = new AbortController();
    const first = await engine.openBuild({ id: "2" });
    first.fetchImage({ ...plans, signal: caller.signal }).catch(() => {});
    await clock.advance(500);
    caller.abort();
    await clock.advance(100);
    const second = await engine.openBuild({ id: "3" });
    second.fetchImage(plans).catch(() => {});
    await clock.advance(100);
    let looks = 0;
    const now = clock.now.bind(clock);
    clock.now = () => {
      looks++;
      return now();
    };
    await clock.settle();
    expect(looks).toBe(0);
  });
});

describe("a projection of facts of which some are newer", () => {
  test("takes the others, warns once, says how many it passed over, and leaves them where they are", async () => {
    const { said, logger } = warnings();
    const { engine, eventLog, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    await (await engine.openBuild({ id: "1" })).fetchImage(plans);
    await appendTo(eventLog, "build-1", newer(opened("1", clock), "type"));
    await appendTo(eventLog, "build-2", newer(opened("2", clock), "type"));
    const readModel = createMemoryReadModel();
    const projector = createProjector({ eventLog, readModel, clock, logger });
    const { facts, skipped } = await projector.catchUp();
    const all = await eventLog.readAll({ limit: 100 });
    expect({ facts, skipped }).toEqual({ facts: all.facts.length - 2, skipped: 2 });
    expect(await readModel.imagesOfBuild("1")).toMatchObject([{ state: "short-circuited" }]);
    expect(said).toHaveLength(1);
    expect(all.facts.filter(({ type }) => type === "ImageScanned")).toHaveLength(2);
  });
});
