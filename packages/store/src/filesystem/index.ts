export { createFileArtifactStore, type FileArtifactStoreOptions } from "./artifact-store.ts";
export type { Keep } from "./keep.ts";
export { type Counts, pruneArtifacts, type Pruned, type PruneOptions } from "./prune.ts";
