import { createHash, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Clock, Hash } from "@fetch-image/core";

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

export const nodeHash: Hash = {
  sha1: (prefix, text) => createHash("sha1").update(prefix).update(text).digest(),
  sha256Hex: (text) => createHash("sha256").update(text).digest("hex"),
};

/** A name for this process that no other has had: a restarted node is another writer than the one that died. */
export function newIncarnation(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
}
