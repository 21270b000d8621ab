// A process of its own that fetches an image into a store, and tells its parent the most memory that it ever had, in MiB.
import { createImageRegistry } from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";

const { repository, digest, directory } = JSON.parse(process.argv[2] ?? "{}");
const registry = createImageRegistry();
const store = createFileArtifactStore({ directory });
await registry.fetchArtifact({ repository }, digest, { store, signal: new AbortController().signal });
await registry.close();
// Linux tells it in KiB.
process.send?.(process.resourceUsage().maxRSS / 1024);
