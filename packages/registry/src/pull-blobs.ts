import { FetchImageError } from "@fetch-image/core";
import { inParallel } from "./in-parallel.ts";
import type { Descriptor } from "./manifest.ts";
import type { ArtifactProgress, Pull } from "./pull-to-layout.ts";
import { contentLengthOf } from "./transport/headers.ts";
import type { Answer } from "./transport/transport.ts";

/**
 * Brings the blobs that the store lacks into it, a few at a time, each once. Resolves to the number of bytes that
 * came over the network. The first failure ends the others and is the one to be seen.
 */
export async function pullBlobs(pull: Pull, descriptors: readonly Descriptor[]): Promise<number> {
  const blobs = [...new Map(descriptors.map((blob) => [blob.digest, blob])).values()];
  const tally = createTally(blobs, pull.options.onProgress);
  const { limits } = pull.settings;
  let downloaded = 0;
  await inParallel(blobs, { width: limits.concurrentBlobs, signal: pull.options.signal }, async (blob, signal) => {
    const present = await pull.options.store.has(blob.digest);
    if (!present) await pullBlob(pull, blob, signal, (count) => tally.received(count));
    if (present) tally.received(blob.size);
    else downloaded += blob.size;
    tally.done();
  });
  return downloaded;
}

async function pullBlob(
  { conversation, target, options: { store } }: Pull,
  blob: Descriptor,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<void> {
  signal.throwIfAborted();
  const answer = await conversation.ask(target, {
    method: "GET",
    path: `blobs/${blob.digest}`,
    accept: "*/*",
    purpose: "blob",
    signal,
  });
  const subject = `blob ${blob.digest} of ${target.name}`;
  if (answer.status !== 200) throw await conversation.refused(target, answer, subject);
  let failure: unknown;
  try {
    await store.put(blob.digest, bounded(answer, blob, subject, onBytes), { size: blob.size, signal });
  } catch (error) {
    failure = error;
    throw withHost(error, answer, subject);
  } finally {
    // A store that fails before it has read everything leaves the rest on the wire.
    if (failure) await answer.discard();
  }
}

// The store checks the hash; here the stream is cut as soon as it is longer than it was promised to be.
async function* bounded(
  answer: Answer,
  { size, digest }: Descriptor,
  subject: string,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const announced = contentLengthOf(answer.headers);
  if (announced !== undefined && announced !== size) {
    throw wrongSize(answer, subject, digest, `announces ${announced} bytes`, size);
  }
  let length = 0;
  for await (const chunk of answer.chunks()) {
    length += chunk.length;
    if (length > size) throw wrongSize(answer, subject, digest, "does not end", size);
    onBytes(chunk.length);
    yield chunk;
  }
  if (length < size) throw wrongSize(answer, subject, digest, `ends after ${length} bytes`, size);
}

function wrongSize(answer: Answer, subject: string, digest: string, what: string, size: number): FetchImageError {
  const host = answer.url.host;
  return new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${subject} from ${host} ${what}, its manifest promised ${size}`,
    details: { host, status: answer.status, wanted: digest, size },
  });
}

function withHost(error: unknown, answer: Answer, subject: string): unknown {
  if (!FetchImageError.is(error) || error.code !== "FI_DIGEST_MISMATCH" || "host" in error.details) return error;
  return new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${answer.url.host} sent other bytes as ${subject}: ${error.message}`,
    details: { ...error.details, host: answer.url.host, status: answer.status },
    cause: error,
  });
}

const progressStep = 4 * 1024 * 1024;

function createTally(
  blobs: readonly Descriptor[],
  onProgress: ((progress: ArtifactProgress) => void) | undefined,
): { received(count: number): void; done(): void } {
  const totalBytes = blobs.reduce((sum, { size }) => sum + size, 0);
  let [receivedBytes, reportedBytes, blobsDone] = [0, 0, 0];
  const report = (): void => {
    reportedBytes = receivedBytes;
    onProgress?.({ receivedBytes, totalBytes, blobsDone, blobsTotal: blobs.length });
  };
  report();
  return {
    received(count) {
      receivedBytes += count;
      if (receivedBytes - reportedBytes >= progressStep) report();
    },
    done() {
      blobsDone++;
      report();
    },
  };
}
