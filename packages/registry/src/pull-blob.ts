import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import { type BlobSource, restOfBlob, subjectOf } from "./blob-rest.ts";
import type { Pull } from "./fetch-image.ts";
import type { Descriptor } from "./manifest.ts";
import type { BlobTally } from "./pull-progress.ts";
import type { Slots } from "./slots.ts";

interface Download {
  readonly signal: CancelSignal;
  /** One for each body that is under way. */
  readonly slots: Slots;
  readonly tally: BlobTally;
}

/**
 * Brings one blob into the store. A body that breaks off is gone on with from there, within the pull's patience, and so
 * is what an earlier fetch has left in the store. Resolves to the number of bytes that came over the network, undefined
 * where another fetch has brought the blob meanwhile.
 */
export async function pullBlob(pull: Pull, blob: Descriptor, download: Download): Promise<number | undefined> {
  const source: BlobSource = { answers: 0, bytes: 0, takesRanges: true };
  let from = 0;
  const put = (): Promise<void> =>
    pull.options.store.put(
      blob.digest,
      (offset) => {
        from = offset;
        return assembled(pull, blob, { ...download, from, source });
      },
      { size: blob.size, signal: download.signal },
    );
  try {
    await put().catch(async (error: unknown) => {
      if (!isMismatch(error) || (from === 0 && source.answers < 2)) throw error;
      // One of the pieces was wrong, maybe one of an earlier day or from another host: the store has dropped them all.
      // What comes in one piece is as it is.
      pull.settings.logger.warn("a blob in pieces did not fit together, and is fetched again", { blob: blob.digest });
      source.answers = 0;
      await put();
    });
  } catch (error) {
    throw withHost(error, source, subjectOf(pull, blob));
  }
  return source.answers > 0 || from > 0 ? source.bytes : undefined;
}

// With less than this, the next break still belongs to the same trouble: nobody keeps us asking by a byte each time.
const worthwhileBytes = 256 * 1024;

async function* assembled(
  pull: Pull,
  blob: Descriptor,
  { from, signal, slots, tally, source }: Download & { readonly from: number; readonly source: BlobSource },
): AsyncGenerator<Uint8Array, void, undefined> {
  const release = await slots.take(signal);
  const trouble = pull.patience.expect();
  try {
    tally.downloading(from);
    for (let at = from; at < blob.size;) {
      const begin = at;
      try {
        for await (const chunk of restOfBlob(pull, blob, { at, signal, source })) {
          at += chunk.length;
          if (at - begin >= worthwhileBytes) trouble.over();
          tally.received(chunk.length);
          yield chunk;
        }
      } catch (error) {
        await trouble.again(error, signal);
      }
    }
  } finally {
    trouble.over();
    release();
  }
}

function isMismatch(error: unknown): error is FetchImageError {
  return FetchImageError.is(error) && error.code === "FI_DIGEST_MISMATCH";
}

function withHost(error: unknown, { host, status }: BlobSource, subject: string): unknown {
  if (!isMismatch(error) || host === undefined || "host" in error.details) return error;
  return new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${host} sent other bytes as ${subject}: ${error.message}`,
    details: { ...error.details, host, status },
    cause: error,
  });
}
