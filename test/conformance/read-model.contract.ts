import type {
  BuildImageRow,
  BuildRow,
  ObservationOutcome,
  ObservationRow,
  ReadModel,
  ReadModelChanges,
  ScopeRow,
  VersionRow,
} from "@fetch-image/core";
import { describe, expect } from "vitest";
import { type Check, contract, type ReadModelUnderTest } from "./under-test.ts";

/** Everything that packages/core/src/ports/read-model.ts promises, of one adapter. */
export function readModelContract(name: string, adapter: ReadModelUnderTest): void {
  describe(`the read model of ${name}`, () => {
    contract("the checkpoint", adapter, checkpointContract);
    contract("rows", adapter, rowContract);
    contract("questions", adapter, questionContract);
    contract("the audit", adapter, auditContract);
  });
}

function checkpointContract(check: Check<ReadModel>): void {
  check("there is none before the first page", async (readModel) => {
    expect(await readModel.checkpoint()).toBeUndefined();
  });

  check("it moves with the changes, and an empty page moves it too", async (readModel) => {
    expect(await readModel.apply(changes({ builds: [aBuild("1")] }), { from: undefined, to: "7" })).toBe("applied");
    expect(await readModel.checkpoint()).toBe("7");
    expect(await readModel.apply(changes({}), { from: "7", to: "C:12/P:9" })).toBe("applied");
    expect(await readModel.checkpoint()).toBe("C:12/P:9");
    expect(await readModel.build("1")).toEqual(aBuild("1"));
  });

  check("a page that starts elsewhere than the checkpoint stands changes nothing", async (readModel) => {
    const page = changes({ builds: [aBuild("1")] });
    expect(await readModel.apply(page, { from: "7", to: "8" })).toBe("moved-by-another");
    expect(await readModel.checkpoint()).toBeUndefined();
    await readModel.apply(changes({}), { from: undefined, to: "7" });
    for (const from of [undefined, "6", "8", ""]) {
      expect(await readModel.apply(page, { from, to: "9" })).toBe("moved-by-another");
    }
    expect(await readModel.checkpoint()).toBe("7");
    expect(await readModel.build("1")).toBeUndefined();
  });

  check("of projectors that apply the same page at once, one counts", async (readModel) => {
    for (const [from, to] of [
      [undefined, "1"],
      ["1", "2"],
    ] as const) {
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, n) => readModel.apply(changes({ builds: [aBuild(`${to}-${n}`)] }), { from, to })),
      );
      expect(outcomes.filter((outcome) => outcome === "applied")).toHaveLength(1);
    }
    expect(await readModel.builds({ limit: 100 })).toHaveLength(2);
  });

  check("a reset empties everything, and the first page can be applied again", async (readModel) => {
    const page = changes({
      builds: [aBuild("1")],
      images: [anImage("1", "f1")],
      scopes: [aScope("s1")],
      versions: [aVersion("s1", "a", 1n)],
      observations: [observed(1, "changed", "a")],
    });
    await readModel.apply(page, { from: undefined, to: "1" });
    await readModel.reset();
    expect(await readModel.checkpoint()).toBeUndefined();
    expect(await everything(readModel)).toEqual(changes({}));
    expect(await readModel.apply(page, { from: "1", to: "2" })).toBe("moved-by-another");
    expect(await readModel.apply(page, { from: undefined, to: "2" })).toBe("applied");
    expect(await everything(readModel)).toEqual(page);
  });

  check("a reset beside projectors leaves nothing half", async (readModel) => {
    await readModel.apply(changes({ builds: [aBuild("0")] }), { from: undefined, to: "0" });
    const applying = Array.from({ length: 20 }, (_, n) =>
      readModel.apply(changes({ builds: [aBuild(`${n}`)] }), { from: n % 2 === 0 ? undefined : "0", to: "1" }),
    );
    await Promise.all([...applying.slice(0, 10), readModel.reset(), ...applying.slice(10)]);
    const builds = await readModel.builds({ limit: 100 });
    expect(builds.length === 0).toBe((await readModel.checkpoint()) === undefined);
  });
}

function rowContract(check: Check<ReadModel>): void {
  check("every field comes back as it was given, and those that were not given are not there", async (readModel) => {
    const page = changes({
      builds: [fullBuild, { buildId: "2" }],
      images: [fullImage, { buildId: "1", fetchId: "f2" }],
      scopes: [fullScope, { scope: "s2", repository: "docker.io/library/busybox" }],
      versions: [fullVersion, { scope: "s1", tag: "v2", digest: "sha256:b" }],
      observations: [fullObservation, observed(2, "failed")],
    });
    await readModel.apply(page, { from: undefined, to: "1" });
    expect(await readModel.build("1")).toStrictEqual(page.builds[0]);
    expect(await readModel.build("2")).toStrictEqual({ buildId: "2" });
    expect(await readModel.imagesOfBuild("1")).toStrictEqual(page.images);
    expect(await readModel.scopes({ repository: "docker.io/library/busybox" })).toStrictEqual(page.scopes.toReversed());
    expect(await readModel.versions("s1")).toStrictEqual(page.versions.toReversed());
    expect(await readModel.scope("s1")).toStrictEqual(fullScope);
    expect(await readModel.observations({}, { limit: 9, first: "oldest" })).toStrictEqual(page.observations);
  });

  check("evidence keeps the order of its fields, and any text", async (readModel) => {
    const evidence = { z: 1, a: { y: "\0 🚀 \\u0000 \"'", b: [] }, "1": null };
    await readModel.apply(changes({ images: [{ ...fullImage, evidence }] }), { from: undefined, to: "1" });
    const [stored] = await readModel.imagesOfBuild("1");
    expect(JSON.stringify(stored?.evidence)).toBe(JSON.stringify(evidence));
  });

  check("text that no column can hold is kept with U+FFFD in its place", async (readModel) => {
    await readModel.apply(changes({ builds: [{ buildId: "1", job: "a\0b\ud800 🚀" }] }), { from: undefined, to: "1" });
    expect((await readModel.build("1"))?.job).toBe("a\uFFFDb\uFFFD 🚀");
  });

  check("a field that is not given leaves what is stored; one that is, replaces it", async (readModel) => {
    await readModel.apply(
      changes({
        builds: [{ buildId: "1", team: "main", openedAt: time(1) }],
        images: [fullImage],
        scopes: [fullScope],
      }),
      { from: undefined, to: "1" },
    );
    await readModel.apply(
      changes({
        builds: [{ buildId: "1", job: "unit", team: "other" }],
        images: [{ buildId: "1", fetchId: "f1", state: "failed", failure: { code: "FI_ABORTED" }, endedAt: time(9) }],
        scopes: [{ scope: "s1", lastCheckedAt: time(8) }],
      }),
      { from: "1", to: "2" },
    );
    expect(await readModel.build("1")).toStrictEqual({ buildId: "1", team: "other", job: "unit", openedAt: time(1) });
    expect(await readModel.imagesOfBuild("1")).toStrictEqual([
      { ...fullImage, state: "failed", failure: { code: "FI_ABORTED" }, endedAt: time(9) },
    ]);
    expect(await readModel.scopes({ repository: "docker.io/library/busybox" })).toStrictEqual([
      { ...fullScope, lastCheckedAt: time(8) },
    ]);
  });

  check(
    "a version keeps its earliest first and its latest last observation, and its newest order",
    async (readModel) => {
      const key = { scope: "s1", tag: "v1", digest: "sha256:a" };
      const pages: VersionRow[] = [
        { ...key, checkOrder: 1n, firstObservedAt: time(5), lastObservedAt: time(5) },
        { ...key, firstObservedAt: time(7), lastObservedAt: time(7) },
        { ...key, checkOrder: 2n ** 60n, firstObservedAt: time(3), lastObservedAt: time(3) },
        { ...key },
      ];
      for (const [index, version] of pages.entries()) {
        const from = index === 0 ? undefined : String(index);
        await readModel.apply(changes({ versions: [version] }), { from, to: String(index + 1) });
      }
      expect(await readModel.versions("s1")).toStrictEqual([
        { ...key, checkOrder: 2n ** 60n, firstObservedAt: time(3), lastObservedAt: time(7) },
      ]);
    },
  );

  check("a page of thousands of rows is applied whole", async (readModel) => {
    const images = Array.from({ length: 3000 }, (_, n) => ({ ...fullImage, buildId: `${n % 50}`, fetchId: `f${n}` }));
    await readModel.apply(changes({ images }), { from: undefined, to: "1" });
    await readModel.apply(changes({ images: images.map((row) => ({ ...row, state: "failed" })) }), {
      from: "1",
      to: "2",
    });
    const stored = await readModel.imagesOfBuild("7");
    expect(stored).toHaveLength(60);
    expect(new Set(stored.map(({ state }) => state))).toEqual(new Set(["failed"]));
  });

  check("what the caller does to a row afterwards changes nothing stored", async (readModel) => {
    const evidence = { chosen: { via: "HEAD" } };
    await readModel.apply(changes({ images: [{ ...fullImage, evidence }] }), { from: undefined, to: "1" });
    evidence.chosen.via = "pin";
    expect((await readModel.imagesOfBuild("1"))[0]?.evidence).toEqual({ chosen: { via: "HEAD" } });
  });
}

function questionContract(check: Check<ReadModel>): void {
  check("what is not there is undefined, or an empty list", async (readModel) => {
    expect(await readModel.build("1")).toBeUndefined();
    expect(await everything(readModel)).toEqual(changes({}));
    expect(await readModel.droppedBefore()).toBeUndefined();
  });

  check("builds come newest first, those of the same moment by their number, so many as asked", async (readModel) => {
    const builds = [
      { buildId: "9", openedAt: time(2) },
      { buildId: "10", openedAt: time(2) },
      { buildId: "8", openedAt: time(3) },
      { buildId: "11" },
      { buildId: "7", openedAt: time(1) },
    ];
    await readModel.apply(changes({ builds }), { from: undefined, to: "1" });
    const ids = async (limit: number): Promise<string[]> =>
      (await readModel.builds({ limit })).map(({ buildId }) => buildId);
    expect(await ids(10)).toEqual(["8", "10", "9", "7", "11"]);
    expect(await ids(2)).toEqual(["8", "10"]);
    expect(await ids(0)).toEqual([]);
  });

  check("a build's images come in the order they were requested", async (readModel) => {
    const images = [
      { buildId: "1", fetchId: "10", requestedAt: time(2) },
      { buildId: "1", fetchId: "9", requestedAt: time(2) },
      { buildId: "1", fetchId: "11" },
      { buildId: "1", fetchId: "12", requestedAt: time(1) },
      { buildId: "2", fetchId: "1", requestedAt: time(1) },
    ];
    await readModel.apply(changes({ images }), { from: undefined, to: "1" });
    expect((await readModel.imagesOfBuild("1")).map(({ fetchId }) => fetchId)).toEqual(["12", "9", "10", "11"]);
  });

  check("a repository's scopes are found, all of them or those of one tag", async (readModel) => {
    const scopes = [
      { scope: "s3", repository: "ghcr.io/acme/app", tag: "v2" },
      { scope: "s2", repository: "ghcr.io/acme/app", tag: "v1" },
      { scope: "s1", repository: "ghcr.io/acme/app", tag: "v1" },
      { scope: "s4", repository: "ghcr.io/acme/application", tag: "v1" },
      { scope: "s0", repository: "ghcr.io/acme/app" },
      {
        scope: "s5",
        repository: "dkr.ecr.eu-west-1.amazonaws.com/app",
        pullRepository: "123.dkr.ecr.test/app",
        tag: "v1",
      },
    ];
    await readModel.apply(changes({ scopes }), { from: undefined, to: "1" });
    const names = async (filter: { repository: string; tag?: string }): Promise<string[]> =>
      (await readModel.scopes(filter)).map(({ scope }) => scope);
    expect(await names({ repository: "ghcr.io/acme/app" })).toEqual(["s0", "s1", "s2", "s3"]);
    expect(await names({ repository: "ghcr.io/acme/app", tag: "v1" })).toEqual(["s1", "s2"]);
    expect(await names({ repository: "ghcr.io/acme/app", tag: "v3" })).toEqual([]);
    expect(await names({ repository: "dkr.ecr.eu-west-1.amazonaws.com/app" })).toEqual(["s5"]);
    expect(await names({ repository: "123.dkr.ecr.test/app", tag: "v1" })).toEqual(["s5"]);
    const every = async (page: { limit: number; after?: string }): Promise<string[]> =>
      (await readModel.everyScope(page)).map(({ scope }) => scope);
    expect(await every({ limit: 4 })).toEqual(["s0", "s1", "s2", "s3"]);
    expect(await every({ limit: 4, after: "s3" })).toEqual(["s4", "s5"]);
    expect(await readModel.scope("s9")).toBeUndefined();
  });

  check("a scope's versions come in check order, the current one last", async (readModel) => {
    const versions = [
      aVersion("s1", "b", 12n),
      aVersion("s1", "a", 3n),
      { scope: "s1", tag: "v1", digest: "sha256:never", firstObservedAt: time(1) },
      aVersion("s1", "c", 100n),
      aVersion("s2", "d", 1n),
    ];
    await readModel.apply(changes({ versions }), { from: undefined, to: "1" });
    expect((await readModel.versions("s1")).map(({ digest }) => digest)).toEqual([
      "sha256:never",
      "sha256:a",
      "sha256:b",
      "sha256:c",
    ]);
  });
}

function auditContract(check: Check<ReadModel>): void {
  const keys = (images: readonly BuildImageRow[]): string[] =>
    images.map(({ buildId, fetchId }) => `${buildId}/${fetchId}`);

  check("builds of a stretch of time come page by page, each once", async (readModel) => {
    const builds: BuildRow[] = Array.from({ length: 25 }, (_, n) => ({
      buildId: `${n}`,
      openedAt: time(Math.floor(n / 4)),
    }));
    await readModel.apply(changes({ builds: [...builds, { buildId: "never-opened" }] }), { from: undefined, to: "1" });
    const range = { since: time(1), until: time(5) };
    const whole = await readModel.builds({ ...range, limit: 100 });
    expect(whole.map(({ buildId }) => Number(buildId))).toEqual(Array.from({ length: 16 }, (_, n) => 19 - n));
    const named = await readModel.builds({ ids: ["7", 'a"{},\\', "24", "404"], limit: 9 });
    expect(named.map(({ buildId }) => buildId)).toEqual(["24", "7"]);
    expect(await readModel.builds({ ids: [], limit: 9 })).toEqual([]);
    expect(await readModel.builds({ ...range, stored: true, limit: 100 })).toEqual(whole);
    expect(await readModel.builds({ ...range, stored: false, limit: 100 })).toEqual([]);
    const paged: BuildRow[] = [];
    for (;;) {
      const { buildId = "", openedAt = "" } = paged.at(-1) ?? {};
      const after = paged.length === 0 ? {} : { after: { buildId, openedAt } };
      const page = await readModel.builds({ ...range, limit: 3, ...after });
      if (page.length === 0) break;
      paged.push(...page);
    }
    expect(paged).toEqual(whole);
  });

  check("the images that ran a digest are found, newest first, and not those that failed", async (readModel) => {
    const images: BuildImageRow[] = [
      { buildId: "1", fetchId: "a", digest: "sha256:a", requestedAt: time(1), state: "fetched" },
      { buildId: "2", fetchId: "a", digest: "sha256:b", requestedAt: time(2) },
      { buildId: "3", fetchId: "9", digest: "sha256:a", requestedAt: time(3), state: "checking" },
      { buildId: "3", fetchId: "10", digest: "sha256:a", requestedAt: time(3) },
      { buildId: "4", fetchId: "a", requestedAt: time(4) },
      { buildId: "5", fetchId: "a", digest: "sha256:a", requestedAt: time(5), state: "failed" },
      { buildId: "6", fetchId: "a", digest: "sha256:a", requestedAt: time(6), state: "aborted" },
      { buildId: "7", fetchId: "a", digest: "sha256:a" },
    ];
    await readModel.apply(changes({ images }), { from: undefined, to: "1" });
    const digest = "sha256:a";
    expect(keys(await readModel.images({ digest, ran: true }, { limit: 10 }))).toEqual(["3/10", "3/9", "1/a"]);
    expect(keys(await readModel.images({ digest }, { limit: 3 }))).toEqual(["6/a", "5/a", "3/10"]);
    expect(keys(await readModel.images({ digest }, { limit: 2, first: "oldest" }))).toEqual(["1/a", "3/9"]);
    expect(keys(await readModel.images({ digest, since: time(3), until: time(6) }, { limit: 9 }))).toEqual([
      "5/a",
      "3/10",
      "3/9",
    ]);
    expect(await readModel.images({ digest }, { limit: 0 })).toEqual([]);
  });

  check("images are found by repository, tag and scope, and come page by page, each once", async (readModel) => {
    const images: BuildImageRow[] = Array.from({ length: 40 }, (_, n) => ({
      buildId: `${n % 7}`,
      fetchId: `${n}/image-get`,
      repository: n % 2 === 0 ? "ghcr.io/acme/app" : "ghcr.io/acme/other",
      tag: `v${n % 3}`,
      scope: `s${n % 5}`,
      requestedAt: time(n % 4),
    }));
    await readModel.apply(changes({ images }), { from: undefined, to: "1" });
    for (const filter of [
      { repository: "ghcr.io/acme/app" },
      { repository: "ghcr.io/acme/other", tag: "v1" },
      { scope: "s2", since: time(1) },
      {},
    ]) {
      for (const first of ["newest", "oldest"] as const) {
        const whole = await readModel.images(filter, { limit: 100, first });
        const expected = images.filter((row) =>
          Object.entries(filter).every(([field, value]) =>
            field === "since" ? (row.requestedAt ?? "") >= value : row[field as keyof BuildImageRow] === value,
          ),
        );
        expect(keys(whole).toSorted()).toEqual(keys(expected).toSorted());
        const times = whole.map(({ requestedAt = "" }) => requestedAt);
        expect(times).toEqual(first === "oldest" ? times.toSorted() : times.toSorted().toReversed());
        const paged: BuildImageRow[] = [];
        for (;;) {
          const { buildId = "", fetchId = "", requestedAt = "" } = paged.at(-1) ?? {};
          const after = paged.length === 0 ? {} : { after: { buildId, fetchId, requestedAt } };
          const page = await readModel.images(filter, { limit: 7, first, ...after });
          if (page.length === 0) break;
          paged.push(...page);
        }
        expect(paged).toEqual(whole);
      }
    }
  });

  check("observations are kept once, and found by scope, outcome, time and revision", async (readModel) => {
    const rows = [
      observed(1, "changed", "a"),
      observed(2, "same", "a"),
      observed(3, "failed"),
      observed(5, "vanished"),
      observed(9, "changed", "b"),
      observed(10, "same", "b", { scope: "s2", observedAt: time(2) }),
    ];
    await readModel.apply(changes({ observations: rows }), { from: undefined, to: "1" });
    const again = rows.map((row) => ({ ...row, outcome: "failed" as const, host: "elsewhere.test" }));
    await readModel.apply(changes({ observations: again }), { from: "1", to: "2" });
    const revisions = async (...asked: Parameters<ReadModel["observations"]>): Promise<number[]> =>
      (await readModel.observations(...asked)).map(({ revision }) => Number(revision));
    const answers: readonly ObservationOutcome[] = ["changed", "same", "vanished"];
    expect(await revisions({}, { limit: 9, first: "oldest" })).toEqual([1, 2, 10, 3, 5, 9]);
    expect(await revisions({ scope: "s1" }, { limit: 2, first: "newest" })).toEqual([9, 5]);
    expect(await revisions({ scope: "s1", outcomes: answers, until: time(4) }, { limit: 1, first: "newest" })).toEqual([
      2,
    ]);
    expect(await revisions({ scope: "s1", outcomes: answers, since: time(4) }, { limit: 1, first: "oldest" })).toEqual([
      5,
    ]);
    expect(await revisions({ scope: "s1", before: 5n }, { limit: 1, first: "newest", by: "revision" })).toEqual([3]);
    const after = { observedAt: time(2), scope: "s1", revision: 2n };
    expect(await revisions({}, { limit: 2, first: "oldest", after })).toEqual([10, 3]);
    expect(await revisions({}, { limit: 9, first: "newest", after })).toEqual([1]);
  });

  check("a version that comes back has a second stay, and failed checks end none", async (readModel) => {
    const rows = [
      observed(1, "changed", "a"),
      observed(2, "same", "a"),
      observed(3, "changed", "b"),
      observed(4, "failed"),
      observed(5, "same", "b"),
      observed(6, "vanished"),
      observed(7, "vanished"),
      observed(8, "changed", "a"),
      observed(9, "changed", "z", { scope: "s2" }),
    ];
    await readModel.apply(changes({ observations: rows }), { from: undefined, to: "1" });
    const stay = (first: number, last: number, observations: number, digest?: string) => ({
      scope: "s1",
      revision: BigInt(first),
      outcome: digest === undefined ? "vanished" : "observed",
      tag: "v1",
      ...(digest === undefined ? {} : { digest: `sha256:${digest}` }),
      firstObservedAt: time(first),
      lastObservedAt: time(last),
      observations,
      buildId: `${first}`,
      fetchId: "1/image-get",
    });
    const stays = [stay(8, 8, 1, "a"), stay(6, 7, 2), stay(3, 5, 2, "b"), stay(1, 2, 2, "a")];
    expect(await readModel.stays("s1", { limit: 9 })).toStrictEqual(stays);
    expect(await readModel.stays("s1", { limit: 2 })).toStrictEqual(stays.slice(0, 2));
    expect(await readModel.stays("s1", { limit: 2, before: 6n })).toStrictEqual(stays.slice(2));
    expect(await readModel.stays("s3", { limit: 2 })).toEqual([]);
  });

  check("the stays of any history are those that a plain fold finds", async (readModel) => {
    // A small generator with a seed: the same histories for every adapter.
    let state = 20_261_122;
    const draw = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 16) % below;
    };
    const rows: ObservationRow[] = [];
    const expected = new Map<string, { outcome: string; digest: string | undefined; observations: number }[]>();
    for (let n = 0; n < 400; n++) {
      const scope = `s${draw(4)}`;
      const stays = expected.get(scope) ?? [];
      expected.set(scope, stays);
      const last = stays.at(-1);
      const drawn = draw(8);
      const at = { scope, observedAt: time(draw(10)) };
      if (drawn === 0) {
        rows.push(observed(n, "failed", undefined, at));
        continue;
      }
      const digest = drawn === 1 ? undefined : "abc"[draw(3)];
      const isSame = last !== undefined && last.digest === (digest && `sha256:${digest}`);
      rows.push(observed(n, digest === undefined ? "vanished" : isSame ? "same" : "changed", digest, at));
      if (isSame) last.observations++;
      else {
        const outcome = digest === undefined ? "vanished" : "observed";
        stays.push({ outcome, digest: digest && `sha256:${digest}`, observations: 1 });
      }
    }
    await readModel.apply(changes({ observations: rows }), { from: undefined, to: "1" });
    for (const [scope, stays] of expected) {
      const found = (await readModel.stays(scope, { limit: 1000 })).toReversed();
      expect(found.map(({ outcome, digest, observations }) => ({ outcome, digest, observations }))).toEqual(stays);
    }
  });
}

function time(second: number): string {
  return `2026-11-22T04:40:0${second}.00${second}Z`;
}

const fullBuild: BuildRow = {
  buildId: "1",
  team: "main",
  pipeline: "ci",
  job: "unit",
  steps: { "2": { kind: "task", name: "unit" }, a: { kind: "get", name: "repo" } },
  openedAt: time(1),
};

const fullImage: BuildImageRow = {
  buildId: "1",
  fetchId: "f1",
  planId: "p1",
  name: "image",
  type: "registry-image",
  scope: "s1",
  repository: "docker.io/library/busybox",
  tag: "1",
  state: "short-circuited",
  reference: "docker.io/library/busybox:1@sha256:a",
  imageURL: "docker:///docker.io/library/busybox:1@sha256:a",
  digest: "sha256:a",
  version: { tag: "1", digest: "sha256:a" },
  via: "HEAD",
  artifact: "digest:sha256:a",
  observedAt: time(1),
  evidence: { candidates: [{ from: "check", chosen: true }] },
  failure: {},
  requestedAt: time(1),
  endedAt: time(2),
};

const fullScope: ScopeRow = {
  scope: "s1",
  type: "registry-image",
  repository: "docker.io/library/busybox",
  tag: "1",
  pullRepository: "registry.example.com/busybox",
  credential: "cred-35dae34ab047",
  source: { repository: "busybox", tag: "1" },
  lastCheckedAt: time(1),
  lastFailure: { code: "FI_RATE_LIMITED", host: "registry-1.docker.io" },
};

const fullVersion: VersionRow = {
  scope: "s1",
  tag: "v1",
  digest: "sha256:a",
  checkOrder: 7n,
  firstObservedAt: time(1),
  lastObservedAt: time(2),
};

const fullObservation: ObservationRow = {
  scope: "s1",
  revision: 1n,
  outcome: "same",
  observedAt: time(1),
  tag: "1",
  digest: "sha256:a",
  via: "HEAD",
  host: "registry-1.docker.io",
  status: 200,
  buildId: "1",
  fetchId: "f1",
  node: "node-a/1",
  failure: { code: "FI_RATE_LIMITED" },
};

function observed(
  revision: number,
  outcome: ObservationOutcome,
  name?: string,
  more: Partial<ObservationRow> = {},
): ObservationRow {
  return {
    scope: "s1",
    revision: BigInt(revision),
    outcome,
    observedAt: time(revision % 10),
    ...(outcome === "failed" ? { failure: { code: "FI_REGISTRY_TIMEOUT" } } : { tag: "v1" }),
    ...(name === undefined ? {} : { digest: `sha256:${name}` }),
    buildId: `${revision}`,
    fetchId: "1/image-get",
    node: "node-a/1",
    ...more,
  };
}

function aBuild(buildId: string): BuildRow {
  return { buildId, team: "main", openedAt: time(1) };
}

function anImage(buildId: string, fetchId: string): BuildImageRow {
  return { ...fullImage, buildId, fetchId };
}

function aScope(scope: string): ScopeRow {
  return { ...fullScope, scope };
}

function aVersion(scope: string, name: string, checkOrder: bigint): VersionRow {
  return { scope, tag: "v1", digest: `sha256:${name}`, checkOrder };
}

function changes(some: Partial<ReadModelChanges>): ReadModelChanges {
  return { builds: [], images: [], scopes: [], versions: [], observations: [], ...some };
}

async function everything(readModel: ReadModel): Promise<ReadModelChanges> {
  return {
    builds: await readModel.builds({ limit: 100 }),
    images: await readModel.images({ digest: "sha256:a" }, { limit: 100 }),
    scopes: await readModel.scopes({ repository: "docker.io/library/busybox" }),
    versions: await readModel.versions("s1"),
    observations: await readModel.observations({}, { limit: 100, first: "oldest" }),
  };
}
