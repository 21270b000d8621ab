import { createHash } from "node:crypto";
import type { CancelSignal } from "@fetch-image/core/registry-image";
import { parseJsonBody } from "../json-body.ts";
import { mediaTypes } from "../manifest.ts";
import { completePlatform, type WantedPlatform } from "../platform.ts";
import { type ArtifactFiles, type FoundFile, readWhole } from "./artifact-files.ts";
import { artifactInvalid } from "./artifact-invalid.ts";
import type { LayoutLimits } from "./image-of-blobs.ts";
import { imageOfConfig } from "./image-of-config.ts";
import type { ImageToPush } from "./image-to-push.ts";
import { rootfsLayer } from "./rootfs-layer.ts";

interface RootfsOptions extends LayoutLimits {
  readonly platform?: WantedPlatform | undefined;
  readonly signal: CancelSignal;
}

/**
 * The image of a root file system with Concourse's `metadata.json` beside it (`env`, `user`, `cmd`, `entrypoint`): one
 * layer of it all. The tree is read here for its digest, and once more when it is pushed. Throws `FI_ARTIFACT_INVALID`.
 */
export async function readRootfs(
  files: ArtifactFiles,
  rootfs: FoundFile,
  options: RootfsOptions,
): Promise<ImageToPush> {
  const { signal } = options;
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of rootfsLayer(rootfs.path, signal)) {
    hash.update(chunk);
    size += chunk.length;
  }
  const digest = `sha256:${hash.digest("hex")}` as const;
  const { os, architecture, variant } = completePlatform(options.platform);
  const config = {
    created: "1970-01-01T00:00:00Z",
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    config: await runConfig(files, options),
    rootfs: { type: "layers", diff_ids: [digest] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "fetch-image: rootfs" }],
  };
  const mediaType = mediaTypes.ociManifest.replace("manifest.v1+json", "layer.v1.tar");
  const open = (from: number): AsyncIterable<Uint8Array> => behind(rootfsLayer(rootfs.path, signal), from);
  return imageOfConfig(Buffer.from(JSON.stringify(config)), [{ digest, size, mediaType, open }]);
}

async function runConfig(files: ArtifactFiles, { manifestBytes }: LayoutLimits): Promise<object> {
  const file = await files.find("metadata.json");
  if (!file) return {};
  const metadata = parseJsonBody(await readWhole(file, manifestBytes));
  if (!metadata) throw artifactInvalid(file.name, "is no JSON object");
  const { env, user, cmd, entrypoint } = metadata;
  const lists = { Env: env, Entrypoint: entrypoint, Cmd: cmd };
  for (const [name, list] of Object.entries(lists)) {
    if (list !== undefined && list !== null && !isTexts(list)) {
      throw artifactInvalid(file.name, `has something else than texts as ${name.toLowerCase()}`);
    }
  }
  const given = Object.entries(lists).filter(([, list]) => isTexts(list) && list.length > 0);
  return { ...(typeof user === "string" && user !== "" ? { User: user } : {}), ...Object.fromEntries(given) };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

async function* behind(chunks: AsyncIterable<Uint8Array>, from: number): AsyncGenerator<Uint8Array, void, undefined> {
  let at = 0;
  for await (const chunk of chunks) {
    at += chunk.length;
    if (at > from) yield chunk.subarray(Math.max(0, chunk.length - (at - from)));
  }
}
