// A process that fetches what its parent orders, until it is killed. What it says goes through file descriptor 4, each
// word written before it goes on: what was said was so, even if that was its last word.
import { writeSync } from "node:fs";
import { type EventLog, scopeStreamPrefix } from "@fetch-image/core";
import { createFetchImageEngine, type FetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { KillPoint, watchedLog, watchedReadModel, watchedRegistry, watchedSteps } from "./kill-point.ts";
import type { Command, Report, RunOrder } from "./protocol.ts";
import { type OpenStore, openStore } from "./stores.ts";

interface Workplace {
  readonly store: OpenStore;
  readonly registry: OciRegistry;
  readonly engine: FetchImageEngine;
}

const killPoint = new KillPoint();
let workplace: Workplace | undefined;
let scopeReads = 0;

process.on("message", (command: Command) => {
  carryOut(command).catch((error: unknown) => {
    report({ say: "failed", what: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
});
// Without its parent there is nothing to do.
process.on("disconnect", () => process.exit());
report({ say: "ready" });

async function carryOut(command: Command): Promise<void> {
  switch (command.do) {
    case "open":
      workplace = await open(command);
      report({ say: "opened" });
      return;
    case "run":
      if (workplace === undefined) throw new Error("there is no store yet");
      killPoint.expect(command.kill);
      await run(workplace.engine, command.run);
      killPoint.expect(null);
      report({ say: "done", buildId: command.run.buildId });
      return;
    case "count":
      report({ say: "counted", scopeReads });
      return;
    case "end":
      await workplace?.engine.close();
      await workplace?.registry.close();
      await workplace?.store[Symbol.asyncDispose]();
      process.disconnect();
  }
}

async function open({
  store: address,
  registryHost,
  claimMs = 500,
}: Extract<Command, { do: "open" }>): Promise<Workplace> {
  const store = await openStore(address);
  const registry = createImageRegistry({ endpoints: { [registryHost]: `http://${registryHost}` } });
  const engine = createFetchImageEngine({
    eventLog: countedReads(watchedLog(store.eventLog, killPoint, report)),
    readModel: watchedReadModel(store.readModel, killPoint),
    registry: watchedRegistry(registry, killPoint),
    stepRunner: watchedSteps(killPoint, report),
    nativeImageFetch: true,
    soleNode: store.soleNode,
    credentialKey: "what all workers have",
    // A claim of a dead process is waited for, so it had better be short.
    settings: { claimMs },
  });
  return { store, registry, engine };
}

function countedReads(log: EventLog): EventLog {
  const read: EventLog["read"] = (stream, options) => {
    if (stream.startsWith(scopeStreamPrefix)) scopeReads++;
    return log.read(stream, options);
  };
  return { ...log, read };
}

async function run(engine: FetchImageEngine, { buildId, fetches }: RunOrder): Promise<void> {
  const build = await engine.openBuild({ id: buildId, team: "main", pipeline: "ci", job: "unit" });
  await Promise.all(
    fetches.map(async ({ kind, fetchId, request }) => {
      const { imageURL, imageArtifact } = await (kind === "task"
        ? build.fetchTaskImage(request)
        : build.fetchImage(request));
      report({ say: "image", buildId, fetchId, image: imageURL ?? imageArtifact?.handle ?? "" });
    }),
  );
  await build.close();
}

function report(said: Report): void {
  writeSync(4, `${JSON.stringify(said)}\n`);
}
