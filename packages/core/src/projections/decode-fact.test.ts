import { expect, test } from "vitest";
import type { RecordedFact } from "../ports/event-log.ts";
import { decodeFact, isBuildFact, isScopeFact } from "./decode-fact.ts";

function recorded(stream: string, type: string, data: RecordedFact["data"], schema = 1): RecordedFact {
  const metadata = { schema, $correlationId: "1", node: "node-a/1", time: "2026-11-22T04:40:00.000Z" };
  return { id: "id", stream, revision: 0n, position: "0", type, data, metadata };
}

const opened = { buildId: "1", renderer: "1" };
const asker = { buildId: "1", fetchId: "T/image-get" };
const vanished = { tag: "v1.2", host: "registry.example.com", status: 404, asker };

test("a fact is decoded by the kind of its stream", () => {
  const build = decodeFact(recorded("build-1", "BuildOpened", opened));
  const scope = decodeFact(recorded("imageScope-5c0be", "VersionVanished", vanished));
  expect([build.known, isBuildFact(build.fact), isScopeFact(build.fact)]).toEqual([true, true, false]);
  expect([scope.known, isBuildFact(scope.fact), isScopeFact(scope.fact)]).toEqual([true, false, true]);
});

test("a type of the other kind of stream, of a newer version or of another stream comes back unknown", () => {
  for (const stored of [
    recorded("imageScope-5c0be", "BuildOpened", opened),
    recorded("build-1", "VersionVanished", vanished),
    recorded("build-1", "ImageScanned", {}),
    recorded("build-1", "constructor", {}),
    recorded("build-1", "BuildOpened", opened, 2),
    recorded("$stats-1", "BuildOpened", opened),
  ]) {
    const decoded = decodeFact(stored);
    expect(decoded).toEqual({ known: false, fact: stored });
    expect([isBuildFact(decoded.fact), isScopeFact(decoded.fact)]).toEqual([false, false]);
  }
});

test("a known type of another shape is refused", () => {
  expect(() => decodeFact(recorded("build-1", "BuildOpened", { buildId: 1 }))).toThrow(
    expect.objectContaining({ code: "FI_FACT_UNREADABLE" }),
  );
});
