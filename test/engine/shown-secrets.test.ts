// Who names a scope's user without its password has not the credential: nothing that the scope was answered is for him. See
// docs/decisions/0023.
import { FetchImageError } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { describe, expect, test } from "vitest";
import { factsOf, factTypesOf, typePlans } from "../support/engine.ts";
import {
  fetchBy,
  host,
  node,
  type PrivateGround,
  privateGround,
  repository,
  scopeFactsOf,
} from "../support/private-scope.ts";

const minute = 60_000;

const refused = { cause: { code: "FI_UNAUTHORIZED" } };

/** Nothing of what the build was told has the digest. */
async function expectNothingOf({ eventLog, digest }: PrivateGround, buildId: string) {
  expect(JSON.stringify((await factsOf(eventLog, buildId)).map(({ data }) => data))).not.toContain(digest);
}

describe("a wrong password for the user of a private scope", () => {
  test("gets a refusal and no digest, on the node that knows it and on another", async () => {
    const its = privateGround();
    const b = node(its, "b");
    expect(await fetchBy(its.engine, "1", "right")).toContain(its.digest);
    await expect(fetchBy(its.engine, "2", "wrong")).rejects.toMatchObject(refused);
    await expect(fetchBy(b, "3", "wrong")).rejects.toMatchObject(refused);
    for (const build of ["2", "3"]) await expectNothingOf(its, build);
    expect(await fetchBy(its.engine, "4", "right")).toContain(its.digest);
    expect(await fetchBy(b, "5", "right")).toContain(its.digest);
    expect(its.shown).toEqual(["right", "wrong"]);
  });

  test("joins nobody who has the right one, nor keeps him waiting", async () => {
    const its = privateGround();
    const b = node(its, "b");
    its.registry.hold();
    const right = [fetchBy(its.engine, "1", "right"), fetchBy(its.engine, "2", "right")];
    await its.clock.settle();
    const wrong = [fetchBy(its.engine, "3", "wrong"), fetchBy(b, "4", "wrong")];
    await its.clock.advance(1000);
    right.push(fetchBy(b, "5", "right"));
    await its.clock.advance(1000);
    its.registry.release();
    await its.clock.advance(1000);
    for (const imageURL of await Promise.all(right)) expect(imageURL).toContain(its.digest);
    for (const fetch of wrong) await expect(fetch).rejects.toMatchObject(refused);
    for (const build of ["3", "4"]) await expectNothingOf(its, build);
    expect(await factTypesOf(its.eventLog, "5")).toContain("CheckJoined");
    expect(its.shown).toEqual(["right", "wrong"]);
  });

  test("is remembered as long as any refusal, whatever others are answered meanwhile, and hides nothing from them", async () => {
    const its = privateGround();
    for (let turn = 0; turn < 4; turn++) {
      await expect(fetchBy(its.engine, `wrong ${turn}`, "wrong")).rejects.toMatchObject(refused);
      expect(await fetchBy(its.engine, `right ${turn}`, "right", { skip: true })).toContain(its.digest);
      await its.clock.advance(1000);
    }
    expect(its.shown.filter((password) => password === "wrong")).toHaveLength(1);
    await its.clock.advance(10_000);
    await expect(fetchBy(its.engine, "later", "wrong")).rejects.toMatchObject(refused);
    expect(its.shown.filter((password) => password === "wrong")).toHaveLength(2);
  });

  test("does not make the tag gone where the registry says that there is none: that is for who was shown it", async () => {
    const its = privateGround();
    await fetchBy(its.engine, "1", "right");
    const check = its.registry.check.bind(its.registry);
    its.registry.check = async (source, asked) => {
      const found = await check({ ...source, password: "right" }, asked);
      return source.password === "right" ? found : { ...found, versions: [], status: 404 };
    };
    for (const build of ["2", "3"]) {
      await expect(fetchBy(its.engine, build, "wrong")).rejects.toMatchObject({ cause: { code: "FI_IMAGE_UNKNOWN" } });
      await expectNothingOf(its, build);
    }
    expect(await fetchBy(its.engine, "4", "right")).toContain(its.digest);
    const types = async () => (await scopeFactsOf(its)).map(({ type }) => type);
    expect(await types()).toEqual(["CheckClaimed", "VersionObserved", "CheckClaimed", "CheckFailed"]);
    its.registry.check = async (source, asked) => ({ ...(await check(source, asked)), versions: [], status: 404 });
    await its.clock.advance(minute);
    await expect(fetchBy(its.engine, "5", "right")).rejects.toMatchObject({ cause: { code: "FI_IMAGE_UNKNOWN" } });
    expect((await types()).at(-1)).toBe("VersionVanished");
  });

  test("gets nothing old either where the registry is down, though who has the right one does", async () => {
    const its = privateGround();
    await fetchBy(its.engine, "1", "right");
    await its.clock.advance(2 * minute);
    its.registry.check = () =>
      Promise.reject(new FetchImageError("FI_REGISTRY_UNREACHABLE", { message: `${host} refused the connection` }));
    const right = fetchBy(its.engine, "2", "right");
    const wrong = fetchBy(its.engine, "3", "wrong");
    await its.clock.advance(10 * minute);
    expect(await right).toContain(its.digest);
    await expect(wrong).rejects.toMatchObject({ cause: { code: "FI_REGISTRY_UNREACHABLE" } });
    await expectNothingOf(its, "3");
  });
});

describe("a password that rotates", () => {
  test("is asked by once, and its scope's history goes on in the one stream", async () => {
    const its = privateGround();
    await fetchBy(its.engine, "1", "right");
    its.taken.add("rotated");
    for (const build of ["2", "3"]) expect(await fetchBy(its.engine, build, "rotated")).toContain(its.digest);
    expect(its.shown).toEqual(["right", "rotated"]);
    const facts = await scopeFactsOf(its);
    expect(new Set(facts.map(({ stream }) => stream)).size).toBe(1);
    const observed = facts.flatMap((fact) => (fact.type === "VersionObserved" ? [fact.data] : []));
    expect(observed.map(({ changed }) => changed)).toEqual([true, false]);
    expect(new Set(observed.map(({ proof }) => proof)).size).toBe(2);
  });

  test("is worth nothing any more once it is revoked and its last answer is old, whatever the new one keeps fresh", async () => {
    const its = privateGround();
    await fetchBy(its.engine, "1", "right");
    its.taken.delete("right");
    its.taken.add("rotated");
    expect(await fetchBy(its.engine, "2", "right")).toContain(its.digest);
    await its.clock.advance(minute);
    expect(await fetchBy(its.engine, "3", "rotated")).toContain(its.digest);
    await expect(fetchBy(its.engine, "4", "right")).rejects.toMatchObject(refused);
    expect(await fetchBy(its.engine, "5", "rotated")).toContain(its.digest);
    expect(its.shown).toEqual(["right", "rotated", "right"]);
  });
});

describe("nodes", () => {
  test("with one key ask once for all of them, and go on with it after a restart", async () => {
    const its = privateGround();
    const fetches = ["b", "c", "d"].map((name) => fetchBy(node(its, name), name, "right"));
    await its.clock.advance(1000);
    for (const imageURL of await Promise.all(fetches)) expect(imageURL).toContain(its.digest);
    await its.engine.close();
    expect(await fetchBy(node(its, "a again"), "2", "right")).toContain(its.digest);
    expect(its.shown).toEqual(["right"]);
  });

  test("without a key ask once each: what another was answered cannot be told to be theirs", async () => {
    const its = privateGround();
    const keyless = ["b", "c"].map((name) =>
      createFetchImageEngine({ ...its, nativeImageFetch: true, node: name, soleNode: false }),
    );
    for (const [index, engine] of keyless.entries()) {
      for (const build of ["x", "y"]) {
        const fetch = fetchBy(engine, `${build}${index}`, "right");
        await its.clock.advance(1000);
        expect(await fetch).toContain(its.digest);
      }
    }
    expect(its.shown).toEqual(["right", "right"]);
  });

  test("share by user where they are told to, for passwords that are new for every job", async () => {
    const its = privateGround({ scopes: [{ repositories: `${host}/*`, shareByUser: true }] });
    const jobs = Array.from({ length: 10 }, (_, job) => `token of job ${job}`);
    for (const password of jobs) its.taken.add(password);
    for (const password of jobs) expect(await fetchBy(its.engine, password, password)).toContain(its.digest);
    expect(its.shown).toEqual(["token of job 0"]);
  });
});

test("neither password nor key stands in any fact, and anonymous questions show no proof", async () => {
  const its = privateGround();
  await fetchBy(its.engine, "1", "right");
  await expect(fetchBy(its.engine, "2", "wrong")).rejects.toMatchObject(refused);
  const { facts } = await its.eventLog.readAll({ limit: 1000 });
  expect(JSON.stringify(facts.map(({ data, metadata }) => [data, metadata]))).not.toMatch(
    /"right"|"wrong"|nobody else/,
  );
  const plans = typePlans("2", { repository, tag: "v1" });
  const build = await its.engine.openBuild({ id: "3" });
  await expect(build.fetchImage({ ...plans, privileged: false })).rejects.toMatchObject(refused);
  const all = await scopeFactsOf(its);
  const proofs = all.flatMap((fact) => (fact.type === "RateLimitObserved" ? [] : [fact.data.proof]));
  expect(new Set(proofs.slice(0, -2)).size).toBe(2);
  expect(proofs.slice(-2)).toEqual([undefined, undefined]);
});

test.each(["", "too short", 42 as unknown as string])("the key %j is refused, and not shown", (key) => {
  const making = () => privateGround({ credentialKey: key });
  expect(making).toThrow(expect.objectContaining({ code: "FI_SETTING_INVALID" }));
  expect(making).toThrow(/^credentialKey must be a text of at least 16 characters/);
});
