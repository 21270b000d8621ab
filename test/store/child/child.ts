// A process that opens an embedded store and does what its parent tells it, one command after the other.
import { randomUUID } from "node:crypto";
import { FetchImageError } from "@fetch-image/core";
import { type EmbeddedReader, type EmbeddedStore, openEmbedded } from "@fetch-image/store/pglite";
import type { Command, Reply, Told } from "./commands.ts";

let store: EmbeddedStore | EmbeddedReader | undefined;

process.on("message", (command: Command) => {
  void carryOut(command).then(
    (result) => tell({ id: command.id, result }),
    (error: unknown) => {
      const { code, message, details } = FetchImageError.is(error)
        ? error
        : { code: "not ours", message: String(error), details: {} };
      tell({ id: command.id, error: { code, message, details } });
    },
  );
});
tell({ ready: true });

async function carryOut(command: Command): Promise<Told> {
  if (command.do === "open") {
    store = await openEmbedded({ directory: command.directory, access: command.access });
    return null;
  }
  if (store === undefined) throw new Error("no store is open");
  switch (command.do) {
    case "append-forever":
      void appendForever(store, command.stream);
      return null;
    case "append": {
      const facts = Array.from({ length: command.count }, () => aFact());
      return String((await store.eventLog.append(command.stream, "no-stream", facts)).revision);
    }
    case "read":
      return (await store.eventLog.read(command.stream)).map(({ id }) => id);
    case "close":
      await store.close();
      return null;
    default:
      return process.exit(0);
  }
}

/** Each fact is told as soon as it is acknowledged, so that the parent knows what must be there after a kill. */
async function appendForever({ eventLog }: EmbeddedStore | EmbeddedReader, stream: string): Promise<void> {
  const [last] = await eventLog.read(stream, { direction: "backwards", limit: 1 });
  let expected = last?.revision;
  for (;;) {
    const fact = aFact();
    expected = (await eventLog.append(stream, expected ?? "no-stream", [fact])).revision;
    tell({ acknowledged: fact.id });
  }
}

function aFact(): { id: string; type: string; data: { text: string }; metadata: { schema: number } } {
  return { id: randomUUID(), type: "ImageCheck", data: { text: "x".repeat(500) }, metadata: { schema: 1 } };
}

function tell(reply: Reply): void {
  process.send?.(reply);
}
