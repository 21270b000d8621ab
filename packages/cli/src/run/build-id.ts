import { buildStream } from "@fetch-image/core";
import type { Stores } from "../compose.ts";

/** The number after the highest among the newest builds that no build has, at `least` or above. Project to the head before. */
export async function nextBuildId({ readModel, eventLog }: Stores, least: number = 1): Promise<string> {
  const newest = await readModel.builds({ limit: 100 });
  const numbers = newest.map(({ buildId }) => (/^[1-9]\d{0,14}$/.test(buildId) ? Number(buildId) : 0));
  let id = Math.max(least, 1 + Math.max(0, ...numbers));
  while ((await eventLog.read(buildStream(String(id)), { limit: 1 })).length > 0) id++;
  return String(id);
}
