import { digestOf, mediaTypes } from "../manifest.ts";
import type { BlobToPush, ImageToPush } from "./image-to-push.ts";

const configType = "application/vnd.oci.image.config.v1+json";

/**
 * The image of a config and its layers, the lowest first: the manifest is made here, and is the same for the same bytes.
 * Docker's configs have the fields of OCI's (image-spec, config.md).
 */
export function imageOfConfig(config: Uint8Array, layers: readonly BlobToPush[]): ImageToPush {
  const configBlob: BlobToPush = {
    digest: digestOf(config),
    mediaType: configType,
    size: config.length,
    async *open(from) {
      yield config.subarray(from);
    },
  };
  const descriptor = ({ mediaType, digest, size }: BlobToPush): object => ({ mediaType, digest, size });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptor(configBlob),
      layers: layers.map(descriptor),
    }),
  );
  const digest = digestOf(bytes);
  const manifest = { digest, mediaType: mediaTypes.ociManifest, size: bytes.length, bytes };
  const blobs = new Map([configBlob, ...layers].map((blob) => [blob.digest, blob]));
  return { digest, manifests: [manifest], blobs: [...blobs.values()] };
}
