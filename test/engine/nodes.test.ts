import {
  type EventLog,
  FetchImageError,
  formatTime,
  type ScopeFact,
  scopeFactToStore,
  scopeStream,
  scopeStreamPrefix,
} from "@fetch-image/core";
import { createFetchImageEngine, nodeHash } from "@fetch-image/engine";
import { describe, expect, test, vi } from "vitest";
import { factsOf, factTypesOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const source = { repository, tag: "v1.2" };
const plans = { ...typePlans("2", source), privileged: false };

describe("several nodes on one event log", () => {
  test("ask once for one cold scope: the other joins, and gets the answer", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const first = (await a.openBuild({ id: "1" })).fetchImage(plans);
    await clock.settle();
    const second = (await b.openBuild({ id: "2" })).fetchImage(plans);
    await clock.advance(1000);
    registry.release();
    expect((await first).imageURL).toContain(digest);
    await clock.advance(1000);
    expect((await second).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(1);
    expect(await factTypesOf(eventLog, "2")).toContain("CheckJoined");
    const resolved = (await factsOf(eventLog, "2")).find(({ type }) => type === "ImageVersionResolved");
    expect(resolved?.data).toMatchObject({ via: "joined", evidence: { asker: { buildId: "1" } } });
  });

  test("that race for a claim ask once: who loses reads on and joins", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    registry.push(`${repository}:v1.2`, "one");
    const [one, two] = [await a.openBuild({ id: "1" }), await b.openBuild({ id: "2" })];
    const fetches = Promise.all([one.fetchImage(plans), two.fetchImage(plans)]);
    await clock.advance(1000);
    await fetches;
    expect(registry.questions).toHaveLength(1);
  });

  test.each([
    ["", 0],
    [" and whose clock was an hour ahead", 3_600_000],
  ])("take over from a node that died asking%s, once its claim has run out", async (_, aheadMs) => {
    const { eventLog, registry, clock } = scene();
    const ahead = { ...clock, now: () => clock.now() + aheadMs };
    const a = createFetchImageEngine({ eventLog, registry, clock: ahead, nativeImageFetch: true, node: "a" });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const lost = (await a.openBuild({ id: "1" })).fetchImage(plans);
    lost.catch(() => {});
    await clock.settle();
    await a.close();
    registry.release();
    await clock.settle();

    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const fetch = (await b.openBuild({ id: "2" })).fetchImage(plans);
    await clock.advance(29_000);
    expect(await factTypesOf(eventLog, "2")).toEqual(["BuildOpened", "FetchRequested", "CheckJoined"]);
    await clock.advance(2_000);
    expect((await fetch).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(2);
  });

  test("ask at once for a fetch whose node died asking, where its build is taken up, though others wait there", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const digest = registry.push(`${repository}:v1.2`, "one");
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    // It knows the scope as it was before the claim, and so waits for what it tried to claim itself.
    await (await b.openBuild({ id: "0" })).fetchImage(plans);
    await clock.advance(120_000);
    registry.hold();
    const lost = (await a.openBuild({ id: "1" })).fetchImage(plans);
    lost.catch(() => {});
    await clock.settle();
    const waiting = ["2", "3"].map(async (id) => (await b.openBuild({ id })).fetchImage(plans));
    await clock.settle();
    await a.close();
    registry.release();
    const adopted = (await b.openBuild({ id: "1" })).fetchImage(plans);
    await clock.advance(1000);
    const images = await Promise.all([adopted, ...waiting]);
    expect(images.map(({ imageURL }) => imageURL?.includes(digest))).toEqual([true, true, true]);
    expect(registry.questions).toHaveLength(3);
  });

  test("a question whose build was taken up elsewhere is called off, and who asks there keeps the claim", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const [b, c] = ["b", "c"].map((node) =>
      createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node }),
    );
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const controller = new AbortController();
    const lost = (await a.openBuild({ id: "1" })).fetchImage({ ...plans, signal: controller.signal });
    lost.catch(() => {});
    await clock.settle();
    const adopted = (await b?.openBuild({ id: "1" }))?.fetchImage(plans);
    await clock.settle();
    expect(registry.questions).toHaveLength(2);
    controller.abort();
    await expect(lost).rejects.toMatchObject({ code: "FI_BUILD_ADOPTED" });
    const joining = (await c?.openBuild({ id: "2" }))?.fetchImage(plans);
    await clock.advance(1000);
    expect(await factTypesOf(eventLog, "2")).toEqual(["BuildOpened", "FetchRequested", "CheckJoined"]);
    registry.release();
    await clock.advance(1000);
    expect((await adopted)?.imageURL).toContain(digest);
    expect((await joining)?.imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(2);
  });

  test("say who asked in the end, where several waited until the claim of the dead ran out", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const lost = (await a.openBuild({ id: "1" })).fetchImage(plans);
    lost.catch(() => {});
    await clock.settle();
    const nodes = ["b", "c"].map((node) =>
      createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node }),
    );
    const fetches = nodes.flatMap((node, n) =>
      [`${n}-1`, `${n}-2`].map(async (id) => (await node.openBuild({ id })).fetchImage(plans)),
    );
    await clock.settle();
    await a.close();
    registry.release();
    for (let second = 0; second < 35; second++) await clock.advance(1000);
    await Promise.all(fetches);
    expect(registry.questions).toHaveLength(2);
    const answers = await Promise.all(
      ["0-1", "0-2", "1-1", "1-2"].map(async (id) => {
        const facts = await factsOf(eventLog, id);
        const resolved = facts.find(({ type }) => type === "ImageVersionResolved");
        if (resolved?.type !== "ImageVersionResolved") throw new Error(`${id} has no version`);
        return { id, via: resolved.data.via, asker: resolved.data.evidence?.asker?.buildId };
      }),
    );
    const asked = answers.filter(({ via }) => via === "HEAD");
    expect(asked).toHaveLength(1);
    const others = answers.filter(({ via }) => via !== "HEAD");
    expect(others.map(({ asker }) => asker)).toEqual(others.map(() => asked[0]?.id));
    expect(others.filter(({ via }) => via !== "joined" && via !== "fresh")).toEqual([]);
  });

  test("however many wait for another node's answer, their node reads the scope once per look", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const reading = vi.spyOn(eventLog, "read");
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const first = (await a.openBuild({ id: "1" })).fetchImage(plans);
    await clock.settle();
    const builds = Array.from({ length: 100 }, (_, n) => b.openBuild({ id: `waits-${n}` }));
    const waiting = builds.map(async (build) => (await build).fetchImage(plans));
    await clock.settle();
    reading.mockClear();
    for (let quarter = 0; quarter < 40; quarter++) await clock.advance(250);
    const reads = reading.mock.calls.filter(([stream]) => stream.startsWith(scopeStreamPrefix));
    expect(reads.length).toBeGreaterThan(30);
    expect(reads.length).toBeLessThanOrEqual(41);
    registry.release();
    await clock.advance(1000);
    await first;
    const images = await Promise.all(waiting);
    expect(images.filter(({ imageURL }) => imageURL?.includes(digest))).toHaveLength(100);
    expect(registry.questions).toHaveLength(1);
  });

  test("a fetch in a scope whose claim is held is not stuck when its own signal aborts", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const held = (await a.openBuild({ id: "1" })).fetchImage(plans);
    held.catch(() => {});
    await clock.settle();
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const controller = new AbortController();
    const waiting = (await b.openBuild({ id: "2" })).fetchImage({ ...plans, signal: controller.signal });
    await clock.settle();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "FI_ABORTED" });
    registry.release();
    await held;
  });

  test("a question that is called off leaves those who joined it no older answer: one of them asks", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const byHand = { ...typePlans("2", source, { skip: true }), privileged: false };
    registry.push(`${repository}:v1.2`, "one");
    await (await b.openBuild({ id: "0" })).fetchImage(byHand);
    await clock.advance(1000);

    const digest = registry.push(`${repository}:v1.2`, "two");
    registry.hold();
    const controller = new AbortController();
    const calledOff = (await a.openBuild({ id: "1" })).fetchImage({ ...byHand, signal: controller.signal });
    calledOff.catch(() => {});
    await clock.settle();
    const joined = (await b.openBuild({ id: "2" })).fetchImage(byHand);
    await clock.advance(1000);
    expect(await factTypesOf(eventLog, "2")).toContain("CheckJoined");
    controller.abort();
    await expect(calledOff).rejects.toMatchObject({ code: "FI_ABORTED" });
    registry.release();
    await clock.advance(1000);
    expect((await joined).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(3);
  });

  test.each([
    ["by hand", { skip: true }],
    ["whose interval is over", { interval: "1s" }],
  ])("a build %s takes no question for one in flight that was answered since its node looked", async (_, options) => {
    const { digest, calls, b, registry, clock } = await answeredUnseen();
    const build = await b.openBuild({ id: "3" });
    const fetch = build.fetchImage({ ...typePlans("2", source, options), privileged: false });
    await clock.advance(1000);
    expect((await fetch).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(3);
    expect(calls.scopeReads).toBe(2);
  });

  test("a build by hand does not join a question that may yet be answered by what another node was told before", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    registry.push(`${repository}:v1.2`, "one");
    await (await b.openBuild({ id: "0" })).fetchImage(plans);
    await clock.advance(120_000);
    const second = registry.push(`${repository}:v1.2`, "two");
    await (await a.openBuild({ id: "1" })).fetchImage(plans);
    await clock.advance(1000);
    const third = registry.push(`${repository}:v1.2`, "three");
    const [one, another] = [await b.openBuild({ id: "2" }), await b.openBuild({ id: "3" })];
    const byHand = { ...typePlans("2", source, { skip: true }), privileged: false };
    const fetches = [one.fetchImage(plans), another.fetchImage(byHand)];
    await clock.advance(1000);
    const images = await Promise.all(fetches);
    expect(images.map(({ imageURL }) => imageURL)).toEqual([
      expect.stringContaining(second),
      expect.stringContaining(third),
    ]);
    expect(registry.questions).toHaveLength(3);
  });

  test("a question that is called off while its claim is on its way is not put, and gives the claim back", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const append = eventLog.append.bind(eventLog);
    let arrive = (): void => {};
    const arrival = new Promise<void>((resolve) => (arrive = resolve));
    vi.spyOn(eventLog, "append").mockImplementation(async (stream, ...rest) => {
      if (stream.startsWith(scopeStreamPrefix)) await arrival;
      return await append(stream, ...rest);
    });
    const controller = new AbortController();
    const fetch = (await engine.openBuild({ id: "1" })).fetchImage({ ...plans, signal: controller.signal });
    await clock.settle();
    controller.abort();
    await expect(fetch).rejects.toMatchObject({ code: "FI_ABORTED" });
    arrive();
    await clock.settle();
    const { facts } = await eventLog.readAll({ limit: 10, filter: { streamPrefixes: [scopeStreamPrefix] } });
    expect(facts.map(({ type }) => type)).toEqual(["CheckClaimed", "CheckFailed"]);
    expect(registry.questions).toEqual([]);
  });

  test("a question that is called off late does not free the claim of the next one of the same fetch", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const append = eventLog.append.bind(eventLog);
    let fill = (): void => {};
    let arrive = (): void => {};
    const isFull = new Promise<void>((resolve) => (fill = resolve));
    const arrival = new Promise<void>((resolve) => (arrive = resolve));
    let requests = 0;
    vi.spyOn(eventLog, "append").mockImplementation(async (stream, expected, facts) => {
      if (facts.some(({ type }) => type === "CheckFailed")) await arrival;
      if (facts.some(({ type }) => type === "FetchRequested") && ++requests === 1) {
        await isFull;
        throw new FetchImageError("FI_STORE_FULL");
      }
      return await append(stream, expected, facts);
    });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const lost = (await engine.openBuild({ id: "1" })).fetchImage(plans);
    lost.catch(() => {});
    await clock.advance(10);
    fill();
    await expect(lost).rejects.toMatchObject({ code: "FI_STORE_FULL" });
    const again = (await engine.openBuild({ id: "1" })).fetchImage(plans);
    await clock.advance(10);
    arrive();
    await clock.advance(10);
    expect(registry.questions).toHaveLength(2);
    const joining = (await b.openBuild({ id: "2" })).fetchImage(plans);
    await clock.settle();
    registry.release();
    await clock.advance(1000);
    expect((await again).imageURL).toContain(digest);
    expect((await joining).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(2);
  });

  test("a claim that was on its way for longer than it holds is made again before anybody asks", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const append = eventLog.append.bind(eventLog);
    let arrive = (): void => {};
    const arrival = new Promise<void>((resolve) => (arrive = resolve));
    let claims = 0;
    vi.spyOn(eventLog, "append").mockImplementation(async (stream, ...rest) => {
      const appended = await append(stream, ...rest);
      if (stream.startsWith(scopeStreamPrefix) && ++claims === 1) await arrival;
      return appended;
    });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const late = (await a.openBuild({ id: "1" })).fetchImage(plans);
    await clock.advance(31_000);
    const next = (await b.openBuild({ id: "2" })).fetchImage(plans);
    await clock.advance(1000);
    expect(registry.questions).toHaveLength(1);
    arrive();
    await clock.advance(1000);
    expect(registry.questions).toHaveLength(1);
    registry.release();
    await clock.advance(1000);
    expect((await late).imageURL).toBe((await next).imageURL);
    expect(registry.questions).toHaveLength(1);
  });

  test("one that is aborted while its node looks leaves no question behind", async () => {
    const { calls, b, registry, clock } = await answeredUnseen();
    const build = await b.openBuild({ id: "3" });
    const controller = new AbortController();
    const { signal } = controller;
    calls.heldUntil = new Promise((resolve) => {
      clock.after(100, resolve);
    });
    const fetch = build.fetchImage({ ...typePlans("2", source, { skip: true }), privileged: false, signal });
    fetch.catch(() => {});
    await clock.settle();
    expect(calls.scopeReads).toBe(2);
    controller.abort();
    await expect(fetch).rejects.toMatchObject({ code: "FI_ABORTED" });
    await clock.advance(60_000);
    expect(registry.questions).toHaveLength(2);
  });

  test("an answer that was stamped before the other node joined is its answer all the same", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "b", soleNode: false });
    const digest = registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "2" });
    await build.fetchImage(plans);
    const [requested] = (await factsOf(eventLog, "2")).filter(({ type }) => type === "FetchRequested");
    if (requested?.type !== "FetchRequested") throw new Error("nothing was requested");
    const { scope = "", source: publicSource } = requested.data;

    // Another node's clock is three seconds behind, and its question is under way.
    const asker = { buildId: "1", fetchId: "2/image-get" };
    const store = (fact: ScopeFact, key: string) =>
      scopeFactToStore(
        fact,
        { stream: scopeStream(scope), key, buildId: "1", node: "a", at: clock.now() - 3000 },
        nodeHash,
      );
    await clock.advance(120_000);
    const until = formatTime(clock.now() + 27_000);
    const claim = {
      scope,
      type: "registry-image",
      repository,
      tag: "v1.2",
      source: publicSource,
      credential: null,
      asker,
      until,
    };
    await eventLog.append(scopeStream(scope), 1n, [store({ type: "CheckClaimed", data: claim }, "claim")]);
    const joining = build.fetchImage({ ...typePlans("3", source), privileged: false });
    // This one finds the claim as it reads the scope for the first time.
    const c = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "c" });
    const late = (await c.openBuild({ id: "3" })).fetchImage(plans);
    await clock.advance(500);
    const version = { tag: "v1.2", digest };
    const observed = {
      version,
      changed: false,
      via: "HEAD" as const,
      host: "registry.example.com",
      status: 200,
      asker,
    };
    await eventLog.append(scopeStream(scope), 2n, [store({ type: "VersionObserved", data: observed }, "answer")]);
    await clock.advance(1000);
    expect((await joining).imageURL).toContain(digest);
    expect((await late).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(1);
  });

  test("who joined on a node that died gets the answer that came, where the next node knows an older one", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const byHand = { ...typePlans("2", source, { skip: true }), privileged: false };
    registry.push(`${repository}:v1.2`, "one");
    await (await b.openBuild({ id: "0" })).fetchImage(byHand);
    const [requested] = (await factsOf(eventLog, "0")).filter(({ type }) => type === "FetchRequested");
    if (requested?.type !== "FetchRequested") throw new Error("nothing was requested");
    const { scope = "" } = requested.data;
    await clock.advance(1000);

    const digest = registry.push(`${repository}:v1.2`, "two");
    registry.hold();
    for (const id of ["1", "2"]) {
      (await a.openBuild({ id })).fetchImage(byHand).catch(() => {});
      await clock.settle();
    }
    expect(await factTypesOf(eventLog, "2")).toEqual(["BuildOpened", "FetchRequested", "CheckJoined"]);
    await a.close();
    // It had the answer, stored it in the scope, and died before it stood in the build.
    const asker = { buildId: "1", fetchId: "2/image-get" };
    const version = { tag: "v1.2", digest };
    const where = { via: "HEAD" as const, host: "registry.example.com", status: 200, asker };
    const fact: ScopeFact = { type: "VersionObserved", data: { version, changed: true, ...where } };
    const context = { stream: scopeStream(scope), key: "answer", buildId: "1", node: "a", at: clock.now() };
    await eventLog.append(scopeStream(scope), 2n, [scopeFactToStore(fact, context, nodeHash)]);

    const fetch = (await b.openBuild({ id: "2" })).fetchImage(byHand);
    await clock.settle();
    expect((await fetch).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(2);
    const resolved = (await factsOf(eventLog, "2")).find(({ type }) => type === "ImageVersionResolved");
    expect(resolved?.data).toMatchObject({ via: "joined", evidence: { asker } });
  });

  test("who joined by hand on a node that died takes no answer from before that: it asks when its patience is over", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const byHand = { ...typePlans("2", source, { skip: true }), privileged: false };
    const before = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    (await a.openBuild({ id: "1" })).fetchImage(byHand).catch(() => {});
    await clock.settle();
    // A node that was given up for dead answers the scope, and the one that asks now does not look.
    const [claimed] = (await eventLog.readAll({ limit: 10, filter: { streamPrefixes: [scopeStreamPrefix] } })).facts;
    const { stream = "" } = claimed ?? {};
    const asker = { buildId: "1", fetchId: "2/image-get" };
    const where = { via: "HEAD" as const, host: "registry.example.com", status: 200, asker };
    const data = { version: { tag: "v1.2", digest: before }, changed: true, ...where };
    const context = { stream, key: "answer", buildId: "1", node: "late", at: clock.now() };
    await eventLog.append(stream, 0n, [scopeFactToStore({ type: "VersionObserved", data }, context, nodeHash)]);
    const digest = registry.push(`${repository}:v1.2`, "two");
    await clock.advance(1000);

    (await a.openBuild({ id: "2" })).fetchImage(byHand).catch(() => {});
    await clock.settle();
    expect(await factTypesOf(eventLog, "2")).toEqual(["BuildOpened", "FetchRequested", "CheckJoined"]);
    await a.close();
    registry.release();
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const fetch = (await b.openBuild({ id: "2" })).fetchImage(byHand);
    await clock.advance(29_000);
    expect(registry.questions).toHaveLength(1);
    await clock.advance(1000);
    expect((await fetch).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(2);
  });

  test("five hundred cold fetches of one scope on four nodes ask once, and the others say whom they joined", async () => {
    const { engine: first, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const nodes = [
      first,
      ...["b", "c", "d"].map((node) =>
        createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node }),
      ),
    ];
    const digest = registry.push(`${repository}:v1.2`, "one");
    const builds = await Promise.all(nodes.map((node, at) => node.openBuild({ id: String(at) })));
    registry.hold();
    const fetches = Array.from({ length: 500 }, async (_, at) => {
      const build = builds[at % builds.length];
      return await build?.fetchImage({ ...typePlans(`s${at}`, source), privileged: false });
    });
    await clock.advance(1000);
    registry.release();
    await clock.advance(1000);
    for (const spec of await Promise.all(fetches)) expect(spec?.imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(1);
    const facts = (await Promise.all(builds.map((_, at) => factsOf(eventLog, String(at))))).flat();
    const joined = facts.flatMap((fact) => (fact.type === "CheckJoined" ? [fact.data.asker] : []));
    expect(joined).toHaveLength(499);
    const resolved = facts.flatMap((fact) => (fact.type === "ImageVersionResolved" ? [fact.data] : []));
    const asked = resolved.filter(({ via }) => via === "HEAD");
    expect(asked).toHaveLength(1);
    // All of them had the answer of the one that asked, whoever they had joined on the way.
    const askers = resolved.flatMap(({ via, evidence }) => (via === "joined" ? [evidence?.asker?.fetchId] : []));
    expect(new Set(askers)).toEqual(new Set([asked[0]?.fetchId]));
  });

  test("take over within the claim and a look, however late they joined", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    (await a.openBuild({ id: "1" })).fetchImage(plans).catch(() => {});
    await clock.settle();
    await a.close();
    registry.release();
    await clock.advance(20_000);
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const build = await b.openBuild({ id: "2" });
    const waiting = [2, 3].map((step) => build.fetchImage({ ...typePlans(String(step), source), privileged: false }));
    await clock.advance(10_250);
    for (const { imageURL } of await Promise.all(waiting)) expect(imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(2);
  });

  test("keep what one user may see from all others", async () => {
    const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
    const b = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    const digest = registry.push(`${repository}:v1.2`, "one");
    const check = registry.check.bind(registry);
    registry.check = async (asked, options) => {
      if (asked.username !== "team-a") {
        registry.failNext(new FetchImageError("FI_UNAUTHORIZED", { message: "registry.example.com answered 401" }));
      }
      return await check(asked, options);
    };
    const fetchAs = async (engine: typeof a, id: string, login: { username?: string; password?: string }) => {
      const build = await engine.openBuild({ id });
      return await build.fetchImage({ ...typePlans("2", { ...source, ...login }), privileged: false });
    };
    expect((await fetchAs(a, "1", { username: "team-a", password: "pass" })).imageURL).toContain(digest);
    for (const [id, login] of [
      ["3", {}],
      ["4", { username: "team-b", password: "pass" }],
    ] as const) {
      await expect(fetchAs(b, id, login)).rejects.toMatchObject({ cause: { code: "FI_UNAUTHORIZED" } });
      expect(JSON.stringify((await factsOf(eventLog, id)).map(({ data }) => data))).not.toContain(digest);
    }
  });
});

/** Node b has seen a claim of node a; a has been answered since, and then the tag has moved to `digest`. */
async function answeredUnseen() {
  const { engine: a, eventLog, registry, clock } = scene({ node: "a", soleNode: false });
  const calls = { scopeReads: 0, heldUntil: Promise.resolve() };
  const seen: EventLog = {
    append: (...args) => eventLog.append(...args),
    read: async (stream, options) => {
      if (stream.startsWith(scopeStreamPrefix)) {
        calls.scopeReads++;
        await calls.heldUntil;
      }
      return await eventLog.read(stream, options);
    },
    readAll: (options) => eventLog.readAll(options),
    subscribe: (options) => eventLog.subscribe(options),
    close: () => eventLog.close(),
  };
  const b = createFetchImageEngine({ eventLog: seen, registry, clock, nativeImageFetch: true, node: "b" });
  registry.push(`${repository}:v1.2`, "one");
  await (await a.openBuild({ id: "0" })).fetchImage(plans);
  registry.hold();
  const byHand = { ...typePlans("2", source, { skip: true }), privileged: false };
  const asking = (await a.openBuild({ id: "1" })).fetchImage(byHand);
  await clock.settle();
  await (await b.openBuild({ id: "2" })).fetchImage(plans);
  registry.release();
  await clock.settle();
  await asking;
  await clock.advance(2000);
  return { digest: registry.push(`${repository}:v1.2`, "two"), calls, b, registry, clock };
}
