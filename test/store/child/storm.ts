// A process that writes to an event store as fast as it can, follows and reads it at the same time, and tells its parent
// what was acknowledged. It catches nothing beyond what the port says may happen.
import { randomUUID } from "node:crypto";
import { FetchImageError } from "@fetch-image/core";
import { openEventStoreDb } from "@fetch-image/store/eventstoredb";
import type { StormReport, StormTask } from "./storm-messages.ts";

const passing = ["FI_APPEND_OUTCOME_UNKNOWN", "FI_STORE_UNAVAILABLE"];
const stop = new AbortController();

process.once("message", (task: StormTask) => void storm(task));
tell({ kind: "ready" });

async function storm({ url, writers }: StormTask): Promise<void> {
  process.once("message", () => stop.abort());
  const store = await openEventStoreDb({ connectionString: url, timeoutMs: 5000 });
  const { eventLog } = store;
  const followed: string[] = [];
  const following = new AbortController();
  const follow = (async () => {
    for await (const message of eventLog.subscribe({ signal: following.signal })) {
      if (message.kind === "fact") followed.push(message.fact.id);
    }
  })();
  const read = (async () => {
    while (!stop.signal.aborted) await eventLog.read("build-0").catch(onlyPassing);
  })();
  let acknowledged = 0;
  const write = async (stream: string): Promise<void> => {
    for (let revision: bigint | undefined; !stop.signal.aborted;) {
      const fact = { id: randomUUID(), type: "ImageCheck", data: {}, metadata: { schema: 1 } };
      for (;;) {
        try {
          revision = (await eventLog.append(stream, revision ?? "no-stream", [fact])).revision;
          break;
        } catch (error) {
          onlyPassing(error);
        }
      }
      acknowledged++;
      tell({ kind: "acknowledged", id: fact.id });
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(`build-${writer}`)));
  await read;
  while (followed.length < acknowledged) await new Promise((resolve) => setTimeout(resolve, 10));
  following.abort();
  await follow;
  await store.close();
  tell({ kind: "followed", ids: followed });
  process.disconnect();
}

function onlyPassing(error: unknown): void {
  if (!FetchImageError.is(error) || !passing.includes(error.code)) throw error;
}

function tell(report: StormReport): void {
  process.send?.(report);
}
