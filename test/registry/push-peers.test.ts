// Debian's docker-registry and skopeo: what is pushed is there, as another client sees it.
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, linkSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import {
  createImageRegistry,
  createRegistryImageRunner,
  type OciRegistry,
  readArtifact,
  unpackLayers,
} from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { type RecordingProxy, startRecordingProxy } from "../support/recording-proxy.ts";
import { scratch, type Scratch } from "../support/scratch.ts";
import { failureOf, patient, sourceAt } from "./support.ts";
import { isRoot, programsMissing } from "./tar-peers.ts";
import { snapshotTree } from "./tar-tree.ts";

const missing = dockerRegistryMissing("htpasswd") ?? programsMissing("skopeo");
const login = { username: "alice", password: "s3cret" };

describe.skipIf(missing !== undefined)(
  `pushes to docker-registry${missing === undefined ? "" : ` (${missing})`}`,
  () => {
    let peer: DockerRegistry;
    let asked: RecordingProxy;
    let registry: OciRegistry;
    let files: Scratch;
    beforeAll(async () => {
      peer = await startDockerRegistry();
      asked = await startRecordingProxy(peer.host);
      registry = createImageRegistry();
      files = scratch("push-peers");
      await peer.push("acme/one:1", { layers: ["one", { "etc/two": "two" }], config: { Env: ["A=1"], Cmd: ["/one"] } });
      await peer.push("acme/many:1", { layers: ["many"], platforms: ["linux/amd64", "linux/arm64/v8"] });
    });
    afterAll(async () => {
      await registry.close();
      await asked[Symbol.asyncDispose]();
      await peer.close();
      files[Symbol.dispose]();
    });

    /** What another client sees under the reference, as it lies in the registry. */
    const seen = async (path: string): Promise<string> => {
      const { stdout } = await skopeo("inspect", "--raw", "--tls-verify=false", `docker://${peer.host}/${path}`);
      return stdout;
    };

    test("of a layout of one image: another client finds the very manifest", async () => {
      await skopeo(
        "copy",
        "--preserve-digests",
        "--src-tls-verify=false",
        `docker://${peer.host}/acme/one:1`,
        `oci:${files.path("one")}:1`,
      );
      const image = await readArtifact(files.path("one"), patient);
      const pushed = await registry.push(sourceAt(peer, "built/one"), image, { ...patient, tag: "b1" });
      expect(await seen("built/one:b1")).toBe(await seen("acme/one:1"));
      expect(pushed.reference).toMatch(new RegExp(`^${peer.host}/built/one:b1@sha256:`));
    });

    test("of a layout of every platform: the index keeps its digest", async () => {
      await skopeo(
        "copy",
        "--all",
        "--preserve-digests",
        "--src-tls-verify=false",
        `docker://${peer.host}/acme/many:1`,
        `oci:${files.path("many")}`,
      );
      const image = await readArtifact(files.path("many"), patient);
      await registry.push(sourceAt(peer, "built/many"), image, { ...patient, tag: "b1" });
      expect(await seen("built/many:b1")).toBe(await seen("acme/many:1"));
    });

    test.each(["rootfs", "oci", "oci-layout"])(
      "of what a get has made of it (format: %s): the same files, layers and config",
      async (format) => {
        const store = createFileArtifactStore({ directory: files.path(`store-${format}`) });
        const runner = createRegistryImageRunner({ registry, store, directory: files.path(`gets-${format}`) });
        const { digest } = (await registry.resolve(sourceAt(peer, "acme/one"), "1", patient)) ?? {};
        const plan = {
          id: "1",
          get: {
            name: "one",
            type: "registry-image",
            source: { repository: `${peer.host}/acme/one` },
            params: { format },
            version: { tag: "1", digest: digest ?? "" },
          },
        };
        const context = {
          buildId: "1",
          ...patient,
          effectKey: "1",
          image: { privileged: false },
          output: async () => {},
        };
        const { handle } = await runner.get(plan, context);
        const pushed = await registry.push(sourceAt(peer, `built/${format}`), await readArtifact(handle, patient), {
          ...patient,
          tag: "b1",
        });
        const { stdout } = await skopeo(
          "inspect",
          "--config",
          "--tls-verify=false",
          `docker://${peer.host}/built/${format}:b1`,
        );
        const config: { config: { Env: string[]; Cmd: string[] } } = JSON.parse(stdout);
        expect(config.config).toMatchObject({ Env: ["A=1"], Cmd: ["/one"] });
        // What was unpacked is an image of its own.
        expect(pushed.digest === digest).toBe(format !== "rootfs");
      },
    );

    test.each(["docker-archive", "oci-archive"])("of a %s as image.tar", async (kind) => {
      mkdirSync(files.path(kind));
      await skopeo(
        "copy",
        "--src-tls-verify=false",
        `docker://${peer.host}/acme/one:1`,
        `${kind}:${files.path(kind, "image.tar")}:acme/one:1`,
      );
      const image = await readArtifact(files.path(kind), patient);
      await registry.push(sourceAt(peer, `built/${kind}`), image, { ...patient, tag: "b1" });
      await skopeo(
        "copy",
        "--src-tls-verify=false",
        `docker://${peer.host}/built/${kind}:b1`,
        `oci:${files.path(`${kind}-back`)}:b1`,
      );
      const back = await readArtifact(files.path(`${kind}-back`), patient);
      expect(back.blobs.length).toBe(image.blobs.length);
      expect((await readArtifact(files.path(kind), patient)).digest).toBe(image.digest);
    });

    test("of a root file system: it unpacks to the same tree", async () => {
      const root = files.path("tree", "rootfs");
      mkdirSync(`${root}/${"long-directory-name/".repeat(8)}`, { recursive: true });
      writeFileSync(`${root}/${"long-directory-name/".repeat(8)}file`, "deep", { mode: 0o640 });
      writeFileSync(`${root}/größe`, "x".repeat(70_000), { mode: 0o4755 });
      linkSync(`${root}/größe`, `${root}/zwei`);
      symlinkSync("../../etc/passwd", `${root}/link`);
      const image = await readArtifact(files.path("tree"), patient);
      const pushed = await registry.push(sourceAt(peer, "built/tree"), image, patient);
      const store = createFileArtifactStore({ directory: files.path("tree-store") });
      const fetched = await registry.fetchImage(sourceAt(peer, "built/tree"), pushed.digest, { store, ...patient });
      const layers = fetched.image.layers.map(({ digest }) => ({ digest, open: () => store.read(digest) }));
      await unpackLayers({ layers, destination: files.path("tree-back"), ...patient });
      expect(timeless(files.path("tree-back"))).toEqual(timeless(root));
    });

    test("mounts what another repository of it has: not a byte of that is sent", async () => {
      const image = await readArtifact(files.path("one"), patient);
      asked.clear();
      const pushed = await registry.push(sourceAt(asked, "mounted/one"), image, {
        ...patient,
        mountFrom: ["built/one"],
      });
      expect(pushed.blobs).toEqual({ present: 0, mounted: 3, uploaded: 0 });
      expect(asked.blobs().filter(({ method }) => method === "PUT")).toEqual([]);
    });

    test("begins anew where it does not let a broken upload go on, and arrives", async () => {
      rmSync(files.path("cut"), { recursive: true, force: true });
      mkdirSync(files.path("cut", "rootfs"), { recursive: true });
      writeFileSync(files.path("cut", "rootfs", "large"), Buffer.alloc(3_000_000, "large"));
      const image = await readArtifact(files.path("cut"), patient);
      asked.cutNextUploadAfter(1_000_000);
      const pushed = await registry.push(sourceAt(asked, "built/cut"), image, patient);
      expect(pushed.blobs.uploaded).toBe(2);
      expect(await registry.exists(sourceAt(peer, "built/cut"), pushed.digest, patient)).toBe(true);
    });
  },
);

describe.skipIf(missing !== undefined)(`pushes with a login${missing === undefined ? "" : ` (${missing})`}`, () => {
  test.each(["htpasswd", "token"] as const)(
    "arrive with the right one, and say so with another or none (%s)",
    async (auth) => {
      await using peer = await startDockerRegistry({ auth });
      await using registry = createImageRegistry({ allowedRealms: peer.tokens ? [peer.tokens.origin] : [] });
      using files = scratch("push-login");
      mkdirSync(files.path("rootfs"));
      writeFileSync(files.path("rootfs", "file"), auth);
      const image = await readArtifact(files.directory, patient);
      const source = (given: object) => sourceAt(peer, "built/private", given);
      for (const given of [{}, { ...login, password: "wr0ng-passw0rd" }]) {
        const error = await failureOf(registry.push(source(given), image, patient));
        expect(error.code).toMatch(/^FI_(UNAUTHORIZED|FORBIDDEN)$/);
        expect(`${error.stack}${JSON.stringify(error)}`).not.toContain("wr0ng-passw0rd");
      }
      const { digest } = await registry.push(source(login), image, { ...patient, tag: "1" });
      expect((await registry.resolve(source(login), "1", patient))?.digest).toBe(digest);
    },
  );

  test("need the right to push: a login that may only pull is told so", async () => {
    await using peer = await startDockerRegistry({ auth: "token" });
    const { tokens } = peer;
    if (tokens === undefined) throw new Error("there is no token server");
    await using registry = createImageRegistry({ allowedRealms: [tokens.origin] });
    using files = scratch("push-rights");
    mkdirSync(files.path("rootfs"));
    tokens.behaviour = { grants: ["repository:built/private:pull"] };
    const image = await readArtifact(files.directory, patient);
    const error = await failureOf(registry.push(sourceAt(peer, "built/private", login), image, patient));
    expect(error).toMatchObject({ code: "FI_FORBIDDEN" });
    expect(error.hint).toContain("the right to push to built/private");
    expect(tokens.requests.flatMap(({ scopes }) => scopes)).toContain("repository:built/private:pull,push");
  });
});

/** Whatever is in a layer, but for times, which are all 0 there. */
function timeless(directory: string): unknown {
  const entries = Object.entries(snapshotTree(directory, { attributes: false }));
  return entries
    .filter(([path]) => path !== ".")
    .map(([path, { mtime: _mtime, owner, ...rest }]) => [path, isRoot ? { ...rest, owner } : rest]);
}

async function skopeo(...args: readonly string[]): Promise<{ stdout: string }> {
  return await promisify(execFile)("skopeo", ["--insecure-policy", ...args]);
}
