import { join } from "node:path";

/** Where images' bytes are in a data directory. */
export interface ArtifactPlaces {
  /** By their digests, shared by all gets of the machine. */
  readonly store: string;
  /** The directories that gets of a run have filled. */
  readonly gets: string;
}

export function artifactPlaces(data: string): ArtifactPlaces {
  const store = join(data, "artifacts");
  return { store, gets: join(store, "gets") };
}
