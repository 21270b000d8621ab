import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RegistryImageSource, scopeOf } from "@fetch-image/core";
import { createImageRegistry, type RegistryOptions } from "@fetch-image/registry";
import { nodeHash } from "@fetch-image/engine";
import { describe, expect, test } from "vitest";

const { signal } = new AbortController();

async function credentialsOf(source: RegistryImageSource, options: RegistryOptions = {}) {
  await using registry = createImageRegistry(options);
  return await registry.pullCredentials(source, { signal });
}

describe("the logins that kubelets are given", () => {
  test("are the source's own, for its own registry", async () => {
    const login = { username: "me", password: "hunter2" };
    expect(await credentialsOf({ repository: "ghcr.io/acme/app", ...login })).toEqual([
      { registry: "ghcr.io", ...login },
    ]);
    expect(await credentialsOf({ repository: "busybox", ...login })).toEqual([{ registry: "docker.io", ...login }]);
  });

  test("are none where the resource itself asks anonymously", async () => {
    expect(await credentialsOf({ repository: "ghcr.io/acme/app" })).toEqual([]);
    expect(await credentialsOf({ repository: "ghcr.io/acme/app", username: "me" })).toEqual([]);
  });

  test("are a mirror's for the mirror, which is asked for Docker Hub's images alone", async () => {
    const registry_mirror = { host: "mirror.example.com", username: "m", password: "mm" };
    const hub = { username: "h", password: "hh" };
    expect(await credentialsOf({ repository: "busybox", ...hub, registry_mirror })).toEqual([
      { registry: "mirror.example.com", username: "m", password: "mm" },
      { registry: "docker.io", ...hub },
    ]);
    expect(await credentialsOf({ repository: "ghcr.io/acme/app", registry_mirror })).toEqual([]);
  });

  test("are never those of this machine's Docker", async () => {
    const directory = mkdtempSync(join(tmpdir(), "fetch-image-pull-"));
    const dockerConfig = join(directory, "config.json");
    const auth = Buffer.from("operator:hunter2").toString("base64");
    writeFileSync(dockerConfig, JSON.stringify({ auths: { "ghcr.io": { auth } } }));
    expect(await credentialsOf({ repository: "ghcr.io/acme/app" }, { dockerConfig })).toEqual([]);
    rmSync(directory, { recursive: true });
  });

  test("are refused where the configuration allows no login at the source's cloud", async () => {
    await expect(credentialsOf({ repository: "app", aws_region: "eu-west-1" })).rejects.toMatchObject({
      code: "FI_SOURCE_UNSUPPORTED",
    });
  });

  test("may be rotated without a new history of versions", () => {
    const source = { repository: "ghcr.io/acme/app", tag: "1", username: "me", password: "hunter2" };
    const scope = scopeOf("registry-image", source, nodeHash);
    expect(scopeOf("registry-image", { ...source, password: "rotated" }, nodeHash)).toEqual(scope);
  });
});
