import type { CancelSignal } from "@fetch-image/core/registry-image";
import type { WantedPlatform } from "../platform.ts";
import { defaultLimits } from "../settings.ts";
import { artifactFiles } from "./artifact-files.ts";
import { artifactInvalid } from "./artifact-invalid.ts";
import type { ImageToPush } from "./image-to-push.ts";
import { readArchive } from "./read-archive.ts";
import { readLayout } from "./read-layout.ts";
import { readRootfs } from "./read-rootfs.ts";

export interface ReadArtifactOptions {
  /** What a root file system is built for, which says nothing of it itself. Default: linux on this machine's processor. */
  readonly platform?: WantedPlatform;
  /** Of one manifest, index or config. Default: that of what is pulled. */
  readonly manifestBytes?: number;
  readonly signal: CancelSignal;
}

/**
 * The image in what a step has built, by the first of these that is there:
 *
 * | | |
 * |---|---|
 * | `index.json`, `oci/index.json`, `image/index.json` | an OCI layout, as the resource's `format: oci-layout` and oci-build-task's `OUTPUT_OCI` make it |
 * | `image.tar` | an archive of an OCI layout, or of `docker save`, as oci-build-task and `format: oci` make it |
 * | `rootfs/` | a root file system, `metadata.json` beside it, as Concourse's workers run it |
 *
 * The digest is the same for the same bytes, wherever and whenever. Rejects with `FI_ARTIFACT_INVALID` naming the file;
 * whatever the artifact's files are, nothing outside of its directory is read.
 */
export async function readArtifact(directory: string, options: ReadArtifactOptions): Promise<ImageToPush> {
  const { signal, manifestBytes = defaultLimits.manifestBytes, platform } = options;
  const files = await artifactFiles(directory);
  for (const name of ["index.json", "oci/index.json", "image/index.json"]) {
    const index = await files.find(name);
    if (index && !index.isDirectory) return await readLayout(files, index, { manifestBytes });
  }
  const archive = await files.find("image.tar");
  if (archive && !archive.isDirectory) return await readArchive(archive, { manifestBytes }, signal);
  const rootfs = await files.find("rootfs");
  if (rootfs?.isDirectory) return await readRootfs(files, rootfs, { manifestBytes, signal, platform });
  throw artifactInvalid(directory, "holds no image: no OCI layout, no image.tar and no rootfs directory");
}
