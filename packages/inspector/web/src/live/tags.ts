// The histories that are looked at, and who ran which digest.
import { effect, signal } from "@preact/signals";
import { parseWireFact, readScopeFact } from "../facts/wire.ts";
import { type TagHistory, tagHistoryFrom, tagHistoryOf, type ToldHistory } from "../facts/tag-history.ts";
import { address } from "./address.ts";
import { openedFile } from "./file.ts";
import { problemText } from "./problem.ts";
import { api, ask, server } from "./server.ts";

export const tagHistories = signal<readonly TagHistory[]>([]);
export const tagProblem = signal<string | undefined>(undefined);

/** Follows the address; to be called once. */
export function openChosenTag(): void {
  effect(() => {
    const { view, ref, scope } = address.value;
    const file = openedFile.value;
    const isThere = server.value === "here";
    tagProblem.value = undefined;
    if (view !== "tags") return;
    const inFile = scope === undefined ? [...(file?.scopes.keys() ?? [])] : [scope];
    if (file !== undefined) {
      tagHistories.value = inFile.map((id) => tagHistoryOf(id, (file.scopes.get(id) ?? []).map(readScopeFact)));
    } else if (isThere && scope !== undefined) void load(() => ofScope(scope));
    else if (isThere && ref !== undefined) void load(() => ofReference(ref));
    else tagHistories.value = [];
  });
}

let asked = 0;

async function load(answer: () => Promise<readonly TagHistory[]>): Promise<void> {
  const own = ++asked;
  try {
    const histories = await answer();
    // Another may have been asked for meanwhile.
    if (own === asked) tagHistories.value = histories;
  } catch (error) {
    if (own !== asked) return;
    tagHistories.value = [];
    tagProblem.value = problemText(error);
  }
}

async function ofReference(ref: string): Promise<readonly TagHistory[]> {
  return (await ask<readonly ToldHistory[]>(api("versions", { ref, limit: "100" }))).map(tagHistoryFrom);
}

async function ofScope(scope: string): Promise<readonly TagHistory[]> {
  const url = api(`scopes/${encodeURIComponent(scope)}/facts`);
  const answer = await fetch(url, { headers: { accept: "application/x-ndjson" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(`the server has no facts of the scope ${scope} (${answer.status})`);
  const lines = (await answer.text()).split("\n").filter((line) => line !== "");
  const facts = lines.map((line) => readScopeFact(parseWireFact(line, `a fact of the scope ${scope}`)));
  return [tagHistoryOf(scope, facts)];
}

/** A build that ran a digest, as the audit answers. */
interface RanBy {
  readonly build: string;
  readonly fetch: string;
  readonly pipeline?: string;
  readonly job?: string;
  readonly step?: string;
  readonly requestedAt?: string;
}

export interface RanPage {
  readonly rows: readonly RanBy[];
  readonly next?: string;
}

export function whoRan(digest: string, page?: string): Promise<RanPage> {
  return ask<RanPage>(api("builds", { digest, limit: "20", page }));
}
