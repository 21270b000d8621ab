// A process that fetches one image into a store, and tells its parent what became of it.
import { type Digest, FetchImageError } from "@fetch-image/core";
import { createImageRegistry } from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";

export interface FetchWork {
  readonly repository: string;
  readonly digest: Digest;
  readonly directory: string;
}

export type FetchOutcome = { readonly downloadedBytes: number; readonly layout: string } | { readonly failed: string };

const work: FetchWork = JSON.parse(process.argv[2] ?? "{}");
const registry = createImageRegistry();
const store = createFileArtifactStore({ directory: work.directory });
const { signal } = new AbortController();
const outcome: FetchOutcome = await registry
  .fetchArtifact({ repository: work.repository }, work.digest, { store, signal })
  .then(
    ({ downloadedBytes, directory }) => ({ downloadedBytes, layout: directory }),
    (error: unknown) => ({ failed: FetchImageError.is(error) ? `${error.code}: ${error.message}` : String(error) }),
  );
await registry.close();
process.send?.(outcome);
process.disconnect();
