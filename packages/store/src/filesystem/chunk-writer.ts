import type { FileHandle } from "node:fs/promises";

/** Writes chunks one after another, many at a time, while the next ones come. */
export interface ChunkWriter {
  /** Resolves when there is room for the next chunk. The bytes must not be changed afterwards. */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** Resolves when everything is written, rejects where something could not be. */
  end(): Promise<void>;
}

// A write costs a turn of the event loop and a thread's attention, whatever its size.
const batchBytes = 1024 * 1024;

export function createChunkWriter(file: FileHandle, from: number): ChunkWriter {
  let position = from;
  let batch: Uint8Array[] = [];
  let batched = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = (): void => {
    const [chunks, at] = [batch, position];
    position += batched;
    [batch, batched] = [[], 0];
    writing = writing.then(() => writeAll(file, chunks, at));
    // It is heard of by whoever writes next, or ends.
    writing.catch(() => undefined);
  };
  return {
    write(chunk) {
      batch.push(chunk);
      batched += chunk.length;
      if (batched < batchBytes) return undefined;
      // One batch on its way to the disk, one that fills: more would only fill the memory.
      const before = writing;
      return before.then(flush);
    },
    async end() {
      await writing;
      flush();
      await writing;
    },
  };
}

async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], at: number): Promise<void> {
  let left = chunks;
  let position = at;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, position);
    position += bytesWritten;
    left = after(left, bytesWritten);
  }
}

// A disk may take less than it is given.
function after(chunks: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skip = written;
  const whole = chunks.findIndex((chunk) => {
    if (chunk.length > skip) return true;
    skip -= chunk.length;
    return false;
  });
  if (whole === -1) return [];
  const [first = new Uint8Array(0), ...rest] = chunks.slice(whole);
  return [first.subarray(skip), ...rest];
}
