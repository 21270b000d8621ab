import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { CancelSignal } from "@fetch-image/core/registry-image";
import { completePlatform } from "../platform.ts";
import { deadline, unlessAborted } from "../transport/deadline.ts";
import type { ImageGet } from "./get-image.ts";

/** Directories that gets have filled, each made once. */
export interface ImageDirectories {
  /**
   * The directory of this very get: the same digest, platform, format, tag and repository. `fill` is called with an empty
   * one where it is not there yet; complete or not there at all. Of several askers at the same time one fills it.
   */
  of(
    get: ImageGet,
    fill: (directory: string) => Promise<void>,
    options: { readonly signal: CancelSignal },
  ): Promise<string>;
}

/** A draft this old belongs to a process that was killed. */
const abandonedMs = 24 * 60 * 60 * 1000;

export function createImageDirectories(root: string): ImageDirectories {
  // Beside, and not among the others: whoever prunes those must not meet one that is being made.
  const drafts = `${root}-under-way`;
  const underWay = new Map<string, Promise<string>>();
  let swept: Promise<void> | undefined;

  return {
    async of(get, fill, { signal }) {
      const target = join(root, nameOf(get));
      for (;;) {
        if (await isThere(target)) {
          // What is used is pruned last.
          await utimes(target, new Date(), new Date()).catch(() => undefined);
          return target;
        }
        const other = underWay.get(target);
        if (!other) break;
        // Its failure is its asker's; whoever waited tries for himself.
        await unlessCancelled(
          other.catch(() => undefined),
          signal,
        );
      }
      const made = make(target, fill).finally(() => underWay.delete(target));
      underWay.set(target, made);
      return await made;
    },
  };

  async function make(target: string, fill: (directory: string) => Promise<void>): Promise<string> {
    await (swept ??= sweep(drafts));
    const draft = join(drafts, randomUUID());
    try {
      await mkdir(draft, { recursive: true });
      await fill(draft);
      await mkdir(root, { recursive: true });
      await rename(draft, target);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      // Another process made the very same meanwhile.
      if (!(await isThere(target))) throw error;
    }
    return target;
  }
}

function nameOf({ digest, tag, format, platform, source }: ImageGet): string {
  const { os, architecture, variant = "" } = completePlatform(platform);
  const distinction = JSON.stringify([digest, os, architecture, variant, format, tag, source.repository]);
  const hash = createHash("sha256").update(distinction).digest("hex");
  return `${digest.replace(":", "-")}-${format}-${hash.slice(0, 16)}`;
}

async function sweep(drafts: string): Promise<void> {
  for (const name of await readdir(drafts).catch(() => [])) {
    const path = join(drafts, name);
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > abandonedMs) await rm(path, { recursive: true, force: true });
  }
}

async function unlessCancelled<T>(work: Promise<T>, signal: CancelSignal): Promise<T> {
  using limit = deadline(signal);
  return await unlessAborted(work, limit.signal);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
