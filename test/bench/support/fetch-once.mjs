// A process of its own that fetches an image into a store, and tells its parent the most memory that it ever had, in MiB.
import { readFileSync } from "node:fs";
import { createImageRegistry } from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";

const { repository, digest, directory } = JSON.parse(process.argv[2] ?? "{}");
const registry = createImageRegistry();
const store = createFileArtifactStore({ directory });
await registry.fetchArtifact({ repository }, digest, { store, signal: new AbortController().signal });
await registry.close();
// Not getrusage's: that of a process which was forked begins with what its parent had.
const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
process.send?.(Number(kibibytes) / 1024);
