// The root file system of an image of ten layers, 200 MB compressed, from Debian's docker-registry on loopback: by
// `fetch-image in`, a process each, beside `skopeo copy` to a layout and `umoci unpack` of it. Rounds are interleaved.
// The layers are gzipped tars of 2,000 files in all, half of each file random. Besides: the same get again, its layers in
// the data directory already, and the memory that one takes.
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { startDockerRegistry } from "../support/docker-registry.ts";

export const name = "rootfs";

const rounds = 5;
const layerCount = 10;
const filesPerLayer = 200;
const randomBytesPerFile = 100_000;
const bin = new URL("../../packages/cli/dist/bin.js", import.meta.url).pathname;

export async function run(emit) {
  const peer = await startDockerRegistry();
  const folder = mkdtempSync(join(tmpdir(), "fetch-image-bench-"));
  try {
    const { layout, digest, bytes } = await makeImage(folder);
    const from = `docker://${peer.host}/bench/app:1`;
    await runCommand("skopeo", ["copy", "-q", "--insecure-policy", "--dest-tls-verify=false", `oci:${layout}:1`, from]);
    const input = JSON.stringify({ source: { repository: `${peer.host}/bench/app` }, version: { tag: "1", digest } });
    const get = (directory, ...args) =>
      runCommand(process.execPath, [bin, "in", join(directory, "dest"), ...args], { cwd: directory, input });
    const data = join(folder, "data");
    await get(folder, "--data", data);

    const workloads = {
      "skopeo-umoci": async (directory) => {
        const copy = `oci:${directory}/layout:1`;
        await runCommand("skopeo", ["copy", "-q", "--insecure-policy", "--src-tls-verify=false", from, copy]);
        await runCommand("umoci", [
          "unpack",
          ...rootless,
          "--image",
          `${directory}/layout:1`,
          join(directory, "bundle"),
        ]);
      },
      in: (directory) => get(directory),
      "in-layers-at-hand": (directory) => get(directory, "--data", data),
    };
    /** @type {Map<string, number[]>} */
    const samples = new Map(Object.keys(workloads).map((workload) => [workload, []]));
    for (let round = -1; round < rounds; round++) {
      for (const [workload, work] of Object.entries(workloads)) {
        const directory = join(folder, workload);
        mkdirSync(directory);
        const begin = performance.now();
        await work(directory);
        const ms = performance.now() - begin;
        if (round >= 0) samples.get(workload)?.push(ms);
        rmSync(directory, { recursive: true });
      }
    }
    emit({ name: "rootfs-image-size", unit: "MB", value: bytes / 1e6, runs: 1, spread: 0 });
    emit({ name: "rootfs-skopeo-umoci", unit: "ms", samples: samples.get("skopeo-umoci") });
    emit({ name: "rootfs-in", unit: "ms", ratioTo: "rootfs-skopeo-umoci", samples: samples.get("in") });
    emit({
      name: "rootfs-in-layers-at-hand",
      unit: "ms",
      ratioTo: "rootfs-in",
      samples: samples.get("in-layers-at-hand"),
    });
    const peaks = [];
    for (let each = 0; each < 3; each++) peaks.push(await peakMebibytes(folder, input));
    emit({ name: "rootfs-in-peak-memory", unit: "MiB", samples: peaks });
  } finally {
    await peer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];

/**
 * Not synchronously: the registry's output is to be read meanwhile, else it waits for that.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, input?: string}} [options]
 */
async function runCommand(command, args, { cwd, input = "" } = {}) {
  const child = spawn(command, args, { cwd, stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  child.stdin.on("error", () => undefined).end(input);
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${said}`);
}

/** The most memory that a get in a process of its own ever had, as it says itself at its end. */
async function peakMebibytes(folder, input) {
  const told = join(folder, "memory");
  const hook = join(folder, "memory.mjs");
  writeFileSync(
    hook,
    `import { writeFileSync } from "node:fs";
     process.on("exit", () => writeFileSync(${JSON.stringify(told)}, String(process.resourceUsage().maxRSS)));`,
  );
  const directory = join(folder, "memory-of-in");
  mkdirSync(directory);
  await runCommand(process.execPath, ["--import", hook, bin, "in", join(directory, "dest")], { cwd: directory, input });
  rmSync(directory, { recursive: true });
  // Linux tells it in KiB.
  return Number(readFileSync(told, "utf8")) / 1024;
}

/** An OCI layout with the image in it, tagged `1`. */
async function makeImage(folder) {
  const layout = join(folder, "made");
  mkdirSync(join(layout, "blobs", "sha256"), { recursive: true });
  let bytes = 0;
  const put = (blob, mediaType) => {
    const digest = digestOf(blob);
    writeFileSync(join(layout, "blobs", "sha256", digest.slice("sha256:".length)), blob);
    bytes += blob.length;
    return { mediaType, digest, size: blob.length };
  };
  const layers = [];
  const diffIds = [];
  for (let at = 0; at < layerCount; at++) {
    const root = join(folder, `layer-${at}`);
    mkdirSync(join(root, "opt", String(at)), { recursive: true });
    for (let file = 0; file < filesPerLayer; file++) {
      const content = Buffer.concat([randomBytes(randomBytesPerFile), Buffer.alloc(randomBytesPerFile, `${file} `)]);
      writeFileSync(join(root, "opt", String(at), `file-${file}`), content);
    }
    const archive = join(folder, `layer-${at}.tar.gz`);
    await runCommand("tar", ["-czf", archive, "--sort=name", "--owner=0", "--group=0", "-C", root, "."]);
    const layer = readFileSync(archive);
    layers.push(put(layer, "application/vnd.oci.image.layer.v1.tar+gzip"));
    diffIds.push(digestOf(gunzipSync(layer)));
    rmSync(root, { recursive: true });
    rmSync(archive);
  }
  const rootfs = { type: "layers", diff_ids: diffIds };
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", config: {}, rootfs }));
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: put(config, "application/vnd.oci.image.config.v1+json"),
    layers,
  };
  const descriptor = put(Buffer.from(JSON.stringify(manifest)), manifest.mediaType);
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptor, annotations }] }),
  );
  return { layout, digest: descriptor.digest, bytes };
}

function digestOf(bytes) {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
