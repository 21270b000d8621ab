import { ByteSource } from "./byte-source.ts";
import { createComplaints } from "./complaints.ts";
import { defaultUnpackLimits, type UnpackLimits } from "./limits.ts";
import { type TarEntry, TarReader } from "./tar-reader.ts";

/**
 * The entries of an uncompressed tar that lies in memory, contents aside. Rejects with `FI_LAYER_INVALID` or
 * `FI_LAYER_TOO_LARGE`, whatever the bytes are.
 */
export async function readTar(bytes: Uint8Array, limits: Partial<UnpackLimits> = {}): Promise<readonly TarEntry[]> {
  const all = { ...defaultUnpackLimits, ...limits };
  const complaints = createComplaints("the archive");
  const chunks = (async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  })();
  const reader = new TarReader(new ByteSource(chunks), { limits: all, complaints });
  const entries: TarEntry[] = [];
  for (let entry; (entry = await reader.next()); entries.push(entry)) {
    if (entries.length < all.entries) continue;
    throw complaints.tooLarge("there are more entries", "entries", all.entries, entry.name);
  }
  return entries;
}
