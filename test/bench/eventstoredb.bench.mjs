// Appends to EventStoreDB's wire peer, in a process of its own: as the adapter sends them, those of different streams on
// their way together, beside the same appends one after another.
import { randomUUID } from "node:crypto";
import { openEventStoreDb } from "@fetch-image/store/eventstoredb";
import { startPeerProcess } from "../support/eventstoredb-peer/start-process.ts";
import { closedLoop, summary } from "./support/load.mjs";

export const name = "eventstoredb";

const rounds = 5;
const seconds = 2;
const load = "x".repeat(400);

export async function run(emit) {
  const peer = await startPeerProcess();
  const store = await openEventStoreDb({ connectionString: peer.url });
  try {
    await measure(store.eventLog, emit);
  } finally {
    await store.close();
    await peer[Symbol.asyncDispose]();
  }
}

async function measure(eventLog, emit) {
  const append = () => {
    const fact = { id: randomUUID(), type: "Measured", data: { load }, metadata: { schema: 1 } };
    return eventLog.append(`build-${fact.id}`, "no-stream", [fact]);
  };
  const workloads = [
    { called: "append-1", inFlight: 1, work: append },
    ...[16, 64].flatMap((inFlight) => [
      { called: `append-in-turn-${inFlight}`, inFlight, work: inTurn(append) },
      { called: `append-${inFlight}`, inFlight, work: append },
    ]),
  ];
  const samples = new Map(workloads.map(({ called }) => [called, measurements()]));
  for (let round = -1; round < rounds; round++) {
    for (const { called, inFlight, work } of workloads) {
      const measured = await closedLoop(inFlight, seconds, work);
      if (round >= 0) samples.get(called)?.push(measured);
    }
  }
  for (const { called, inFlight } of workloads) {
    const measured = samples.get(called) ?? [];
    const ratioTo = called === `append-${inFlight}` && inFlight > 1 ? `append-in-turn-${inFlight}` : undefined;
    emit({
      name: called,
      unit: "appends",
      per: "s",
      ...(ratioTo === undefined ? {} : { ratioTo }),
      ...summary(measured.map(({ perSecond }) => perSecond)),
    });
    emit({ name: `${called}-p50`, unit: "ms", ...summary(measured.map(({ p50 }) => p50)) });
    emit({ name: `${called}-p99`, unit: "ms", ...summary(measured.map(({ p99 }) => p99)) });
  }
}

/** The same work, each waiting for the one before. */
function inTurn(work) {
  let last = Promise.resolve();
  return () => {
    const mine = last.then(work);
    last = mine.then(() => undefined);
    return mine;
  };
}

/** @returns {Awaited<ReturnType<typeof closedLoop>>[]} */
function measurements() {
  return [];
}
