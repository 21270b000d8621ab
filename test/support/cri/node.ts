// A node of a cluster, as far as images go: a container runtime, and the registry that its pods' own container comes from.
import { startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { type Containerd, startContainerd } from "./containerd.ts";
import { pauseImage } from "./images.ts";

export async function startNode(): Promise<Containerd> {
  const registry = await startEmbeddedRegistry();
  const pause = await registry.push("node/pause:1", pauseImage());
  const containerd = await startContainerd({ pauseImage: `${pause.repository}:1` });
  const close = async (): Promise<void> => {
    await containerd.close();
    await registry.close();
  };
  return { ...containerd, close, [Symbol.asyncDispose]: close };
}
