import { readdir, readFile } from "node:fs/promises";

/** One step of the schema. Once released it is never edited: a change is a new file. */
export interface Migration {
  readonly number: number;
  /** `000001_event_log` */
  readonly name: string;
  readonly text: string;
}

// As far from src/sql as from dist/sql.
const directory = new URL("../../sql/", import.meta.url);

let loading: Promise<readonly Migration[]> | undefined;

/** The schema's steps in order, from the package's `sql` directory. */
export function migrations(): Promise<readonly Migration[]> {
  loading ??= load();
  return loading;
}

async function load(): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter((file) => /^\d{6}_\w+\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => ({
      number: Number(file.slice(0, 6)),
      name: file.slice(0, -".sql".length),
      text: await readFile(new URL(file, directory), "utf8"),
    })),
  );
}
