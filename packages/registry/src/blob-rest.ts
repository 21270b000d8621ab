import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import type { Pull } from "./fetch-image.ts";
import type { Descriptor } from "./manifest.ts";
import { contentLengthOf, type Headers, single } from "./transport/headers.ts";
import { protocolError } from "./transport/refusal.ts";
import type { Answer } from "./transport/transport.ts";
import { reasonOf } from "./transport/deadline.ts";

/** What is known of where a blob comes from, kept from one answer to the next. */
export interface BlobSource {
  /** That gave bytes. */
  answers: number;
  /** Off the wire. */
  bytes: number;
  /** Until it has shown otherwise. */
  takesRanges: boolean;
  /** Of the latest answer. */
  host?: string;
  status?: number;
  etag?: string;
}

interface Rest {
  readonly at: number;
  readonly signal: CancelSignal;
  readonly source: BlobSource;
}

/**
 * A blob's bytes from `at` on, by one answer (RFC 9110 §14). The registry itself is asked each time, since the places
 * that it redirects to are good for a short time only. An answer with the whole blob is read from its start and used
 * from `at` on: a blob is what its digest says, whoever gives which part of it.
 *
 * Rejects with `FI_DIGEST_MISMATCH` where the registry means a blob of another size, before reading it where its headers
 * say so; retryable where it breaks off, ends early or trickles; as the conversation does.
 */
export async function* restOfBlob(
  pull: Pull,
  blob: Descriptor,
  { at, signal, source }: Rest,
): AsyncGenerator<Uint8Array, void, undefined> {
  const answer = await askForRest(pull, blob, { at, signal, source });
  const { now, timeouts } = pull.settings;
  // A whole answer repeats what is there already.
  let [position, fresh] = [answer.status === 206 ? at : 0, at];
  let [windowStart, windowBytes] = [now(), 0];
  source.answers++;
  for await (const chunk of answer.chunks()) {
    position += chunk.length;
    source.bytes += chunk.length;
    if (position > blob.size) throw wrongSize(pull, blob, answer, "does not end");
    if (position > fresh) {
      yield chunk.subarray(Math.max(0, chunk.length - (position - fresh)));
      fresh = position;
    }
    windowBytes += chunk.length;
    if (now() - windowStart < timeouts.bodyMs) continue;
    if (windowBytes < leastBytes && position < blob.size) throw trickles(pull, blob, answer);
    [windowStart, windowBytes] = [now(), 0];
  }
  if (position >= blob.size) return;
  if (fresh === at) throw wrongSize(pull, blob, answer, `ends after ${position} bytes`);
  throw interrupted(pull, blob, answer, { code: "FI_REGISTRY_UNREACHABLE", says: "ended early", reason: "cut" });
}

// In the time that a body may be silent: less is as good as nothing.
const leastBytes = 16 * 1024;

async function askForRest(pull: Pull, blob: Descriptor, rest: Rest): Promise<Answer> {
  const { at, source } = rest;
  const ranged = at > 0 && source.takesRanges;
  const answer = await ask(pull, blob, { ...rest, at: ranged ? at : 0 });
  const fits = answer.status === 206 ? ranged && isRest(answer.headers, at, blob.size) : answer.status !== 416;
  if (fits) return answer;
  await answer.discard();
  const range = single(answer.headers, "content-range") ?? "no range";
  const wrong = `answered ${answer.status} with ${range} for ${ranged ? `bytes ${at}-` : "the whole"} of `;
  if (!ranged) throw protocolError(answer.url.host, wrong + subjectOf(pull, blob), { status: answer.status });
  // Not one byte of it is used. Whether the registry can give the blob at all is another question.
  pull.settings.logger.warn("a registry gives no parts of a blob, so it is fetched whole", {
    host: answer.url.host,
    status: answer.status,
    blob: blob.digest,
  });
  source.takesRanges = false;
  return askForRest(pull, blob, rest);
}

async function ask(pull: Pull, blob: Descriptor, { at, signal, source }: Rest): Promise<Answer> {
  if (signal.aborted) throw reasonOf(signal);
  const { conversation, target, patience } = pull;
  const ifRange = source.etag === undefined ? {} : { "if-range": source.etag };
  const answer = await conversation.ask(target, {
    method: "GET",
    path: `blobs/${blob.digest}`,
    accept: "*/*",
    ...(at > 0 ? { headers: { range: `bytes=${at}-`, ...ifRange } } : {}),
    purpose: "blob",
    signal,
  });
  const { status, headers, url } = answer;
  patience.answered();
  source.host = url.host;
  source.status = status;
  if (status !== 200) {
    if (status === 206 || status === 416) return answer;
    throw await conversation.refused(target, answer, subjectOf(pull, blob));
  }
  // A weak one does not vouch for single bytes (RFC 9110 §13.1.5).
  const etag = single(headers, "etag");
  if (etag?.startsWith('"') === true) source.etag = etag;
  const announced = contentLengthOf(headers);
  if (announced === undefined || announced === blob.size) return answer;
  await answer.discard();
  throw wrongSize(pull, blob, answer, `announces ${announced} bytes`);
}

// The end may be missing: what is then left is asked for in its turn.
function isRest(headers: Headers, at: number, size: number): boolean {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(single(headers, "content-range")?.trim() ?? "");
  if (!match) return false;
  const [first, last, total] = [Number(match[1]), Number(match[2]), match[3]];
  const length = contentLengthOf(headers);
  return (
    first === at &&
    last >= first &&
    last < size &&
    (total === "*" || Number(total) === size) &&
    (length === undefined || length === last - first + 1)
  );
}

/** In words, for messages. */
export function subjectOf({ target }: Pull, { digest }: Pick<Descriptor, "digest">): string {
  return `blob ${digest} of ${target.name}`;
}

function wrongSize(pull: Pull, { digest, size }: Descriptor, { url, status }: Answer, what: string): FetchImageError {
  const { host } = url;
  return new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${subjectOf(pull, { digest })} from ${host} ${what}, its manifest promised ${size}`,
    details: { host, status, wanted: digest, size },
  });
}

function trickles(pull: Pull, blob: Descriptor, answer: Answer): FetchImageError {
  const seconds = Math.ceil(pull.settings.timeouts.bodyMs / 1000);
  const says = `came with less than ${leastBytes} bytes in ${seconds} s`;
  return interrupted(pull, blob, answer, { code: "FI_REGISTRY_TIMEOUT", says, reason: "slow" });
}

function interrupted(
  pull: Pull,
  blob: Descriptor,
  { url: { host }, status }: Answer,
  { code, says, reason }: { code: "FI_REGISTRY_UNREACHABLE" | "FI_REGISTRY_TIMEOUT"; says: string; reason: string },
): FetchImageError {
  return new FetchImageError(code, {
    message: `${subjectOf(pull, blob)} from ${host} ${says}`,
    details: { host, status, reason },
  });
}
