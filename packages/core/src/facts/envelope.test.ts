import { expect, test } from "vitest";
import type { Hash } from "../ports/hash.ts";
import { buildFactToStore, type FactContext, scopeFactToStore } from "./envelope.ts";

/** No hash at all, but another one for another text. */
const hash: Hash = {
  sha1Hex(_prefix, text) {
    const bytes = new Uint8Array(20);
    for (let index = 0; index < text.length; index++) {
      bytes[index % 20] = ((bytes[index % 20] ?? 0) * 31 + text.charCodeAt(index)) % 256;
    }
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  },
  sha256Hex: () => "",
};

const context: FactContext = {
  stream: "build-123",
  key: "f1\n3",
  buildId: "123",
  causationId: "0e8f7d1c-52f5-5d3c-9c55-0c8d1b5c2a77",
  node: "node-a",
  at: 1_795_322_400_000,
};
const fetched = { type: "ArtifactFetched", data: { fetchId: "f1", artifact: "volume-1" } } as const;

test("a build's fact carries its versions, the build, its cause, the node and the time, in this order", () => {
  const { type, data, metadata } = buildFactToStore(fetched, context, hash);
  expect({ type, data }).toEqual(fetched);
  expect(JSON.stringify(metadata)).toBe(
    '{"schema":1,"machine":"1","$correlationId":"123","$causationId":"0e8f7d1c-52f5-5d3c-9c55-0c8d1b5c2a77",' +
      '"node":"node-a","time":"2026-11-22T04:40:00.000Z"}',
  );
});

test("the scheduler's trace stands behind all else, where there is one", () => {
  const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "vendor=1" };
  const { metadata } = buildFactToStore(fetched, { ...context, trace }, hash);
  expect(Object.entries(metadata).slice(-3)).toEqual([["time", metadata["time"]], ...Object.entries(trace)]);
});

test("a scope's fact names no machine, and a first fact no cause", () => {
  const limit = { type: "RateLimitObserved", data: { host: "registry.test" } } as const;
  const { metadata } = scopeFactToStore(limit, { ...context, causationId: undefined }, hash);
  expect(Object.keys(metadata)).toEqual(["schema", "$correlationId", "node", "time"]);
});

test("the id follows from stream and key alone, so that a retried append is recognised", () => {
  const id = (changes: Partial<FactContext>) => buildFactToStore(fetched, { ...context, ...changes }, hash).id;
  expect(id({ node: "node-b", at: 0, causationId: undefined })).toBe(id({}));
  expect(id({ key: "f1\n4" })).not.toBe(id({}));
  expect(id({ stream: "build-124" })).not.toBe(id({}));
  expect(id({ stream: "build-1", key: "24" })).not.toBe(id({ stream: "build-12", key: "4" }));
  expect(id({})).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
