import type { RecordedFact } from "@fetch-image/core/fetching";
import type { Cursor } from "./cursor.ts";

/** A single larger fact goes by itself. EventStoreDB takes 1 MiB in one append unless it is told otherwise. */
const mostFacts = 512;
const mostBytes: number = 512 * 1024;

/** The next facts, as many as make one batch; none at the log's end. They are not passed before the batch is whole. */
export async function nextBatch(cursor: Cursor): Promise<readonly RecordedFact[]> {
  const batch: RecordedFact[] = [];
  let bytes = 0;
  for (let fact = await cursor.peek(); fact !== undefined && batch.length < mostFacts; fact = await cursor.peek()) {
    bytes += Buffer.byteLength(JSON.stringify(fact.data)) + Buffer.byteLength(JSON.stringify(fact.metadata));
    if (batch.length > 0 && bytes > mostBytes) break;
    batch.push(fact);
    cursor.pass();
  }
  return batch;
}

/** The batch as appends: neighbours of one stream together, and nothing out of order. */
export function runsOf(batch: readonly RecordedFact[]): readonly (readonly [RecordedFact, ...RecordedFact[]])[] {
  const runs: [RecordedFact, ...RecordedFact[]][] = [];
  for (const fact of batch) {
    const run = runs.at(-1);
    if (run?.[0].stream === fact.stream) run.push(fact);
    else runs.push([fact]);
  }
  return runs;
}
