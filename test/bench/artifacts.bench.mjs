// An image of ten layers, 200 MB, from Debian's docker-registry on loopback into a verified OCI layout on disk, beside
// `skopeo copy` to one and beside the least that anybody can do: parallel curl to files, and openssl over them.
// Rounds are interleaved. Besides: what a second image costs that shares nine layers, and the memory that a fetch takes.
import { execFileSync, fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { createImageRegistry } from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { Pool } from "undici";
import { startDockerRegistry } from "../support/docker-registry.ts";

export const name = "artifacts";

const rounds = 7;
const layerBytes = 20_000_000;
const layerCount = 10;
const { signal } = new AbortController();
const types = {
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  manifest: "application/vnd.oci.image.manifest.v1+json",
};

export async function run(emit) {
  const peer = await startDockerRegistry();
  const folder = mkdtempSync(join(tmpdir(), "fetch-image-bench-"));
  const client = new Pool(peer.origin);
  const registry = createImageRegistry();
  try {
    const layers = [];
    for (let at = 0; at <= layerCount; at++) layers.push(await pushLayer(client, layerBytes));
    const digest = await pushImage(client, "1", layers.slice(0, layerCount));
    const sharing = await pushImage(client, "2", layers.slice(1));
    const source = { repository: `${peer.host}/bench/app` };
    /** @param {string} directory */
    const fetch = (directory, which = digest) =>
      registry.fetchArtifact(source, which, { store: createFileArtifactStore({ directory }), signal });

    const workloads = {
      skopeo: (directory) => {
        const from = `docker://${peer.host}/bench/app:1`;
        runCommand([
          "skopeo",
          "copy",
          "-q",
          "--insecure-policy",
          "--src-tls-verify=false",
          from,
          `oci:${directory}/layout:1`,
        ]);
      },
      "curl-openssl": (directory) => {
        const urls = layers.slice(0, layerCount).map((layer) => `${peer.origin}/v2/bench/app/blobs/${layer.digest}`);
        const outputs = urls.flatMap((url, at) => ["-o", join(directory, String(at)), url]);
        runCommand([
          "curl",
          "--silent",
          "--no-progress-meter",
          "--fail",
          "--parallel",
          "--parallel-max",
          "4",
          ...outputs,
        ]);
        runCommand(["sh", "-c", `ls -d ${directory}/* | xargs -n 5 -P 2 openssl dgst -sha256`]);
      },
      fetch: (directory) => fetch(directory),
      "fetch-sharing-nine-layers": (directory) => fetch(directory, sharing),
    };
    /** @type {Map<string, number[]>} */
    const samples = new Map(Object.keys(workloads).map((workload) => [workload, []]));
    const sharedBytes = [];
    for (let round = -1; round < rounds; round++) {
      const ours = join(folder, "fetch");
      for (const [workload, work] of Object.entries(workloads)) {
        const directory = workload.startsWith("fetch") ? ours : join(folder, workload);
        mkdirSync(directory, { recursive: true });
        const begin = performance.now();
        const result = await work(directory);
        const ms = performance.now() - begin;
        if (workload === "fetch-sharing-nine-layers" && result) sharedBytes.push(result.downloadedBytes);
        // The first round warms caches and compilers.
        if (round >= 0) samples.get(workload)?.push(ms);
        if (workload !== "fetch") rmSync(directory, { recursive: true });
      }
    }
    const of = (workload) => samples.get(workload) ?? [];
    emit({ name: "artifact-skopeo", unit: "ms", samples: of("skopeo") });
    emit({ name: "artifact-curl-openssl", unit: "ms", samples: of("curl-openssl") });
    emit({ name: "artifact-fetch", unit: "ms", ratioTo: "artifact-skopeo", samples: of("fetch") });
    const overCurl = of("fetch").map((ms, round) => ms / of("curl-openssl")[round]);
    emit({ name: "artifact-fetch-over-curl-openssl", unit: "x", samples: overCurl });
    emit({
      name: "artifact-fetch-sharing-nine-layers",
      unit: "ms",
      ratioTo: "artifact-fetch",
      samples: of("fetch-sharing-nine-layers"),
    });
    emit({ name: "artifact-fetch-sharing-nine-layers-bytes", unit: "B", samples: sharedBytes });

    const memory = async (which) => {
      const results = [];
      for (let each = 0; each < 3; each++) {
        const directory = join(folder, "memory");
        results.push(await peakMebibytes({ repository: source.repository, digest: which, directory }));
        rmSync(directory, { recursive: true });
      }
      return results;
    };
    emit({ name: "artifact-fetch-200mb-peak-memory", unit: "MiB", samples: await memory(digest) });
    const large = [];
    for (let at = 0; at < 4; at++) large.push(await pushLayer(client, 250_000_000));
    const gigabyte = await pushImage(client, "3", large);
    emit({ name: "artifact-fetch-1gb-peak-memory", unit: "MiB", samples: await memory(gigabyte) });
  } finally {
    await Promise.all([registry.close(), client.close()]);
    await peer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function runCommand([command = "", ...given]) {
  execFileSync(command, given, { stdio: "ignore" });
}

/** The peak of a process that does nothing but fetch the image. */
async function peakMebibytes(work) {
  const script = fileURLToPath(new URL("support/fetch-once.mjs", import.meta.url));
  // Without our own hooks, which hold a whole compiler.
  const child = fork(script, [JSON.stringify(work)], { execArgv: [] });
  const [mebibytes] = await once(child, "message");
  await once(child, "exit");
  return mebibytes;
}

/** Bytes that nobody can compress, as what compresses them would make of them. */
async function pushLayer(client, bytes) {
  return { mediaType: types.layer, ...(await pushBlob(client, gzipSync(randomBytes(bytes), { level: 0 }))) };
}

async function pushBlob(client, bytes) {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const begun = await send(client, { method: "POST", path: "/v2/bench/app/blobs/uploads/" });
  const place = new URL(String(begun.headers.location), "http://registry");
  place.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  await send(client, { method: "PUT", path: place.pathname + place.search, headers, body: bytes });
  return { digest, size: bytes.length };
}

/** @returns {Promise<import("@fetch-image/core").Digest>} the manifest's */
async function pushImage(client, tag, layers) {
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers" } }));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, ...(await pushBlob(client, config)) },
    layers,
  });
  const headers = { "content-type": types.manifest };
  const path = `/v2/bench/app/manifests/${tag}`;
  const { headers: answered } = await send(client, { method: "PUT", path, headers, body: manifest });
  return /** @type {import("@fetch-image/core").Digest} */ (String(answered["docker-content-digest"]));
}

async function send(client, request) {
  const answer = await client.request(request);
  await answer.body.dump();
  if (answer.statusCode >= 300) throw new Error(`${request.method} ${request.path} -> ${answer.statusCode}`);
  return answer;
}
