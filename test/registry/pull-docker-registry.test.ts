import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "@fetch-image/core";
import { createImageRegistry } from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { patient, sourceAt } from "./support.ts";

const missing =
  dockerRegistryMissing() ?? (spawnSync("skopeo", ["--version"]).error ? "skopeo is not installed" : undefined);

describe.skipIf(missing)(`from Debian's docker-registry${missing ? ` (${missing})` : ""}`, () => {
  let peer: DockerRegistry;
  let directory: string;
  const registry = createImageRegistry();
  beforeAll(async () => {
    peer = await startDockerRegistry();
  });
  afterAll(async () => {
    await registry.close();
    await peer.close();
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fetch-image-layout-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const skopeo = (...given: string[]): Buffer => execFileSync("skopeo", ["--insecure-policy", ...given]);

  test.each(["oci", "docker"] as const)(
    "skopeo reads our layout of a whole %s index, and finds the same",
    async (format) => {
      const platforms = ["linux/amd64", "linux/arm64/v8"];
      const image = await peer.push(`acme/${format}-index:1`, { format, platforms, layers: ["one", "two"] });
      const store = createFileArtifactStore({ directory });
      const source = sourceAt(peer, `acme/${format}-index`);
      const platform = { os: "linux", architecture: "amd64" };
      const options = { store, platform, everyPlatform: true, ...patient };
      const { root, blobs } = await registry.fetchImage(source, image.digest, options);
      const layout = await store.layout({ ...root, blobs });
      expect(sha256(skopeo("inspect", "--raw", `oci:${layout}`))).toBe(image.digest);
      skopeo("copy", "-q", "--all", "--preserve-digests", `oci:${layout}`, `dir:${join(directory, "copy")}`);
      expect(sha256(readFileSync(join(directory, "copy", "manifest.json")))).toBe(image.digest);
      for (const digest of blobs.filter((each) => each !== image.digest)) {
        const names = [digest.slice(7), `${digest.slice(7)}.manifest.json`].map((name) =>
          join(directory, "copy", name),
        );
        expect(names.map(digestOfFile)).toContain(digest);
      }
    },
  );

  test("what an interrupted put has left is gone on with by a part that the registry gives", async () => {
    const image = await peer.push("acme/large:1", { layers: [{ file: "0123456789".repeat(100_000) }] });
    const [layer = image.digest] = image.layers;
    const whole = image.blobs.find(({ digest }) => digest === layer)?.bytes ?? Buffer.alloc(0);
    const store = createFileArtifactStore({ directory });
    const interrupted = store.put(
      layer,
      async function* () {
        yield whole.subarray(0, 600_000);
        throw new Error("connection reset");
      },
      { size: whole.length, ...patient },
    );
    await expect(interrupted).rejects.toThrow("connection reset");
    const fetched = await registry.fetchImage(sourceAt(peer, "acme/large"), image.digest, { store, ...patient });
    expect(fetched.downloadedBytes).toBe(fetched.bytes - 600_000);
    expect(await store.has(layer)).toBe(true);
  });

  test("a second image that shares layers costs what it does not share", async () => {
    const shared = Array.from({ length: 9 }, (_, at) => ({ file: String(at).repeat(50_000) }));
    const first = await peer.push("acme/shared:1", { layers: [...shared, { file: "first".repeat(10_000) }] });
    const second = await peer.push("acme/shared:2", { layers: [...shared, { file: "other".repeat(10_000) }] });
    const store = createFileArtifactStore({ directory });
    const source = sourceAt(peer, "acme/shared");
    await registry.fetchImage(source, first.digest, { store, ...patient });
    const { image, root, downloadedBytes } = await registry.fetchImage(source, second.digest, { store, ...patient });
    expect(downloadedBytes).toBe(root.size + image.config.size + (image.layers.at(-1)?.size ?? 0));
  });
});

function sha256(bytes: Buffer): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function digestOfFile(path: string): Digest | undefined {
  try {
    return sha256(readFileSync(path));
  } catch {
    return undefined;
  }
}
