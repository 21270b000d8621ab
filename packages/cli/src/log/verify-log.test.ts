import { type BuildFact, buildFactToStore, buildStream, type EventLog } from "@fetch-image/core";
import { createFetchImageEngine, nodeHash } from "@fetch-image/engine";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { expect, test } from "vitest";
import { verifyLog } from "./verify-log.ts";

test("a log is as it was when the build ended; one that is not fails, as does one of which nothing was kept", async () => {
  const eventLog = createMemoryEventLog();
  await using engine = createFetchImageEngine({ eventLog, nativeImageFetch: true });
  await using build = await engine.openBuild({ id: "1" });
  await build.append({ key: "started", event: "status", data: { status: "started" } });
  await expect(verify(eventLog)).rejects.toMatchObject({ code: "FI_LOG_UNSEALED" });
  await build.append({ key: "ended", event: "status", data: { status: "succeeded" } });
  expect(await verify(eventLog)).toMatch(/^build 1: 2 events, sha256 [0-9a-f]{64}, as when the build ended\n$/);

  // A store in which somebody has written another status over the last one's.
  const stream = buildStream("1");
  const [opened, first, , sealed] = await eventLog.read(stream);
  const changed = createMemoryEventLog();
  const kept = [opened, first].flatMap((fact) => (fact === undefined ? [] : [fact]));
  const failed: BuildFact = {
    type: "BuildEventSaved",
    data: { buildId: "1", key: "ended", event: "status", data: { status: "failed" } },
  };
  const context = { stream, key: "event\nended\n0", buildId: "1", node: "somebody", at: 1_795_322_400_000 };
  const last = sealed === undefined ? [] : [sealed];
  const facts = [...kept, buildFactToStore(failed, context, nodeHash), ...last];
  const given = facts.map(({ id, type, data, metadata }) => ({ id, type, data, metadata }));
  await changed.append(stream, "no-stream", given);
  await expect(verify(changed)).rejects.toMatchObject({ code: "FI_LOG_DIFFERS" });
});

async function verify(eventLog: EventLog): Promise<string> {
  let printed = "";
  const terminal = {
    out: (text: string) => void (printed += text),
    err: () => undefined,
    progress: () => undefined,
    progressSize: () => undefined,
    outColor: false,
    errColor: false,
    outColumns: undefined,
    flushed: () => Promise.resolve(),
  };
  const stores = {
    eventLog,
    readModel: createMemoryReadModel(),
    where: "memory",
    retention: undefined,
    soleNode: true,
    holder: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await verifyLog("1", { stores, terminal, json: false });
  return printed;
}
