import { createHmac, randomBytes } from "node:crypto";
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Digest, JsonObject, RegistryImageSource } from "@fetch-image/core/registry-image";

/** Who wants an image's bytes that are here already. */
interface BytesAsker {
  readonly source: RegistryImageSource;
  /** A login that comes from configuration. */
  readonly configured: JsonObject | undefined;
  readonly digest: Digest;
}

/** Remembers on disk to whom a registry has given an image, so that the same asker is not sent there again at once. */
export interface Permits {
  has(asker: BytesAsker): Promise<boolean>;
  grant(asker: BytesAsker): Promise<void>;
}

/** What was taken away since is noticed after this time, as where a kubelet has the image already. */
const lastsMs = 60 * 60 * 1000;

/** Empty files, whose names are made with a secret of the directory's own: no login can be read back from them. */
export function createPermits(directory: string, now: () => number = Date.now): Permits {
  let secret: Promise<Buffer> | undefined;
  const pathOf = async ({ source, configured, digest }: BytesAsker): Promise<string> => {
    const key = await (secret ??= secretOf(directory));
    const asker = JSON.stringify([source, configured ?? null, digest]);
    return join(directory, createHmac("sha256", key).update(asker).digest("hex"));
  };
  return {
    async has(asker) {
      const found = await stat(await pathOf(asker)).catch(() => undefined);
      return found !== undefined && now() - found.mtimeMs < lastsMs;
    },
    async grant(asker) {
      await sweep(directory, now());
      await writeFile(await pathOf(asker), "");
    },
  };
}

const secretName = "secret";

async function secretOf(directory: string): Promise<Buffer> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, secretName);
  const draft = join(directory, `${secretName}-${randomBytes(8).toString("hex")}`);
  await writeFile(draft, randomBytes(32), { mode: 0o600 });
  // Of several processes at the same time one's stays, and it is there whole.
  await link(draft, path).catch(() => undefined);
  await rm(draft, { force: true });
  return await readFile(path);
}

async function sweep(directory: string, now: number): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    if (name === secretName) continue;
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found && now - found.mtimeMs >= lastsMs) await rm(path, { force: true });
  }
}
