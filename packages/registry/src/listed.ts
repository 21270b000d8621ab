import { type CancelSignal, type Digest, FetchImageError, type ListedImage } from "@fetch-image/core/registry-image";
import { platformText } from "./platform.ts";
import { type ManifestSource, pullManifest } from "./pull-image.ts";

/** What an index lists; nothing where the digest is an image, undefined where the registry has none such. */
export async function listedBy(
  source: ManifestSource,
  digest: Digest,
  signal: CancelSignal,
): Promise<readonly ListedImage[] | undefined> {
  try {
    const { manifest } = await pullManifest(source, { digest }, signal);
    if (manifest.kind === "image") return [];
    return manifest.manifests.map(({ digest: entry, platform }) => ({
      digest: entry,
      ...(platform === undefined ? {} : { platform: platformText(platform) }),
    }));
  } catch (error) {
    if (FetchImageError.is(error) && error.details["status"] === 404) return undefined;
    throw error;
  }
}
