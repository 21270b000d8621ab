import { type ArtifactStore, type Digest, isDigest } from "@fetch-image/core/registry-image";
import { isJsonBody, type JsonBody, parseJsonBody } from "../json-body.ts";
import type { StoredImage } from "../stored-image.ts";
import { protocolError, tooLarge } from "../transport/refusal.ts";

/** What a container of an image runs with (OCI image-spec, config.md); null where the image does not say it. */
export interface ImageConfig {
  readonly cmd: readonly string[] | null;
  readonly entrypoint: readonly string[] | null;
  readonly env: readonly string[] | null;
  readonly user: string | null;
  readonly labels: { readonly [key: string]: string } | null;
  /** What each layer unpacks to, the lowest first; none where the config does not tell it of every layer. */
  readonly diffIds: readonly Digest[];
}

/** Throws `FI_REGISTRY_PROTOCOL` where it is no image's config, naming the host and the field. */
export async function imageConfig(store: ArtifactStore, { image, host }: StoredImage): Promise<ImageConfig> {
  const subject = `the config ${image.config.digest}`;
  if (image.config.size > mostBytes) throw tooLarge(host, subject, mostBytes);
  const document = parseJsonBody(await readAll(store, image.config.digest));
  if (!document) throw protocolError(host, `has no JSON object as ${subject}`);
  const read = <T>(value: unknown, is: (value: unknown) => value is T, wanted: string): T | null => {
    if (value === undefined || value === null) return null;
    if (is(value)) return value;
    throw protocolError(host, `has no ${wanted} in ${subject}`);
  };
  const config = read(document["config"], isJsonBody, "object as `config`") ?? {};
  return {
    cmd: read(config["Cmd"], isTexts, "list of texts as `Cmd`"),
    entrypoint: read(config["Entrypoint"], isTexts, "list of texts as `Entrypoint`"),
    env: read(config["Env"], isTexts, "list of texts as `Env`"),
    user: read(config["User"], isText, "text as `User`"),
    labels: read(config["Labels"], isTextMap, "texts as `Labels`"),
    diffIds: diffIdsOf(document, image.layers.length),
  };
}

// Layers are fetched by the digests of their manifest, so that a config without these is no reason to refuse an image.
function diffIdsOf({ rootfs }: JsonBody, layers: number): readonly Digest[] {
  const ids: unknown = isJsonBody(rootfs) ? rootfs["diff_ids"] : undefined;
  return isTexts(ids) && ids.length === layers && ids.every(isDigest) ? ids : [];
}

const mostBytes = 8 * 1024 * 1024;

async function readAll(store: ArtifactStore, digest: Parameters<ArtifactStore["read"]>[0]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isTextMap(value: unknown): value is { readonly [key: string]: string } {
  return isJsonBody(value) && Object.values(value).every(isText);
}
