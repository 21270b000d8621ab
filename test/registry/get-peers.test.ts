// skopeo and umoci as writers of what a get reads, and as readers of what it writes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@fetch-image/core";
import { createImageRegistry, getImage, type GotImage, imageGet } from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { type Scratch, scratch } from "../support/scratch.ts";
import { patient } from "./support.ts";
import { isRoot, onPath, programsMissing } from "./tar-peers.ts";
import { snapshotTree, without } from "./tar-tree.ts";

const missing = dockerRegistryMissing() ?? programsMissing("skopeo", "umoci", "getfattr");
const registry = createImageRegistry();
afterAll(() => registry.close());

describe.skipIf(missing)(`an image that umoci made and skopeo pushed${missing ? ` (${missing})` : ""}`, () => {
  let peer: DockerRegistry;
  let place: Scratch;
  let digest: string;
  beforeAll(async () => {
    peer = await startDockerRegistry();
    place = scratch("peers");
    makeImage(place.directory);
    skopeo("copy", "--dest-tls-verify=false", `oci:${place.path("made")}:done`, `docker://${peer.host}/acme/app:1`);
    digest = `sha256:${createHash("sha256")
      .update(raw(`docker://${peer.host}/acme/app:1`))
      .digest("hex")}`;
  });
  afterAll(async () => {
    await peer.close();
    place[Symbol.dispose]();
  });

  const get = (format: string) => gotFrom({ peer, place, name: "acme/app", digest, params: { format } });

  test("is unpacked to the tree that umoci unpacks after skopeo has copied it, mode by mode and link by link", async () => {
    const { directory } = await get("rootfs");
    skopeo("copy", "--src-tls-verify=false", `docker://${peer.host}/acme/app:1`, `oci:${place.path("copied")}:1`);
    umoci("unpack", ...(isRoot ? [] : ["--rootless"]), "--image", `${place.path("copied")}:1`, place.path("bundle"));
    const own = isRoot ? ([] as const) : (["owner"] as const);
    const ours = without(snapshotTree(join(directory, "rootfs")), ...own);
    const theirs = without(snapshotTree(place.path("bundle", "rootfs")), ...own);
    expect(Object.keys(ours)).toContain("opt/tool/bin/run");
    expect(Object.keys(ours)).not.toContain("etc/removed");
    expect(ours).toEqual(theirs);
    const { Env, User } = JSON.parse(raw(`oci:${place.path("copied")}:1`, "--config")).config;
    const metadata = JSON.parse(readFileSync(join(directory, "metadata.json"), "utf8"));
    expect(metadata).toMatchObject({ env: Env, user: User });
    expect(User).toBe("1000");
  });

  test("is an archive that skopeo loads: the same config, the same layers", async () => {
    const { directory, image } = await get("oci");
    const archive = `docker-archive:${join(directory, "image.tar")}`;
    const config = raw(archive, "--config");
    expect(`sha256:${createHash("sha256").update(config).digest("hex")}`).toBe(image?.image.config.digest);
    // By the name that stands in it, as `docker load` finds it.
    skopeo("copy", `${archive}:${peer.host}/acme/app:1`, `dir:${place.path("loaded")}`);
    const loaded = JSON.parse(readFileSync(place.path("loaded", "manifest.json"), "utf8"));
    expect(loaded.config.digest).toBe(image?.image.config.digest);
    const diffIds: readonly string[] = JSON.parse(config).rootfs.diff_ids;
    expect(diffIds.length).toBeGreaterThan(1);
    expect(loaded.layers.map((layer: { readonly digest: string }) => layer.digest)).toEqual(diffIds);
  });

  test("is a layout that skopeo copies, with the same digest", async () => {
    const { directory } = await get("oci-layout");
    const layout = join(directory, "oci");
    skopeo("copy", "--dest-tls-verify=false", `oci:${layout}`, `docker://${peer.host}/acme/copied:1`);
    expect(raw(`docker://${peer.host}/acme/copied:1`)).toBe(raw(`docker://${peer.host}/acme/app:1`));
    expect(
      `sha256:${createHash("sha256")
        .update(raw(`oci:${layout}`))
        .digest("hex")}`,
    ).toBe(digest);
  });
});

describe.skipIf(missing)(`an image for several platforms${missing ? ` (${missing})` : ""}`, () => {
  let peer: DockerRegistry;
  let place: Scratch;
  beforeAll(async () => {
    peer = await startDockerRegistry();
    place = scratch("peers");
  });
  afterAll(async () => {
    await peer.close();
    place[Symbol.dispose]();
  });

  const platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];

  test.each(["oci", "docker"] as const)(
    "is copied whole by skopeo, with the same index, in %s's media types",
    async (format) => {
      const { digest, mediaType } = await peer.push(`acme/${format}:1`, { platforms, format });
      const params = { format: "oci-layout" };
      const { directory } = await gotFrom({ peer, place, name: `acme/${format}`, digest, params });
      const bytes = readFileSync(join(directory, "oci", "index.json"));
      expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(digest);
      // skopeo looks for images in a layout by its index, so the image's own index becomes an entry of one.
      writeFileSync(join(directory, "oci", "blobs", "sha256", digest.slice("sha256:".length)), bytes);
      const entry = { mediaType, digest, size: bytes.length };
      writeFileSync(join(directory, "oci", "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
      const target = `docker://${peer.host}/acme/${format}-copied:1`;
      skopeo("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", `oci:${join(directory, "oci")}`, target);
      expect(raw(target)).toBe(bytes.toString("utf8"));
    },
  );

  test("is got for the platform of the params, else the source's, as skopeo picks it", async () => {
    const { digest } = await peer.push("acme/picked:1", { platforms });
    const at = { peer, place, name: "acme/picked", digest };
    for (const architecture of ["arm64", "s390x"]) {
      const { image } = await gotFrom({ ...at, params: { format: "oci", platform: { architecture } } });
      const theirs = raw(`docker://${peer.host}/acme/picked:1`, "--config", `--override-arch=${architecture}`);
      expect(`sha256:${createHash("sha256").update(theirs).digest("hex")}`).toBe(image?.image.config.digest);
    }
  });
});

interface Get {
  readonly peer: DockerRegistry;
  readonly place: Scratch;
  readonly name: string;
  readonly digest: string;
  readonly params: JsonObject;
}

async function gotFrom({ peer, place, name, digest, params }: Get): Promise<GotImage & { readonly directory: string }> {
  const directory = place.path(`got-${readdirSync(place.directory).length}`);
  mkdirSync(directory);
  const store = createFileArtifactStore({ directory: place.path("store") });
  const source = { repository: `${peer.host}/${name}` };
  const got = await getImage(imageGet(source, { tag: "1", digest }, params), directory, {
    registry,
    store,
    ...patient,
  });
  return { ...got, directory };
}

/** Three layers, the later ones changing what the earlier ones have; in the layout `made`, tagged `done`. */
function makeImage(folder: string): void {
  const layout = join(folder, "made");
  umoci("init", "--layout", layout);
  umoci("new", "--image", `${layout}:done`);
  const steps: readonly ((root: string) => void)[] = [
    (root) => {
      mkdirSync(join(root, "etc"));
      mkdirSync(join(root, "opt/tool/bin"), { recursive: true });
      writeFileSync(join(root, "etc/motd"), "hello");
      writeFileSync(join(root, "etc/removed"), "gone in the next layer");
      writeFileSync(join(root, "opt/tool/bin/run"), "#!/bin/sh\n");
      chmodSync(join(root, "opt/tool/bin/run"), 0o4755);
      linkSync(join(root, "opt/tool/bin/run"), join(root, "opt/tool/bin/also"));
      symlinkSync("/opt/tool/bin/run", join(root, "run"));
      mkdirSync(join(root, "tmp"), { mode: 0o777 });
      chmodSync(join(root, "tmp"), 0o1777);
    },
    (root) => {
      rmSync(join(root, "etc/removed"));
      rmSync(join(root, "opt/tool"), { recursive: true });
      mkdirSync(join(root, "opt/tool/bin"), { recursive: true });
      writeFileSync(join(root, "opt/tool/bin/run"), "#!/bin/bash\n");
    },
    (root) => {
      mkdirSync(join(root, "var/big"), { recursive: true });
      for (let at = 0; at < 50; at++) writeFileSync(join(root, `var/big/file-${at}`), `${at}`.repeat(10_000));
      chmodSync(join(root, "etc/motd"), 0o600);
    },
  ];
  const rootless = isRoot ? [] : ["--rootless"];
  for (const [at, change] of steps.entries()) {
    const bundle = join(folder, `making-${at}`);
    umoci("unpack", ...rootless, "--image", `${layout}:done`, bundle);
    change(join(bundle, "rootfs"));
    umoci("repack", "--image", `${layout}:done`, bundle);
  }
  const settings = ["--config.user", "1000", "--config.env", "GREETING=hello", "--config.label", "maintainer=acme"];
  umoci("config", "--image", `${layout}:done`, ...settings);
}

function umoci(...args: readonly string[]): void {
  execFileSync(onPath("umoci") ?? "umoci", args, { stdio: "pipe" });
}

function skopeo(...args: readonly string[]): string {
  return execFileSync(onPath("skopeo") ?? "skopeo", ["--insecure-policy", ...args], { stdio: "pipe" }).toString("utf8");
}

/** The manifest, or with `--config` the config, byte for byte. */
function raw(image: string, ...options: readonly string[]): string {
  const overrides = options.filter((option) => option.startsWith("--override"));
  const rest = options.filter((option) => !option.startsWith("--override"));
  const tls = image.startsWith("docker://") ? ["--tls-verify=false"] : [];
  return skopeo(...overrides, "inspect", "--raw", ...rest, ...tls, image);
}
