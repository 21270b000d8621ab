import { hash, randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Clock, Hash } from "@fetch-image/core/fetching";

/** The machine's own time. A timer keeps the process alive: somebody waits for it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    // setTimeout cannot wait longer than 2^31-1 ms; a later wake-up finds the timer still not due and waits again.
    const timer = setTimeout(callback, Math.min(ms, 2_147_483_647));
    return () => {
      clearTimeout(timer);
    };
  },
};

/** In one call each: a hash object costs twice what hashing so little does. */
export const nodeHash: Hash = {
  sha1Hex(prefix, text) {
    // UTF-8 takes three bytes a UTF-16 unit at most.
    const most = prefix.length + text.length * 3;
    if (most > scratch.length) return hash("sha1", Buffer.concat([prefix, Buffer.from(text)]), "hex");
    if (prefix !== standing) {
      scratch.set(prefix);
      standing = prefix;
    }
    return hash("sha1", begunWith(prefix.length + scratch.write(text, prefix.length)), "hex");
  },
  sha256Hex: (text) => hash("sha256", text, "hex"),
};

const scratch = Buffer.allocUnsafeSlow(4096);
/** What `scratch` begins with. There is one, the namespace of all ids. */
let standing: Uint8Array | undefined;

/** Views of what `scratch` begins with, by length: to make one costs a fifth of the hash. */
const views: (Buffer | undefined)[] = Array.from({ length: 256 });

function begunWith(length: number): Buffer {
  if (length >= views.length) return scratch.subarray(0, length);
  return (views[length] ??= scratch.subarray(0, length));
}

/** A name for this process that no other has had: a restarted node is another writer than the one that died. */
export function newIncarnation(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
}

/** A key that nobody else has. */
export function newKey(): string {
  return randomBytes(32).toString("base64url");
}
