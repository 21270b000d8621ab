export { createFileArtifactStore, type FileArtifactStoreOptions } from "./artifact-store.ts";
