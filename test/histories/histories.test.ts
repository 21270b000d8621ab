// Every shape of a stream that was ever released, kept for ever: it must still fold, strictly, and end where it did.
// FETCH_IMAGE_WRITE_HISTORIES=1 npx vitest run --project histories   writes v1 anew from shapes.ts, before its release.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  buildFactSchemas,
  decodeBuildFact,
  decodeRegistryFact,
  decodeScopeFact,
  decodeShadowFact,
  evolveRegistry,
  evolveScope,
  fetchImageMachine,
  type FetchState,
  healthyRegistry,
  type RecordedBuildFact,
  type RecordedFact,
  registryFactSchemas,
  type RegistryState,
  replayBuild,
  scopeFactSchemas,
  shadowFactSchemas,
  ShadowTally,
  type ScopeState,
  stateName,
  unknownScope,
} from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { builds, registries, scopes } from "./shapes.ts";

type Stored = Omit<RecordedFact, "revision"> & { readonly revision: number };

interface History {
  readonly endsIn: unknown;
  readonly facts: readonly Stored[];
}

const folder = new URL("v1/", import.meta.url);

if (process.env["FETCH_IMAGE_WRITE_HISTORIES"] === "1") writeHistories();

const histories = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => ({ name: file.replace(/\.json$/, ""), ...readHistory(file) }));

describe("C6: every released shape of a stream still folds, and ends where it did", () => {
  test.each(histories.filter(({ name }) => name.startsWith("build-")))("$name", ({ endsIn, facts }) => {
    expect(endOfBuild(facts.map(recorded))).toEqual(endsIn);
  });

  test.each(histories.filter(({ name }) => name.startsWith("scope-")))("$name", ({ endsIn, facts }) => {
    expect(endOfScope(facts.map(recorded))).toEqual(endsIn);
  });
});

describe("every released shape of the comparisons still folds, too", () => {
  test.each(histories.filter(({ name }) => name.startsWith("shadow-")))("$name", ({ endsIn, facts }) => {
    const tally = new ShadowTally();
    for (const fact of facts.map(recorded)) {
      const decoded = decodeShadowFact(fact);
      if (!decoded.known) throw new Error(`${fact.type} is not known`);
      tally.add(decoded.fact);
    }
    const { comparisons, counts, inferred, dropped, requests, time } = tally.report();
    expect({ comparisons, counts, inferred, dropped, requests, time }).toEqual(endsIn);
  });
});

describe("every released shape of a registry's stream still folds, too", () => {
  test.each(histories.filter(({ name }) => name.startsWith("registry-")))("$name", ({ endsIn, facts }) => {
    expect(endOfRegistry(facts.map(recorded))).toEqual(endsIn);
  });
});

test("every kind of fact stands in some history, and every end of a fetch", () => {
  const types = new Set(histories.flatMap(({ facts }) => facts.map(({ type }) => type)));
  expect(types).toEqual(
    new Set([buildFactSchemas, scopeFactSchemas, registryFactSchemas, shadowFactSchemas].flatMap(Object.keys)),
  );
  const states = new Set(JSON.stringify(histories.map(({ endsIn }) => endsIn)).match(/(?<="state":")[^"]+/g));
  const ends = Object.entries(fetchImageMachine.states).filter(([, state]) => state.type === "final");
  expect([...states]).toEqual(expect.arrayContaining(ends.map(([name]) => name)));
});

test("every shape that streams have today is kept", () => {
  const names = [
    ...Object.keys(builds).map((name) => `build-${name}`),
    ...Object.keys(scopes).map((name) => `scope-${name}`),
    ...Object.keys(registries).map((name) => `registry-${name}`),
  ];
  expect(histories.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
});

test("no fact stands in two places of a stream", () => {
  for (const { facts } of histories) expect(new Set(facts.map(({ id }) => id)).size).toBe(facts.length);
});

function endOfBuild(facts: readonly RecordedFact[]): unknown {
  const { opened, writer, fetches, awaited } = replayBuild(facts.map(known));
  expect(awaited).toEqual([]);
  const ends = [...fetches].map(([fetchId, state]) => [fetchId, endOfFetch(state)]);
  return { buildId: opened?.buildId, writer, fetches: Object.fromEntries(ends) };
}

/** What others rely on, in words that will outlive the shape of `FetchState`. */
function endOfFetch(state: FetchState): unknown {
  const { resolved, imageURL, failure, owed, timer, snapshot } = state;
  return {
    state: stateName(state),
    facts: state.facts,
    version: resolved?.version ?? null,
    via: resolved?.via ?? null,
    pinned: resolved?.pinned ?? null,
    reference: resolved?.reference ?? null,
    imageURL,
    artifact: snapshot.context.artifact,
    failure:
      failure === null ? null : { code: failure.code, message: failure.message, cause: failure.cause?.code ?? null },
    owed: owed === null ? null : { effect: owed.effect.kind, since: owed.since },
    timer,
  };
}

function endOfScope(facts: readonly RecordedFact[]): unknown {
  const { revision, current, claim, failure, checkedAt }: ScopeState = facts
    .map((stored) => {
      const decoded = decodeScopeFact(stored);
      if (!decoded.known) throw new Error(`${stored.type} is no longer known`);
      return decoded.fact;
    })
    .reduce(evolveScope, unknownScope);
  return {
    revision: Number(revision),
    version: current?.version ?? null,
    observedAt: current?.observedAt ?? null,
    claim,
    failure:
      failure === null ? null : { code: failure.failure.code, at: failure.at, retryAfterMs: failure.retryAfterMs },
    checkedAt,
  };
}

function endOfRegistry(facts: readonly RecordedFact[]): unknown {
  const { failures, failure, scope, isDown, probe, answeredAt } = facts
    .map((stored) => {
      const decoded = decodeRegistryFact(stored);
      if (!decoded.known) throw new Error(`${stored.type} is no longer known`);
      return decoded.fact;
    })
    .reduce<RegistryState>(evolveRegistry, healthyRegistry);
  const last =
    failure === null ? null : { code: failure.failure.code, at: failure.at, retryAfterMs: failure.retryAfterMs };
  return { failures, failure: last, scope, isDown, probe, answeredAt };
}

function known(stored: RecordedFact): RecordedBuildFact {
  const decoded = decodeBuildFact(stored);
  if (!decoded.known) throw new Error(`${stored.type} is no longer known`);
  return decoded.fact;
}

function readHistory(file: string): History {
  return JSON.parse(readFileSync(new URL(file, folder), "utf8")) as History;
}

// JSON has no whole numbers of any size, and needs none here.
function recorded(stored: Stored): RecordedFact {
  return { ...stored, revision: BigInt(stored.revision) };
}

function writeHistories(): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, make] of Object.entries(builds)) write(`build-${name}`, make().facts, endOfBuild);
  for (const [name, make] of Object.entries(scopes)) write(`scope-${name}`, make().facts, endOfScope);
  for (const [name, make] of Object.entries(registries)) write(`registry-${name}`, make().facts, endOfRegistry);
  execFileSync("npx", ["prettier", "--write", "--log-level", "warn", folder.pathname]);
}

function write(name: string, facts: readonly unknown[], end: (facts: readonly RecordedFact[]) => unknown): void {
  const recordedFacts = facts as readonly RecordedFact[];
  const stored = recordedFacts.map((fact) => ({ ...fact, revision: Number(fact.revision) }));
  writeFileSync(
    new URL(`${name}.json`, folder),
    `${JSON.stringify({ endsIn: end(recordedFacts), facts: stored }, null, 2)}\n`,
  );
}
