import {
  type EventLog,
  FetchImageError,
  type JsonObject,
  projectFacts,
  decodeFact,
  type ShadowClass,
} from "@fetch-image/core";
import { createShadow, type ShadowActual, shadowReport, type ShadowOptions } from "@fetch-image/engine";
import { createImageRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pinnedPlan, typePlans } from "../support/engine.ts";
import { scriptedRegistry } from "../support/scripted-registry.ts";
import { type SimulatedClock, simulatedClock } from "../support/simulated-clock.ts";

let embedded: EmbeddedRegistry;
let mirror: EmbeddedRegistry;
const registry = createImageRegistry();
beforeAll(async () => {
  embedded = await startEmbeddedRegistry({
    users: { robot: "correct-horse" },
    private: [{ prefix: "acme/private", scheme: "basic" }],
  });
  mirror = await startEmbeddedRegistry();
});
afterAll(async () => {
  await registry.close();
  await embedded.close();
  await mirror.close();
});

let clock: SimulatedClock;
let eventLog: EventLog;
beforeEach(() => {
  clock = simulatedClock();
  eventLog = createMemoryEventLog();
});

const nobodys = `sha256:${"0".repeat(64)}`;
const image = (name: string) => `${embedded.host}/acme/${name}`;
const pushed = async (name: string, layer: string) => (await embedded.push(`acme/${name}`, { layers: [layer] })).digest;

function shadowOf(options: Partial<ShadowOptions> = {}) {
  return createShadow({ eventLog, registry, clock, node: "beside", settings: { attempts: 1 }, ...options });
}

let builds = 0;
async function compare(source: JsonObject, actual: ShadowActual, shadow = shadowOf()) {
  const compared = await shadow.compare({
    build: { id: String(++builds), team: "main", pipeline: "ci", job: "unit" },
    ...typePlans("2", source),
    actual,
  });
  if (compared.kind !== "compared") throw new Error(JSON.stringify(compared));
  return compared.comparison;
}

const saying = (name: ShadowClass, because: string | RegExp, proof = "observed") =>
  expect.objectContaining({ class: name, proof, because: expect.stringMatching(because) });

describe("an image that the scheduler fetched its own way", () => {
  test("and got the same digest is one request, no difference, and no look", async () => {
    const digest = await pushed("app:1", "one");
    embedded.clearRequests();
    const source = { repository: image("app"), tag: "1" };
    const found = await compare(source, { reference: `docker:///${image("app")}:1@${digest}`, requests: 2, ms: 900 });
    expect(found).toMatchObject({
      class: "same",
      looks: [],
      asked: { requests: 1, explaining: 0 },
      theirs: { digest, tag: "1", repository: image("app"), requests: 2 },
      ours: { outcome: "resolved", version: { tag: "1", digest }, via: "HEAD" },
    });
    expect(embedded.requests).toHaveLength(1);
  });

  test("after the tag had moved: our own observations say when", async () => {
    const source = { repository: image("moved"), tag: "1" };
    const before = await pushed("moved:1", "one");
    const shadow = shadowOf();
    expect((await compare(source, { digest: before }, shadow)).class).toBe("same");
    await clock.advance(90_000);
    await pushed("moved:1", "two");
    const found = await compare(source, { digest: before, observedAt: "2026-11-22T00:00:30Z" }, shadow);
    expect(found).toEqual(saying("tag-moved", /when we asked at 2026-11-22T00:00:00.000Z, and at ours at .*00:01:30/));
    expect(found.looks).toEqual([{ at: "history", says: "2 digests since 2026-11-22T00:00:00.000Z" }]);
    expect(found.asked.explaining).toBe(0);
  });

  test("before the tag was seen to move: asked again, it is at theirs", async () => {
    const source = { repository: image("again"), tag: "1" };
    const shadow = shadowOf();
    await compare(source, { digest: await pushed("again:1", "one") }, shadow);
    const next = await pushed("again:1", "two");
    await clock.advance(10_000);
    const found = await compare(source, { digest: next }, shadow);
    expect(found).toEqual(saying("tag-moved", /ours is of 2026-11-22T00:00:00.000Z, and at .*00:00:10.* is at theirs/));
    expect(found.ours.via).toBe("fresh");
    expect(found.asked).toEqual({ requests: 0, explaining: 3 });
  });

  test("by an older check than our first sight: inferred, where the registry does have theirs", async () => {
    const source = { repository: image("older"), tag: "1" };
    const before = await pushed("older:1", "one");
    await pushed("older:1", "two");
    await clock.advance(600_000);
    const observedAt = "2026-11-22T00:09:10Z";
    expect(await compare(source, { digest: before, observedAt })).toEqual(
      saying("older-check", /they asked 2026-11-22T00:09:10.000Z, and we saw ours first at .*00:10:00/, "inferred"),
    );
    expect(await compare({ ...source, tag: "1" }, { digest: nobodys, observedAt })).toEqual(
      saying("unexplained", "the registry did not say that it has theirs"),
    );
  });

  test("as the image of a platform, of the index that we give", async () => {
    const pushedIndex = await embedded.push("acme/multi:1", { platforms: ["linux/amd64", "linux/arm64"] });
    const source = { repository: image("multi"), tag: "1" };
    expect(
      await compare(source, {
        digest: pushedIndex.platforms["linux/arm64/v8"] ?? pushedIndex.platforms["linux/arm64"] ?? "",
      }),
    ).toEqual(saying("platform", /ours, sha256:.*, is the index, and theirs, sha256:.*, its image for linux\/arm64/));
  });

  test("from the registry itself, where the source's mirror is behind", async () => {
    await mirror.push("acme/mirrored:1", { layers: ["old"] });
    const digest = await pushed("mirrored:1", "new");
    await clock.advance(3_600_000);
    const source = { repository: image("mirrored"), tag: "1", registry_mirror: { host: mirror.host } };
    const direct = createImageRegistry({ endpoints: { "docker.io": embedded.origin } });
    const hub = { ...source, repository: "acme/mirrored" };
    const found = await compare(hub, { digest, observedAt: "2026-11-22T01:00:00Z" }, shadowOf({ registry: direct }));
    await direct.close();
    expect(found).toEqual(saying("mirror", /gave ours, and .* gives theirs at .*: the mirror is behind/));
  });

  test("from another registry than the source names", async () => {
    await pushed("elsewhere:1", "here");
    const source = { repository: image("elsewhere"), tag: "1" };
    expect(await compare(source, { reference: `mirror.example.com/acme/elsewhere:1@${nobodys}` })).toEqual(
      saying("mirror", /they pulled from mirror.example.com\/acme\/elsewhere, the source names 127/),
    );
  });

  test("without a digest: unpinned", async () => {
    await pushed("unpinned:1", "one");
    expect(await compare({ repository: image("unpinned"), tag: "1" }, { reference: `${image("unpinned")}:1` })).toEqual(
      saying("unpinned", "told no digest"),
    );
  });

  test("with credentials that we were not given", async () => {
    const digest = await pushed("private:1", "secret");
    const source = { repository: image("private"), tag: "1" };
    expect(await compare(source, { digest })).toEqual(saying("credentials", /FI_UNAUTHORIZED: /));
    const login = { username: "robot", password: "correct-horse" };
    const found = await compare({ ...source, ...login }, { failure: "password correct-horse was refused" });
    expect(found.class).toBe("they-failed");
    for (const { data } of await stored()) expect(JSON.stringify(data)).not.toContain("correct-horse");
  });

  test("of a type, or by a field, that a switch would leave to the scheduler's own steps", async () => {
    const shadow = shadowOf();
    const plans = { ...typePlans("2", { image: "x" }, { type: "s3-image" }), actual: { digest: nobodys } };
    const found = await shadow.compare({ build: { id: "1" }, ...plans });
    expect(found).toMatchObject({ kind: "compared", comparison: saying("physical", "type: .* is of type s3-image") });
    expect(
      await compare(
        { repository: "acme/app", tag: "1", aws_region: "eu-north-1", aws_role_arns: [] },
        { digest: nobodys },
      ),
    ).toMatchObject({
      class: "physical",
    });
  });

  test("where the tag is not there: we fail, and stand in the way; or both fail", async () => {
    await pushed("gone:1", "one");
    const source = { repository: image("gone"), tag: "2" };
    expect(await compare(source, { digest: nobodys })).toEqual(saying("we-failed", "FI_IMAGE_UNKNOWN: .*no image"));
    expect(await compare(source, { failure: "no such tag" })).toEqual(saying("both-failed", "they: no such tag; we: "));
  });

  test("with a digest that nothing explains", async () => {
    const digest = await pushed("odd:1", "one");
    const other = await pushed("odd:other", "two");
    const shadow = shadowOf();
    await compare({ repository: image("odd"), tag: "1" }, { digest }, shadow);
    await clock.advance(3_600_000);
    const found = await compare(
      { repository: image("odd"), tag: "1" },
      { version: { tag: "other", digest: other } },
      shadow,
    );
    expect(found).toEqual(saying("unexplained", `theirs is ${other}, ours ${digest}, of the tags other and 1`));
    expect(found.looks.map(({ at }) => at)).toEqual(["history", "index", "again"]);
  });

  test("against a pin: nothing but its index can explain another digest", async () => {
    const digest = await pushed("pin:1", "one");
    const getPlan = pinnedPlan("2", { repository: image("pin"), tag: "1" }, { digest });
    const found = await shadowOf().compare({ build: { id: "9" }, getPlan, actual: { digest: nobodys } });
    expect(found).toMatchObject({ comparison: { class: "unexplained", looks: [{ at: "index" }] } });
  });
});

const stored = async () => (await eventLog.readAll({ limit: 1000 })).facts;

describe("a shadow", () => {
  test("stores no build: what it resolves counts nowhere as having run", async () => {
    const digest = await pushed("nowhere:1", "one");
    await compare({ repository: image("nowhere"), tag: "1" }, { digest });
    const facts = await stored();
    expect(facts.map(({ stream, type }) => `${stream.replace(/-.*/, "")} ${type}`)).toEqual([
      "imageScope CheckClaimed",
      "imageScope VersionObserved",
      "shadow ImageCompared",
    ]);
    const known = facts.map((fact) => decodeFact(fact)).flatMap((each) => (each.known ? [each.fact] : []));
    const { builds: rows, images } = projectFacts(known);
    expect([...rows, ...images]).toEqual([]);
  });

  test("neither holds its caller up nor rejects: what it cannot take it drops and counts, and the next fact says so", async () => {
    const scripted = scriptedRegistry();
    const digest = scripted.push("registry.example.com/app:1", "one");
    scripted.hold();
    const shadow = shadowOf({ registry: scripted, concurrency: 1, waiting: 1 });
    const plans = typePlans("2", { repository: "registry.example.com/app", tag: "1" });
    const asking = ["1", "2", "3", "4"].map((id) => shadow.compare({ build: { id }, ...plans, actual: { digest } }));
    expect(shadow.counts()).toMatchObject({ dropped: 2, waiting: 2 });
    await clock.settle();
    scripted.release();
    expect((await Promise.all(asking)).map(({ kind }) => kind)).toEqual(["compared", "compared", "dropped", "dropped"]);
    expect((await stored()).filter(({ type }) => type === "ImageCompared").map(({ data }) => data["dropped"])).toEqual([
      2,
      undefined,
    ]);
  });

  test.each<[string, object]>([
    ["actual.digest", { actual: { digest: "latest" } }],
    ["actual.digest", { actual: {} }],
    ["actual.at", { actual: { digest: nobodys, at: "yesterday" } }],
    ["actual", { actual: null }],
    ["build.id", { build: undefined }],
    ["getPlan", { getPlan: undefined }],
  ])("answers a question without a sound %s with what is wrong", async (field, part) => {
    const plans = typePlans("2", { repository: "registry.example.com/app" });
    const question = { build: { id: "1" }, ...plans, actual: { digest: nobodys }, ...part };
    const answer = await shadowOf().compare(question);
    expect(answer).toMatchObject({
      kind: "not-compared",
      error: { code: "FI_COMPARISON_INVALID", details: { field } },
    });
  });

  test("that is closed gives up what is in hand, and says so", async () => {
    const scripted = scriptedRegistry();
    scripted.push("registry.example.com/app:1", "one");
    scripted.hold();
    const shadow = shadowOf({ registry: scripted });
    const plans = typePlans("2", { repository: "registry.example.com/app", tag: "1" });
    const asking = shadow.compare({ build: { id: "1" }, ...plans, actual: { digest: nobodys } });
    await clock.settle();
    await shadow.close();
    expect(await asking).toMatchObject({ kind: "not-compared" });
    expect(await shadow.compare({ build: { id: "2" }, ...plans, actual: { digest: nobodys } })).toMatchObject({
      error: { code: "FI_ENGINE_CLOSED" },
    });
    expect((await stored()).filter(({ type }) => type === "ImageCompared")).toEqual([]);
  });

  test("writes one stream a day with others, and repeats what the store did not answer", async () => {
    let unknown = 1;
    const shaky: EventLog = {
      ...eventLog,
      append: async (stream, expected, facts) => {
        const appended = await eventLog.append(stream, expected, facts);
        if (stream.startsWith("shadow-") && unknown-- > 0) throw new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN");
        return appended;
      },
      read: (...args) => eventLog.read(...args),
      readAll: (...args) => eventLog.readAll(...args),
    };
    const digest = await pushed("shared:1", "one");
    const source = { repository: image("shared"), tag: "1" };
    const one = shadowOf({ eventLog: shaky, node: "one" });
    const other = shadowOf({ node: "other" });
    const first = compare(source, { digest }, one);
    await clock.advance(1000);
    await first;
    await compare(source, { digest }, other);
    await compare(source, { digest }, one);
    await clock.advance(86_400_000);
    await compare(source, { digest }, one);
    expect(await eventLog.read("shadow-2026-11-22")).toHaveLength(3);
    expect(await eventLog.read("shadow-2026-11-23")).toHaveLength(1);
  });
});

describe("the report", () => {
  const since = Date.parse("2026-11-22T00:00:00Z");
  const until = Date.parse("2026-12-22T00:00:00Z");
  const rule = { comparisons: 3, periodMs: 86_400_000 };

  test("counts by class, what stands in the way first, and what both ways cost", async () => {
    const digest = await pushed("report:1", "one");
    const other = await pushed("report:2", "two");
    const source = { repository: image("report"), tag: "1" };
    const shadow = shadowOf();
    await compare(source, { digest, requests: 2, ms: 1000 }, shadow);
    await compare(source, { reference: `${image("report")}:1` }, shadow);
    await clock.advance(3_600_000);
    for (let times = 0; times < 2; times++) await compare(source, { digest: other }, shadow);
    const report = await shadowReport(eventLog, { since, until, rule });
    expect(report).toMatchObject({
      comparisons: 4,
      counts: { same: 1, unpinned: 1, unexplained: 2 },
      requests: { ours: 2, explaining: 6, theirs: 2, told: 1 },
      time: { theirs: 1000, told: 1 },
      verdict: {
        verdict: "not-safe",
        says: "Not safe to switch: 2 unexplained differences, in 4 comparisons over 1h.",
      },
    });
    expect(report.differences.map(({ class: name, times, ours, theirs }) => [name, times, ours, theirs])).toEqual([
      ["unexplained", 2, digest, other],
      ["unpinned", 1, digest, undefined],
    ]);
    expect(await shadowReport(eventLog, { since: since + 1, until, rule })).toMatchObject({ comparisons: 2 });
  });

  test("says that it is safe only after enough comparisons over a time long enough", async () => {
    const digest = await pushed("verdict:1", "one");
    const shadow = shadowOf();
    const verdict = async () => (await shadowReport(eventLog, { since, until, rule })).verdict;
    expect((await verdict()).verdict).toBe("too-early");
    for (let times = 0; times < 3; times++) {
      await compare({ repository: image("verdict"), tag: "1" }, { digest }, shadow);
    }
    expect((await verdict()).says).toBe(
      "Too early to say: nothing stands in the way in 3 comparisons over 0ms; 3 comparisons over 24h are wanted.",
    );
    await clock.advance(86_400_000);
    await compare({ repository: image("verdict"), tag: "1" }, { digest }, shadow);
    expect(await verdict()).toEqual({
      verdict: "safe",
      says: "Safe to switch: no unexplained difference in 4 comparisons over 24h.",
    });
  });
});
