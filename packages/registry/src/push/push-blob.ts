import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import { deadline } from "../transport/deadline.ts";
import { contentLengthOf, single } from "../transport/headers.ts";
import { protocolError } from "../transport/refusal.ts";
import type { Answer, Method } from "../transport/transport.ts";
import type { BlobToPush } from "./image-to-push.ts";
import type { Push } from "./push-image.ts";
import { pushRefused, pushScopes } from "./push-refused.ts";

export type BlobOutcome = "present" | "mounted" | "uploaded";

/**
 * Brings one blob to the registry: not at all where it is there, by mounting it from a repository that may have it, or
 * by one PUT of it whole. An upload that breaks off goes on behind what the registry has taken, where it tells that.
 */
export async function pushBlob(push: Push, blob: BlobToPush, signal: CancelSignal): Promise<BlobOutcome> {
  const { patience } = push;
  if (await patience.insist(() => isThere(push, blob, signal), signal)) return "present";
  // Where an upload stands, from one try to the next.
  const upload: Upload = { place: undefined, broken: false };
  return await patience.insist(() => send(push, blob, { upload, signal }), signal);
}

interface Upload {
  /** Where the rest goes; undefined before the upload has begun, and after it was lost. */
  place: URL | undefined;
  /** Whether some of it may be there. */
  broken: boolean;
}

interface Sending {
  readonly upload: Upload;
  readonly signal: CancelSignal;
}

async function isThere(push: Push, blob: BlobToPush, signal: CancelSignal): Promise<boolean> {
  const answer = await ask(push, { method: "HEAD", path: `blobs/${blob.digest}`, signal });
  await answer.discard();
  if (answer.status === 404) return false;
  if (answer.status !== 200) throw await pushRefused(push, answer, subjectOf(push, blob));
  const length = contentLengthOf(answer.headers);
  if (length === undefined || length === blob.size) return true;
  throw new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${answer.url.host} has ${length} bytes as ${subjectOf(push, blob)}, which has ${blob.size}`,
    details: { host: answer.url.host, status: answer.status, wanted: blob.digest, size: blob.size },
  });
}

async function send(push: Push, blob: BlobToPush, sending: Sending): Promise<"mounted" | "uploaded"> {
  const { upload, signal } = sending;
  let from = 0;
  if (upload.place && upload.broken) from = await takenOf(push, blob, { upload, signal });
  if (upload.place === undefined) {
    const mounted = await begin(push, blob, sending);
    if (mounted) return "mounted";
  }
  upload.broken = true;
  if (from > 0) await sendRest(push, blob, { ...sending, from });
  await finish(push, blob, { ...sending, from });
  return "uploaded";
}

/** True where the registry has mounted the blob from another repository, and nothing is to be sent. */
async function begin(push: Push, blob: BlobToPush, { upload, signal }: Sending): Promise<boolean> {
  const { target, options } = push;
  for (const from of options.mountFrom ?? []) {
    if (from === target.path) continue;
    const path = `blobs/uploads/?mount=${encodeURIComponent(blob.digest)}&from=${encodeURIComponent(from)}`;
    const answer = await ask(push, { method: "POST", path, body: "", scopes: pushScopes(target, from), signal });
    await answer.discard();
    if (answer.status === 201) return true;
    // What cannot be mounted is an upload that has begun. Who may not read there gets neither, and pushes all the same.
    if (answer.status === 202) upload.place = placeIn(push, blob, answer);
  }
  upload.broken = false;
  if (upload.place !== undefined) return false;
  const answer = await ask(push, { method: "POST", path: "blobs/uploads/", body: "", signal });
  if (answer.status !== 202) throw await pushRefused(push, answer, subjectOf(push, blob));
  await answer.discard();
  upload.place = placeIn(push, blob, answer);
  return false;
}

/** How much of a broken upload the registry has; 0, and the upload forgotten, where it does not say. */
async function takenOf(push: Push, blob: BlobToPush, { upload, signal }: Sending): Promise<number> {
  if (upload.place === undefined) return 0;
  const answer = await ask(push, { method: "GET", path: upload.place, signal });
  await answer.discard();
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(single(answer.headers, "range") ?? "")?.[1];
  const taken = last === undefined ? 0 : Number(last) + 1;
  // `0-0` is what registries say of nothing, too: one byte more or less is not worth the doubt.
  const isUsable = (answer.status === 204 || answer.status === 202) && taken > 1 && taken <= blob.size;
  upload.place = isUsable ? placeIn(push, blob, answer, upload.place) : undefined;
  return isUsable ? taken : 0;
}

async function sendRest(
  push: Push,
  blob: BlobToPush,
  { upload, from, signal }: Sending & { readonly from: number },
): Promise<void> {
  if (upload.place === undefined || from === blob.size) return;
  const answer = await ask(push, {
    method: "PATCH",
    path: upload.place,
    headers: { ...lengthAndType(blob.size - from), "content-range": `${from}-${blob.size - 1}` },
    body: () => Readable.from(checked(blob, from), { objectMode: false }),
    signal,
  });
  if (answer.status === 202) {
    await answer.discard();
    upload.place = placeIn(push, blob, answer, upload.place);
    return;
  }
  upload.place = undefined;
  // 416: the registry has lost count. The next try begins anew.
  if (answer.status !== 416) throw await pushRefused(push, answer, subjectOf(push, blob));
  await answer.discard();
  throw new FetchImageError("FI_REGISTRY_UNREACHABLE", {
    message: `${answer.url.host} did not go on with the upload of ${subjectOf(push, blob)}`,
    details: { host: answer.url.host, status: answer.status, reason: "cut" },
  });
}

/** Ends the upload: with the whole blob where nothing of it is there, or with nothing more. */
async function finish(
  push: Push,
  blob: BlobToPush,
  { upload, from, signal }: Sending & { readonly from: number },
): Promise<void> {
  const { place } = upload;
  if (place === undefined) return;
  const isWhole = from === 0 && blob.size > 0;
  const answer = await ask(push, {
    method: "PUT",
    path: withDigest(place, blob.digest),
    headers: lengthAndType(isWhole ? blob.size : 0),
    body: isWhole ? () => Readable.from(checked(blob, 0), { objectMode: false }) : "",
    signal,
  });
  if (answer.status !== 201 && answer.status !== 204) {
    // An upload that is gone, or that was not what it should be, is no upload to go on with.
    if (answer.status < 500) upload.place = undefined;
    throw await pushRefused(push, answer, subjectOf(push, blob));
  }
  await answer.discard();
  const actual = single(answer.headers, "docker-content-digest");
  if (actual === undefined || actual === blob.digest) return;
  throw new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${answer.url.host} was sent ${subjectOf(push, blob)} and says that it has got ${actual.slice(0, 150)}`,
    details: { host: answer.url.host, status: answer.status, wanted: blob.digest },
  });
}

interface Question {
  readonly method: Method;
  readonly path: string | URL;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | (() => Readable);
  readonly scopes?: readonly string[];
  readonly signal: CancelSignal;
}

async function ask(push: Push, question: Question): Promise<Answer<Method>> {
  const { conversation, settings, target, patience } = push;
  const isUpload = typeof question.body === "function";
  // An upload takes as long as it takes: what is silent is noticed below.
  using limit = deadline(
    question.signal,
    isUpload ? undefined : { ms: settings.timeouts.exchangeMs, host: target.host },
  );
  const { scopes = pushScopes(target) } = question;
  const purpose = isUpload ? "blob" : "api";
  const answer = await conversation.ask(target, { ...question, accept: "*/*", scopes, purpose, signal: limit.signal });
  patience.answered();
  return answer;
}

function lengthAndType(length: number): { readonly [name: string]: string } {
  return { "content-length": String(length), "content-type": "application/octet-stream" };
}

/** A blob's bytes on their way out. Fails where they are not what the digest names: whoever made them has changed them. */
async function* checked(blob: BlobToPush, from: number): AsyncGenerator<Uint8Array, void, undefined> {
  const [algorithm = "sha256"] = blob.digest.split(":");
  const hash = createHash(algorithm);
  let at = 0;
  for await (const chunk of blob.open(0)) {
    hash.update(chunk);
    at += chunk.length;
    if (at > blob.size) break;
    // The last byte waits until all are known to be right: a registry never gets whole what is wrong.
    const end = at === blob.size ? chunk.length - 1 : chunk.length;
    const begin = Math.max(0, from - (at - chunk.length));
    if (begin < end) yield chunk.subarray(begin, end);
    if (at < blob.size) continue;
    if (`${algorithm}:${hash.digest("hex")}` !== blob.digest) break;
    yield chunk.subarray(Math.max(begin, end));
    return;
  }
  throw new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `what is to be pushed as ${blob.digest} has changed: its bytes are others by now`,
    hint: "Push when whatever makes the image has ended.",
    details: { wanted: blob.digest, size: blob.size },
  });
}

/** Where the registry wants the upload (distribution-spec, "POST then PUT"): a URL, a path or a query of its own. */
function placeIn(push: Push, blob: BlobToPush, answer: Answer<Method>, before: URL = answer.url): URL {
  const location = single(answer.headers, "location");
  if (location === undefined && before !== answer.url) return before;
  if (location === undefined || !URL.canParse(location, answer.url.href)) {
    throw protocolError(answer.url.host, `takes ${subjectOf(push, blob)} and does not say where`, {
      status: answer.status,
    });
  }
  const place = new URL(location, answer.url);
  // Behind a proxy that speaks TLS for it, a registry writes its own address with http.
  if (place.host === answer.url.host) place.protocol = answer.url.protocol;
  return place;
}

/** The query is the registry's own, maybe signed: it stays as it is. */
function withDigest(place: URL, digest: string): URL {
  const url = new URL(place);
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

function subjectOf({ target }: Push, { digest }: BlobToPush): string {
  return `blob ${digest} of ${target.name}`;
}
