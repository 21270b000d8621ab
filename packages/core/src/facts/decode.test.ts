import { describe, expect, test } from "vitest";
import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { RecordedFact } from "../ports/event-log.ts";
import { decodeBuildFact, decodeScopeFact } from "./decode.ts";

const recorded: RecordedFact = {
  id: "0e8f7d1c-52f5-5d3c-9c55-0c8d1b5c2a77",
  stream: "build-123",
  revision: 7n,
  position: "8",
  type: "ArtifactFetched",
  data: { fetchId: "f1", artifact: "volume-1" },
  metadata: { schema: 1, machine: "1", $correlationId: "123", node: "node-a", time: "2026-11-22T04:40:00.000Z" },
};

describe("a fact that this version knows", () => {
  test("is given back as it is stored, with the fields that a newer version added", () => {
    const extended = { ...recorded, data: { ...recorded.data, size: 3 } };
    const decoded = decodeBuildFact(extended);
    expect(decoded.known).toBe(true);
    expect(decoded.fact).toBe(extended);
  });

  test("is unreadable where its data has another shape, and the error says where", () => {
    expect(errorOf({ ...recorded, data: { fetchId: "f1", artifact: 3 } })).toMatchObject({
      code: "FI_FACT_UNREADABLE",
      message: expect.stringMatching(/^ArtifactFetched at build-123@7 is not readable: data\.artifact: /),
      details: { stream: "build-123", revision: "7", type: "ArtifactFetched" },
    });
  });

  test.each([
    ["time", undefined],
    ["time", "yesterday"],
    ["time", "2026-11-22T04:40:00Z"],
    ["node", 7],
    ["$correlationId", undefined],
    ["schema", "1"],
    ["schema", undefined],
  ])("is unreadable where its metadata's %s is %s: folds read it", (field, value) => {
    const { [field]: _replaced, ...others } = recorded.metadata;
    const metadata = value === undefined ? others : { ...others, [field]: value };
    expect(errorOf({ ...recorded, metadata })).toMatchObject({
      code: "FI_FACT_UNREADABLE",
      message: expect.stringContaining(`: metadata.${field}: `),
    });
  });
});

describe("a fact of a newer version is kept and not read", () => {
  test.each(["ImagePinned", "constructor", "__proto__", "toString", ""])("its type is %j", (type) => {
    const unknown = { ...recorded, type, data: { anything: [1, null] } };
    expect(decodeBuildFact(unknown)).toEqual({ known: false, fact: unknown });
  });

  test("its type is known, its schema version is not", () => {
    const newer = { ...recorded, data: {}, metadata: { ...recorded.metadata, schema: 2 } };
    expect(decodeBuildFact(newer).known).toBe(false);
  });
});

test("a scope's facts are not a build's, nor the other way round", () => {
  const limit = { ...recorded, stream: "imageScope-0", type: "RateLimitObserved", data: { host: "registry.test" } };
  expect(decodeScopeFact(limit).known).toBe(true);
  expect(decodeBuildFact(limit).known).toBe(false);
  expect(decodeScopeFact(recorded).known).toBe(false);
});

function errorOf(fact: RecordedFact): unknown {
  try {
    decodeBuildFact(fact);
  } catch (error) {
    if (FetchImageError.is(error)) return error;
    throw error;
  }
  return undefined;
}
