import { randomUUID } from "node:crypto";
import { buildNumbersStream, buildStream, FetchImageError, type NewFact } from "@fetch-image/core";
import type { Stores } from "../open-stores.ts";

/**
 * A number that no build has, above those of the newest builds. Project to the head before. Where others write to the
 * same store, the number is drawn by an append that only one of them can make, so that no two builds share one.
 */
export async function nextBuildId(stores: Stores): Promise<string> {
  const { eventLog, soleNode } = stores;
  for (;;) {
    const [last] = await eventLog.read(buildNumbersStream, { direction: "backwards", limit: 1 });
    const id = String(await freeNumber(stores, 1 + Number(last?.data["buildId"] ?? 0)));
    if (soleNode) return id;
    try {
      await eventLog.append(buildNumbersStream, last?.revision ?? "no-stream", [drawn(id)]);
      return id;
    } catch (error) {
      // Somebody else was faster, or nobody knows: a number left out harms nobody.
      const again = ["FI_WRONG_EXPECTED_REVISION", "FI_APPEND_OUTCOME_UNKNOWN"];
      if (!FetchImageError.is(error) || !again.includes(error.code)) throw error;
    }
  }
}

async function freeNumber({ readModel, eventLog }: Stores, least: number): Promise<number> {
  const newest = await readModel.builds({ limit: 100 });
  const numbers = newest.map(({ buildId }) => (/^[1-9]\d{0,14}$/.test(buildId) ? Number(buildId) : 0));
  let number = Math.max(least, 1 + Math.max(0, ...numbers));
  while ((await eventLog.read(buildStream(String(number)), { limit: 1 })).length > 0) number++;
  return number;
}

function drawn(buildId: string): NewFact {
  const metadata = { schema: 1, $correlationId: buildId, time: new Date().toISOString() };
  // By chance, so that two processes that draw at once are told apart.
  return { id: randomUUID(), type: "BuildNumberDrawn", data: { buildId }, metadata };
}
