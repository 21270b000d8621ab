import type { CancelSignal, Digest } from "@fetch-image/core/registry-image";
import { inParallel } from "./in-parallel.ts";
import { type Descriptor, isManifestType } from "./manifest.ts";
import { deepestIndex, type ManifestSource, type PulledManifest, pullManifest, tooDeep } from "./pull-image.ts";
import { tooLarge } from "./transport/refusal.ts";

// Indexes of a few dozen images exist; a registry that sends more than this wants our memory.
const mostManifests = 1_000;
const mostManifestSizes = 8;

/**
 * An index's manifests, however nested, each once, `known` ones not asked for again: images of every platform, and what
 * else belongs to them (attestations, signatures). One that the registry lacks is an error naming it. Entries of other
 * media types are left alone: nobody promises that they can be asked for (OCI image-spec, image-index.md, and
 * go-containerregistry's layout writer does the same).
 */
export async function pullIndex(
  source: ManifestSource,
  known: readonly [PulledManifest, ...PulledManifest[]],
  signal: CancelSignal,
): Promise<readonly PulledManifest[]> {
  const { settings, target } = source;
  const [root] = known;
  const found = new Map<Digest, PulledManifest>([[root.digest, root]]);
  const asked = new Map(known.map((manifest) => [manifest.digest, manifest]));
  const mostBytes = mostManifestSizes * settings.limits.manifestBytes;
  let bytes = root.size;
  let level: readonly PulledManifest[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    const children = new Map<Digest, Descriptor>();
    for (const child of level.flatMap(childrenOf)) if (!found.has(child.digest)) children.set(child.digest, child);
    const [parent = root] = level;
    if (children.size > 0 && depth === deepestIndex) throw tooDeep(source, parent.digest);
    bytes += [...children.values()].reduce((sum, { size }) => sum + size, 0);
    if (found.size + children.size > mostManifests || bytes > mostBytes) {
      throw tooLarge(target.host, `the manifests of ${target.name}@${root.digest}`, mostBytes);
    }
    const pulled = new Map<Digest, PulledManifest>();
    const width = settings.limits.concurrentBlobs;
    await inParallel([...children.values()], { width, signal }, async (child, one) => {
      pulled.set(child.digest, asked.get(child.digest) ?? (await pullManifest(source, child, one)));
    });
    // In the index's order, whichever came first.
    level = [...children.keys()].map((digest) => pulled.get(digest)).filter((each) => each !== undefined);
    for (const manifest of level) found.set(manifest.digest, manifest);
  }
  return [...found.values()];
}

function childrenOf({ manifest }: PulledManifest): readonly Descriptor[] {
  return manifest.kind === "index" ? manifest.manifests.filter(({ mediaType }) => isManifestType(mediaType)) : [];
}
