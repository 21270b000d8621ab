import { type ArtifactFiles, type FoundFile, readPiece, readWhole } from "./artifact-files.ts";
import { artifactInvalid } from "./artifact-invalid.ts";
import { imageOfLayout, type LayoutLimits } from "./image-of-blobs.ts";
import type { ImageToPush } from "./image-to-push.ts";

/** The image of an OCI layout in a directory of the artifact, `index` being its `index.json`. */
export async function readLayout(files: ArtifactFiles, index: FoundFile, limits: LayoutLimits): Promise<ImageToPush> {
  const directory = index.name.replace(/index\.json$/, "");
  const nameOf = (digest: string): string => `${directory}blobs/${digest.replace(":", "/")}`;
  const bytes = await readWhole(index, limits.manifestBytes);
  return await imageOfLayout(
    { name: index.name, bytes },
    {
      nameOf,
      async find(digest) {
        const file = await files.find(nameOf(digest));
        if (!file || file.isDirectory) return undefined;
        return { size: file.size, open: (start) => readPiece(file, { start, end: file.size }) };
      },
      async read(digest, maxBytes) {
        const file = await files.find(nameOf(digest));
        if (!file || file.isDirectory) throw artifactInvalid(nameOf(digest), "is missing");
        return await readWhole(file, maxBytes);
      },
    },
    limits,
  );
}
