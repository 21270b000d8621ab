import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { type ImageToPush, readArtifact } from "@fetch-image/registry";
import { buildImage, type StoredBlob } from "@fetch-image/registry/embedded";
import { type TarItem, tarOf } from "../../registry/tar-builder.ts";
import { scratch } from "../../support/scratch.ts";
import { expectOurs, type FuzzTarget, must } from "../target.ts";
import { withRightSums } from "./layers.ts";

const single = buildImage({ layers: ["a layer", "another"] });
const several = buildImage({ platforms: ["linux/amd64", "linux/arm64/v8"] });
const hexOf = ({ digest }: Pick<StoredBlob, "digest">): string => digest.slice("sha256:".length);
const blobsOf = ({ blobs, manifests }: typeof single): readonly StoredBlob[] => [...blobs, ...manifests];
const indexOf = (manifests: readonly StoredBlob[]): string =>
  JSON.stringify({
    schemaVersion: 2,
    manifests: manifests.map(({ digest, mediaType, bytes }) => ({ mediaType, digest, size: bytes.length })),
  });
const layoutArchive = (image: typeof single): Buffer =>
  tarOf([
    { name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}` },
    { name: "index.json", content: indexOf(image.manifests.slice(-1)) },
    ...blobsOf(image).map((blob): TarItem => ({ name: `blobs/sha256/${hexOf(blob)}`, content: blob.bytes })),
  ]);
const [layer, , config] = single.blobs;
const dockerArchive = tarOf([
  { name: "config.json", content: config?.bytes ?? "" },
  { name: "1/layer.tar", content: layer?.bytes ?? "" },
  { name: "2/layer.tar", type: "2", linkname: "../1/layer.tar" },
  {
    name: "manifest.json",
    content: `[{"Config":"config.json","RepoTags":["a:1"],"Layers":["1/layer.tar","2/layer.tar"]}]`,
  },
]);

/** What a step has built, which may be anything. */
export const artifactTargets: readonly FuzzTarget[] = [
  {
    name: "archive",
    seeds: [layoutArchive(single), layoutArchive(several), dockerArchive],
    words: [
      "manifest.json",
      "index.json",
      "oci-layout",
      "../",
      `"Layers":`,
      `"manifests":[`,
      `"size":`,
      "sha256:",
      "2",
    ],
    open: () => artifactIn("image.tar", withRightSums),
  },
  {
    name: "layout",
    seeds: [indexOf(single.manifests.slice(-1)), indexOf(several.manifests), indexOf(several.manifests.slice(-1))].map(
      (text) => Buffer.from(text),
    ),
    words: [`"platform":{}`, `"manifests":[`, `"mediaType":`, "sha256:", "sha512:", "../../", "-1", "9007199254740993"],
    open: () => artifactIn("index.json", (input) => Buffer.from(input)),
  },
];

function artifactIn(name: string, prepare: (input: Uint8Array) => Buffer): ReturnType<FuzzTarget["open"]> {
  const place = scratch("fuzz-artifact");
  mkdirSync(place.path("blobs", "sha256"), { recursive: true });
  for (const blob of [single, several].flatMap(blobsOf)) {
    writeFileSync(place.path("blobs", "sha256", hexOf(blob)), blob.bytes);
  }
  const { signal } = new AbortController();
  return Promise.resolve({
    async take(input) {
      writeFileSync(place.path(name), prepare(input));
      try {
        await mustBeWhole(await readArtifact(place.directory, { signal }));
      } catch (error) {
        expectOurs(error);
      }
      rmSync(place.path(name));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(place[Symbol.dispose]()),
  });
}

async function mustBeWhole({ digest, manifests, blobs }: ImageToPush): Promise<void> {
  must(manifests.at(-1)?.digest === digest, "the last manifest is not the image's");
  for (const manifest of manifests) {
    const [algorithm = ""] = manifest.digest.split(":");
    const actual = `${algorithm}:${createHash(algorithm).update(manifest.bytes).digest("hex")}`;
    must(actual === manifest.digest && manifest.bytes.length === manifest.size, "a manifest is not what it is called");
  }
  for (const blob of blobs) {
    let size = 0;
    for await (const chunk of blob.open(0)) size += chunk.length;
    must(size === blob.size, "a blob has another size than it is said to have");
  }
}
