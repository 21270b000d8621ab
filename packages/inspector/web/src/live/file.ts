// An exported stream, or several: what the page shows without any server.
import { buildStreamPrefix, FetchImageError, type RecordedFact, scopeStreamPrefix } from "@fetch-image/core";
import { signal } from "@preact/signals";
import { chartEdges } from "../chart/machine-picture.ts";
import { BuildHistory } from "../facts/history.ts";
import { summariesOf } from "../facts/summary.ts";
import { parseWireFact, readBuildFact } from "../facts/wire.ts";
import { go } from "./address.ts";
import { listFrom, listFromServer } from "./list.ts";
import { problemText } from "./problem.ts";

export interface OpenedFile {
  readonly name: string;
  readonly builds: ReadonlyMap<string, readonly RecordedFact[]>;
  readonly scopes: ReadonlyMap<string, readonly RecordedFact[]>;
}

/** What is shown instead of the server's facts. */
export const openedFile = signal<OpenedFile | undefined>(undefined);
export const fileProblem = signal<string | undefined>(undefined);

/** Lets the reader look into files: NDJSON, one fact a line, of any number of streams. */
export async function openFiles(files: readonly File[]): Promise<void> {
  if (files.length === 0) return;
  try {
    const texts = await Promise.all(files.map(async (file) => ({ name: file.name, text: await file.text() })));
    const facts = texts.flatMap(({ name, text }) => parseExport(text, name));
    const name = files.map((file) => file.name).join(", ");
    show({ name, ...byStream(facts) });
    fileProblem.value = undefined;
  } catch (error) {
    fileProblem.value = problemText(error);
  }
}

/** Back to the server's. */
export function closeFile(): void {
  openedFile.value = undefined;
  fileProblem.value = undefined;
  go({ build: undefined, fetch: undefined, at: undefined, scope: undefined });
  listFrom([]);
  void listFromServer();
}

/** Throws `FI_FACT_UNREADABLE`, naming the file and the line. */
function parseExport(text: string, name: string): readonly RecordedFact[] {
  const facts = text
    .split("\n")
    .flatMap((line, index) => (line.trim() === "" ? [] : [parseWireFact(line, `${name}, line ${index + 1},`)]));
  if (facts.length > 0) return facts;
  throw new FetchImageError("FI_FACT_UNREADABLE", {
    message: `${name} has no facts`,
  });
}

function byStream(facts: readonly RecordedFact[]): Omit<OpenedFile, "name"> {
  const streams = new Map<string, RecordedFact[]>();
  for (const fact of facts) {
    const stream = streams.get(fact.stream);
    if (stream === undefined) streams.set(fact.stream, [fact]);
    else stream.push(fact);
  }
  const below = (prefix: string): Map<string, RecordedFact[]> =>
    new Map(
      [...streams]
        .filter(([stream]) => stream.startsWith(prefix))
        .map(([stream, all]) => [stream.slice(prefix.length), all.toSorted(byRevision)]),
    );
  return { builds: below(buildStreamPrefix), scopes: below(scopeStreamPrefix) };
}

function byRevision(a: RecordedFact, b: RecordedFact): number {
  return a.revision < b.revision ? -1 : a.revision > b.revision ? 1 : 0;
}

function show(file: OpenedFile): void {
  const histories = [...file.builds.values()].map((facts) => {
    const history = new BuildHistory(chartEdges);
    history.add(facts.map(readBuildFact));
    return history;
  });
  const summaries = histories.flatMap(summariesOf);
  listFrom(summaries);
  openedFile.value = file;
  const [build] = file.builds.keys();
  const [scope] = file.scopes.keys();
  const first = summaries.find((summary) => summary.build === build);
  if (build === undefined) go({ view: "tags", scope, build: undefined, fetch: undefined, at: undefined });
  else
    go({
      view: "fetches",
      build,
      fetch: first?.fetch,
      at: undefined,
      scope: undefined,
      q: undefined,
      state: undefined,
    });
}
