import { randomUUID } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasEnded, type ProcessTag, tagOf, thisProcess } from "../process/identity.ts";

/** Of what a process is still writing. Its name says which process. */
export const draftSuffix = ".part";
/** Of what nobody is writing any more, and anybody may go on with. */
export const leftSuffix = ".left";

/** A name of its own for what is being made under `name`: another process may be making the same. */
export function draftName(name: string): string {
  const { machine, pid, started } = tagOf(thisProcess());
  return `${name}.${machine}-${pid}-${started}.${randomUUID().slice(0, 8)}${draftSuffix}`;
}

/** The name under which a draft is left to whoever comes next. */
export function leftName(draft: string): string {
  return draft.slice(0, -draftSuffix.length) + leftSuffix;
}

/** What a draft's file name stands for: `name` as it was given, and whether somebody may be writing it. */
export function readDraftName(fileName: string): { readonly name: string; readonly busy: boolean } | undefined {
  const match = /^(.+)\.([0-9a-f]{12})-(\d{1,10})-(\d{1,15})\.[0-9a-f]{8}(\.part|\.left)$/.exec(fileName);
  if (!match) return undefined;
  const [, name = "", machine = "", pid, started, suffix] = match;
  const writer: ProcessTag = { machine, pid: Number(pid), started: Number(started) };
  return { name, busy: suffix === draftSuffix && !hasEnded(writer) };
}

/** Longer than anybody writes to one and the same draft. */
export const abandonedMs: number = 24 * 60 * 60 * 1000;

/** Removes drafts that nobody has written to for a day: of processes that were killed, here or elsewhere. */
export async function sweepDrafts(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((each) => each.endsWith(draftSuffix) || each.endsWith(leftSuffix))) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || Date.now() - found.mtimeMs < abandonedMs) continue;
      // A process of ours that is silent for so long is still ours.
      if (readDraftName(name)?.busy === true && isOurs(name)) continue;
      await rm(path, { recursive: true, force: true });
    }
  }
}

function isOurs(fileName: string): boolean {
  return fileName.includes(`.${tagOf(thisProcess()).machine}-`);
}
