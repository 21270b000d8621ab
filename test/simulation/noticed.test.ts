import { FetchImageError, newerPart } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { simulate, type SimulationOptions } from "./simulate.ts";

describe("what must not be is noticed", () => {
  test("a store that forgets the last fact of an append", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const append = store.log.append.bind(store.log);
        store.log.append = (stream, expected, facts) =>
          append(stream, expected, facts.length > 2 ? facts.slice(0, -1) : facts);
      },
    });
    expect(found).toMatch(/was told that .* and it does not|ends in the middle of what a fact says/);
  });

  test("a store that takes every append twice", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const append = store.log.append.bind(store.log);
        store.log.append = async (stream, expected, facts) => {
          const { revision } = await append(stream, expected, facts);
          const again = facts.map((fact) => ({
            ...fact,
            id: fact.id.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
          }));
          return await append(stream, revision, again);
        };
      },
    });
    expect(found).toMatch(/contradicts the facts before it/);
  });

  test("a store that takes what another writer wrote for its own", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const append = store.log.append.bind(store.log);
        store.log.append = async (stream, expected, facts) => {
          const standing = await store.log.read(stream);
          const after = expected === "no-stream" ? -1n : expected;
          const last = standing.at(Number(after) + facts.length);
          return last === undefined ? await append(stream, expected, facts) : last;
        };
      },
    });
    expect(found).toMatch(/was told that .* and it does not/);
  });

  test("a registry whose answer is not what it gave", async () => {
    const digest = `sha256:${"7".repeat(64)}` as const;
    const found = await problemsOf({
      spoil: ({ registry }) => {
        const connect = registry.connect.bind(registry);
        registry.connect = (node) => {
          const connected = connect(node);
          return {
            ...connected,
            check: async (source, options) => {
              const check = await connected.check(source, options);
              return { ...check, versions: check.versions.map(({ tag }) => ({ tag, digest })) };
            },
          };
        };
      },
    });
    expect(found).toMatch(/no registry gave that|nobody gave node-\d+ the digest/);
  });

  test("an engine that goes on after it was closed", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const connect = store.connect.bind(store);
        store.connect = (node) => {
          const connected = connect(node);
          const look = () => {
            connected.eventLog.read("build-1").catch(() => {});
            node.clock.after(5000, look);
          };
          look();
          return connected;
        };
      },
    });
    expect(found).toMatch(/asks the store for something after its engine was closed/);
  });

  test("a claim that is left by who could end it", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const append = store.log.append.bind(store.log);
        store.log.append = async (stream, expected, facts) => {
          const isAnswer = facts.some(({ type }) => type === "VersionObserved" || type === "CheckFailed");
          if (isAnswer) throw new FetchImageError("FI_STORE_FULL");
          return await append(stream, expected, facts);
        };
      },
    });
    expect(found).toMatch(/has left a claim on/);
  });

  test("what is written behind what a newer version wrote", async () => {
    const found = await problemsOf(
      {
        spoil: ({ store }) => {
          const append = store.log.append.bind(store.log);
          const newer = new Set<string>();
          store.log.append = async (stream, expected, facts) => {
            const [last] = await store.log.read(stream, { direction: "backwards", limit: 1 });
            if (facts.some((fact) => newerPart({ ...fact, stream }) !== undefined)) newer.add(stream);
            return await append(stream, newer.has(stream) ? (last?.revision ?? expected) : expected, facts);
          };
        },
      },
      400,
    );
    expect(found).toMatch(/behind what a newer version wrote/);
  });

  test("who asks for what is fresh", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const connect = store.connect.bind(store);
        store.connect = (node) => {
          const { eventLog, readModel } = connect(node);
          const read: typeof eventLog.read = async (stream, options) =>
            (await eventLog.read(stream, options)).map((fact) =>
              fact.type === "VersionObserved"
                ? { ...fact, metadata: { ...fact.metadata, time: "2026-11-01T00:00:00.000Z" } }
                : fact,
            );
          return { eventLog: { ...eventLog, read }, readModel };
        };
      },
    });
    expect(found).toMatch(/it was answered \d+ ms before/);
  });

  test("an engine that goes round in circles", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const connect = store.connect.bind(store);
        store.connect = (node) => {
          let left = 5000;
          const goRound = () => {
            node.clock.now();
            if (--left > 0) setImmediate(goRound);
          };
          goRound();
          return connect(node);
        };
      },
    });
    expect(found).toMatch(/goes round in circles/);
  });

  test("a read model that forgets what became of images", async () => {
    const found = await problemsOf({
      spoil: ({ store }) => {
        const apply = store.readModel.apply.bind(store.readModel);
        store.readModel.apply = (changes, move) => apply({ ...changes, versions: [] }, move);
      },
    });
    expect(found).toMatch(/differs from a rebuild/);
  });
});

/** The first problem of a few seeds. */
async function problemsOf(options: SimulationOptions, seeds = 20): Promise<string> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { problems } = await simulate(seed, options);
    if (problems[0] !== undefined) return problems[0];
  }
  return "";
}
