import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "@fetch-image/core";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { expect, test } from "vitest";
import { errorOf } from "../conformance/facts.ts";

test("on a full disk a blob is refused, nothing of it is kept, and there is room for a smaller one", async ({
  skip,
}) => {
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "none", directory]);
  if (mounted.status !== 0) {
    rmSync(directory, { recursive: true });
    skip("a small disk cannot be mounted here");
  }
  try {
    const store = createFileArtifactStore({ directory });
    const { signal } = new AbortController();
    const [small, large] = [3, 100].map((mebibytes) => Buffer.alloc(mebibytes * 1024 * 1024, mebibytes));
    if (small === undefined || large === undefined) throw new Error("no bytes");
    expect(await errorOf(store.put(digestOf(large), chunks(large), { signal }))).toMatchObject({
      code: "FI_STORE_FULL",
      retryable: true,
      details: { directory },
    });
    expect(await store.has(digestOf(large))).toBe(false);
    await store.put(digestOf(small), chunks(small), { signal });
    expect(readdirSync(join(directory, "blobs", "sha256"))).toEqual([digestOf(small).slice(7)]);
  } finally {
    spawnSync("umount", ["-l", directory]);
    rmSync(directory, { recursive: true });
  }
});

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function* chunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}
