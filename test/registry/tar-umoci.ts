// What umoci makes of the same layers. It reads an OCI layout, so one is made of them.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "./tar-layers.ts";
import { isRoot, onPath } from "./tar-peers.ts";

/** Lays out an image of gzipped layers, and has umoci unpack it. Gives the root file system's directory. */
export function umociUnpack(
  folder: string,
  layers: readonly { readonly gzip: Buffer; readonly tar: Buffer }[],
): string {
  const layout = join(folder, "layout");
  const bundle = join(folder, "bundle");
  mkdirSync(join(layout, "blobs", "sha256"), { recursive: true });
  const put = (bytes: Buffer, mediaType: string): object => {
    const digest = digestOf(bytes);
    writeFileSync(join(layout, "blobs", "sha256", digest.slice("sha256:".length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const config = {
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ tar }) => digestOf(tar)) },
  };
  const manifest = {
    schemaVersion: 2,
    config: put(Buffer.from(JSON.stringify(config)), "application/vnd.oci.image.config.v1+json"),
    layers: layers.map(({ gzip }) => put(gzip, "application/vnd.oci.image.layer.v1.tar+gzip")),
  };
  const descriptor = put(Buffer.from(JSON.stringify(manifest)), "application/vnd.oci.image.manifest.v1+json");
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptor, annotations }] }),
  );
  const rootless = isRoot ? [] : ["--rootless"];
  execFileSync(onPath("umoci") ?? "umoci", ["unpack", ...rootless, "--image", `${layout}:latest`, bundle], {
    stdio: "pipe",
  });
  return join(bundle, "rootfs");
}
