import { constants, existsSync } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import type { ArtifactStore } from "@fetch-image/core";
import { artifactPlaces } from "../artifact-places.ts";
import type { EffectiveSettings } from "../effective-settings.ts";
import { errnoOf } from "../errno.ts";

export interface LayerStoreOptions {
  /** Where a store can be that nobody needs afterwards. */
  readonly scratch: string;
  readonly say: (line: string) => void;
}

/**
 * Where an image's layers are kept: in the data directory, shared by all gets of the machine, where somebody has named
 * or made one; else, as in a resource's container that is gone afterwards, in `scratch`.
 */
export async function openLayerStore(
  { values, origins }: EffectiveSettings,
  { scratch, say }: LayerStoreOptions,
): Promise<ArtifactStore> {
  const { createFileArtifactStore } = await import("@fetch-image/store/filesystem");
  const { store: shared } = artifactPlaces(values.data);
  if (origins.data.from === "default" && !existsSync(values.data))
    return createFileArtifactStore({ directory: scratch });
  const problem = await problemOf(shared);
  if (problem === undefined) return createFileArtifactStore({ directory: shared });
  say(`${shared} cannot be written to (${problem}): its layers are fetched anew, and not kept`);
  return createFileArtifactStore({ directory: scratch });
}

async function problemOf(directory: string): Promise<string | undefined> {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.W_OK);
    return undefined;
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined) throw error;
    return code;
  }
}
