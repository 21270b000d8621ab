export { type Challenge, parseChallenges } from "./auth/challenge.ts";
export type { LoginDescription } from "./auth/configured-login.ts";
export { type Destination, openDestination } from "./get/destination.ts";
export { getImage, type GetImageOptions, type GotImage, type ImageGet, imageGet } from "./get/get-image.ts";
export type { MetadataField } from "./get/metadata.ts";
export type { GetFormat } from "./get/params.ts";
export { createImageRegistry, type OciRegistry } from "./image-registry.ts";
export type { Descriptor, Platform } from "./manifest.ts";
export type { WantedPlatform } from "./platform.ts";
export type { ArtifactProgress, LayerProgress } from "./pull-progress.ts";
export type { FetchArtifactOptions, FetchedArtifact } from "./pull-to-layout.ts";
export { type ArtifactPusherOptions, createArtifactPusher } from "./push/artifact-pusher.ts";
export type { BlobToPush, ImageToPush } from "./push/image-to-push.ts";
export type { PushedImage, PushImageOptions } from "./push/push-image.ts";
export { readArtifact, type ReadArtifactOptions } from "./push/read-artifact.ts";
export { createRegistryImageRunner, type RegistryImageRunnerOptions } from "./registry-image-runner.ts";
export {
  type AmbientCloud,
  defaultLimits,
  defaultTimeouts,
  type ProxySettings,
  type RegistryLimits,
  type RegistryOptions,
  type RegistryTimeouts,
} from "./settings.ts";
export { defaultUnpackLimits, type UnpackLimits } from "./unpack/limits.ts";
export { readTar } from "./unpack/read-tar.ts";
export type { Skipped } from "./unpack/skips.ts";
export type { TarEntry, TarEntryType } from "./unpack/tar-reader.ts";
export {
  type LayerToUnpack,
  unpackLayers,
  type Unpacked,
  type UnpackOptions,
  type UnpackProgress,
} from "./unpack/unpack-layers.ts";
export type { FetchImageOptions, StoredImage, StoredManifest } from "./stored-image.ts";
