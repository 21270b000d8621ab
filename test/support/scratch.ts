import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of the test's own. */
export interface Scratch extends Disposable {
  readonly directory: string;
  path(...names: readonly string[]): string;
}

export function scratch(name: string): Scratch {
  const directory = mkdtempSync(join(tmpdir(), `fetch-image-${name}-`));
  return {
    directory,
    path: (...names) => join(directory, ...names),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
