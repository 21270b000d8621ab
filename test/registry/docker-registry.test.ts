import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createImageRegistry, createRegistryImageRunner } from "@fetch-image/registry";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { scratch } from "../support/scratch.ts";
import { memoryArtifacts } from "./memory-artifacts.ts";
import { failureOf, patient, sourceAt } from "./support.ts";

const platforms = ["linux/amd64", "linux/arm64"];
const alice = { username: "alice", password: "s3cret" };
const anyManifest = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
const missing = dockerRegistryMissing();

describe.skipIf(missing)(`Debian's docker-registry, open${missing ? ` (${missing})` : ""}`, () => {
  let peer: DockerRegistry;
  const registry = createImageRegistry();
  beforeAll(async () => {
    peer = await startDockerRegistry();
  });
  afterAll(async () => {
    await registry.close();
    await peer.close();
  });

  /** What the registry says without our care: the digest of whatever it makes of the tag. */
  async function carelessly(path: string, accept?: string): Promise<{ status: number; digest: unknown }> {
    const answer = await request(`${peer.origin}/v2/${path}`, { headers: accept === undefined ? {} : { accept } });
    await answer.body.dump();
    return { status: answer.statusCode, digest: answer.headers["docker-content-digest"] };
  }

  test.each([
    ["an OCI image", { format: "oci" }],
    ["an OCI index", { format: "oci", platforms }],
    ["a Docker image", { format: "docker" }],
    ["a Docker manifest list", { format: "docker", platforms }],
  ] as const)("gives the very digest of %s that was pushed, by one HEAD", async (name, recipe) => {
    const repository = name.toLowerCase().replaceAll(" ", "-");
    const { digest } = await peer.push(`${repository}:1`, recipe);
    expect(await registry.resolve(sourceAt(peer, repository), "1", patient)).toEqual({
      digest,
      via: "HEAD",
      host: peer.host,
      status: 200,
    });
  });

  test("answers 404 for an OCI image to who does not accept one, as we always do", async () => {
    const { digest } = await peer.push("traps/oci:1");
    expect(await carelessly("traps/oci/manifests/1")).toMatchObject({ status: 404 });
    expect(await carelessly("traps/oci/manifests/1", "*/*")).toMatchObject({ status: 404 });
    expect(await registry.resolve(sourceAt(peer, "traps/oci"), "1", patient)).toMatchObject({ digest });
  });

  test("gives another digest for a manifest list to who does not accept one, and the right one to us", async () => {
    const { digest } = await peer.push("traps/list:1", { format: "docker", platforms });
    const careless = await carelessly("traps/list/manifests/1", "application/vnd.docker.distribution.manifest.v2+json");
    expect(careless).toMatchObject({ status: 200 });
    expect(careless.digest).not.toBe(digest);
    expect(await registry.resolve(sourceAt(peer, "traps/list"), "1", patient)).toMatchObject({ digest });
  });

  test("rewrites a Docker image to schema 1 for who accepts nothing newer, and not for us", async () => {
    const { digest } = await peer.push("traps/schema2:1", { format: "docker" });
    const careless = await carelessly("traps/schema2/manifests/1");
    expect(careless.digest).not.toBe(digest);
    expect(await registry.resolve(sourceAt(peer, "traps/schema2"), "1", patient)).toMatchObject({ digest });
  });

  test("gives the rest of a blob for a range, and nothing new of a manifest whose ETag is known", async () => {
    const { digest } = await peer.push("parts:1");
    const manifest = await request(`${peer.origin}/v2/parts/manifests/${digest}`, { headers: { accept: anyManifest } });
    const { etag } = manifest.headers;
    const { layers } = (await manifest.body.json()) as { readonly layers: readonly { digest: string; size: number }[] };
    const [{ digest: layer, size } = { digest: "", size: 0 }] = layers;
    const rest = await request(`${peer.origin}/v2/parts/blobs/${layer}`, { headers: { range: `bytes=${size - 5}-` } });
    expect(rest.statusCode).toBe(206);
    expect(rest.headers["content-range"]).toBe(`bytes ${size - 5}-${size - 1}/${size}`);
    expect((await rest.body.arrayBuffer()).byteLength).toBe(5);
    const again = await request(`${peer.origin}/v2/parts/manifests/1`, {
      headers: { accept: anyManifest, "if-none-match": String(etag) },
    });
    await again.body.dump();
    expect(again.statusCode).toBe(304);
  });

  test("knows nothing of what is not there", async () => {
    await peer.push("some/app:1");
    expect(await registry.resolve(sourceAt(peer, "some/app"), "2", patient)).toBeUndefined();
    expect(await registry.resolve(sourceAt(peer, "no/such"), "1", patient)).toBeUndefined();
  });

  test("follows a tag that moves, and keeps the old digest", async () => {
    const before = await peer.push("moving/app:1", { layers: ["before"] });
    const after = await peer.push("moving/app:1", { layers: ["after"] });
    const source = sourceAt(peer, "moving/app");
    expect(await registry.resolve(source, "1", patient)).toMatchObject({ digest: after.digest });
    expect(await registry.exists(source, before.digest, patient)).toBe(true);
    expect(await registry.exists(source, `sha256:${"0".repeat(64)}`, patient)).toBe(false);
  });

  test("gives an image's bytes for a layout, one platform of them", async () => {
    const image = await peer.push("pull/app:1", { platforms, layers: ["one", "two", "three"] });
    const store = memoryArtifacts();
    const artifact = await registry.fetchArtifact(sourceAt(peer, "pull/app"), image.digest, {
      store,
      ...patient,
      platform: { architecture: "arm64" },
    });
    expect(artifact).toMatchObject({
      digest: image.digest,
      manifestDigest: image.platforms["linux/arm64"],
      platform: { os: "linux", architecture: "arm64" },
    });
    expect(store.layouts[0]?.blobs).toHaveLength(4);
  });

  test("is checked and got from by the runner, as a step would be", async () => {
    const { digest } = await peer.push("runner/app:1");
    using place = scratch("docker-registry");
    const directory = place.path("gets");
    const runner = createRegistryImageRunner({ registry, store: memoryArtifacts(), directory });
    const context = {
      buildId: "1",
      effectKey: "e",
      image: { privileged: false },
      output: () => Promise.resolve(),
      ...patient,
    };
    const body = { name: "image", type: "registry-image", source: { repository: `${peer.host}/runner/app`, tag: "1" } };
    const [version] = await runner.check({ id: "1", check: body }, context);
    expect(version).toEqual({ tag: "1", digest });
    const get = { ...body, version: { tag: "1", digest }, params: { format: "oci-layout" } };
    const { handle } = await runner.get({ id: "2", get }, context);
    expect(readFileSync(join(handle, "oci", "single-image-digest"), "utf8")).toBe(digest);
  });
});

describe.skipIf(missing)(`Debian's docker-registry with a token server${missing ? ` (${missing})` : ""}`, () => {
  let peer: DockerRegistry;
  beforeAll(async () => {
    peer = await startDockerRegistry({ auth: "token" });
    await peer.push("private/app:1");
    await peer.push("public/app:1");
  });
  afterAll(() => peer.close());

  const resolveWith = async (login: object, repository = "private/app"): Promise<unknown> => {
    await using registry = createImageRegistry({ allowedRealms: [String(peer.tokens?.origin)] });
    return await registry.resolve(sourceAt(peer, repository, login), "1", patient);
  };
  const asked = (): number => peer.tokens?.requests.length ?? 0;

  test("lets in who has the password, and nobody into what is private", async () => {
    expect(await resolveWith(alice)).toMatchObject({ via: "HEAD", host: peer.host });
    expect(peer.tokens?.requests.at(-1)).toEqual({
      scopes: ["repository:private/app:pull"],
      service: "test-registry",
      user: "alice",
    });
    expect(await failureOf(resolveWith({}))).toMatchObject({
      code: "FI_UNAUTHORIZED",
      details: { host: peer.host, status: 401 },
    });
    expect(await failureOf(resolveWith({ ...alice, password: "wrong" }))).toMatchObject({ code: "FI_UNAUTHORIZED" });
  });

  test("lets anybody read what is public, by a token of nobody's", async () => {
    expect(await resolveWith({}, "public/app")).toMatchObject({ via: "HEAD" });
    expect(peer.tokens?.requests.at(-1)).toMatchObject({ user: undefined });
  });

  test("is not logged in to where its token server is not allowed", async () => {
    await using wary = createImageRegistry();
    const before = asked();
    const error = await failureOf(wary.resolve(sourceAt(peer, "private/app", alice), "1", patient));
    expect(error).toMatchObject({
      code: "FI_REGISTRY_UNTRUSTED",
      hint: expect.stringContaining(String(peer.tokens?.origin)),
    });
    expect(asked()).toBe(before);
  });

  test("refuses a password that comes straight to it, which we never send", async () => {
    const basic = `Basic ${Buffer.from(`${alice.username}:${alice.password}`).toString("base64")}`;
    const answer = await request(`${peer.origin}/v2/private/app/manifests/1`, { headers: { authorization: basic } });
    await answer.body.dump();
    expect(answer.statusCode).toBe(401);
    expect(await resolveWith(alice)).toBeDefined();
  });

  test("takes one token for several repositories", async () => {
    if (!peer.tokens) throw new Error("this set-up has a token server");
    await peer.push("private/other:1");
    try {
      peer.tokens.behaviour = { grants: ["repository:private/app:pull", "repository:private/other:pull"] };
      expect(await resolveWith(alice)).toMatchObject({ via: "HEAD" });
      expect(await resolveWith(alice, "private/other")).toMatchObject({ via: "HEAD" });
    } finally {
      peer.tokens.behaviour = {};
    }
  });

  test("is asked for one token by many who come at once, and for none later", async () => {
    await using registry = createImageRegistry({ allowedRealms: [String(peer.tokens?.origin)] });
    const before = asked();
    const resolve = (): Promise<unknown> => registry.resolve(sourceAt(peer, "private/app", alice), "1", patient);
    await Promise.all(Array.from({ length: 16 }, resolve));
    await resolve();
    expect(asked() - before).toBe(1);
  });

  test("refuses a token that has ended, and takes the next in the same attempt", async () => {
    if (!peer.tokens) throw new Error("this set-up has a token server");
    await using registry = createImageRegistry({ allowedRealms: [peer.tokens.origin] });
    const resolve = (): Promise<unknown> => registry.resolve(sourceAt(peer, "private/app", alice), "1", patient);
    try {
      // The registry allows 60 s of leeway: this token is good for two seconds more, and claims an hour.
      peer.tokens.behaviour = { endsInSeconds: -58, claimsSeconds: 3600 };
      expect(await resolve()).toBeDefined();
      peer.tokens.behaviour = {};
      const before = asked();
      await expect
        .poll(async () => [await resolve(), asked() - before], { timeout: 10_000, interval: 250 })
        .toEqual([expect.objectContaining({ via: "HEAD" }), 1]);

      peer.tokens.behaviour = { endsInSeconds: -3600 };
      expect(await failureOf(resolveWith(alice))).toMatchObject({ code: "FI_UNAUTHORIZED", details: { status: 401 } });
    } finally {
      peer.tokens.behaviour = {};
    }
  });

  test("tells a token with other rights from one that is worth nothing", async () => {
    if (!peer.tokens) throw new Error("this set-up has a token server");
    try {
      peer.tokens.behaviour = { grants: ["repository:public/app:pull"] };
      const lacking = await failureOf(resolveWith(alice));
      expect(lacking).toMatchObject({ code: "FI_FORBIDDEN", details: { status: 401 } });
      peer.tokens.behaviour = { grants: [] };
      expect(await failureOf(resolveWith(alice))).toMatchObject({ code: "FI_FORBIDDEN" });
    } finally {
      peer.tokens.behaviour = {};
    }
  });

  test("gives blobs to the token that it gave the manifest to", async () => {
    const { digest } = await peer.push("private/pull:1");
    await using registry = createImageRegistry({ allowedRealms: [String(peer.tokens?.origin)] });
    const before = asked();
    const source = sourceAt(peer, "private/pull", alice);
    expect(await registry.fetchArtifact(source, digest, { store: memoryArtifacts(), ...patient })).toMatchObject({
      digest,
    });
    expect(asked() - before).toBe(1);
  });
});

const htpasswdMissing = dockerRegistryMissing("htpasswd");
describe.skipIf(htpasswdMissing)(
  `Debian's docker-registry with htpasswd over https${htpasswdMissing ? ` (${htpasswdMissing})` : ""}`,
  () => {
    test("lets in who has the password and trusts its CA", async () => {
      await using peer = await startDockerRegistry({ auth: "htpasswd", tls: true });
      await using registry = createImageRegistry();
      const { digest } = await peer.push("private/app:1");
      const source = sourceAt(peer, "private/app", { ...alice, ca_certs: [peer.ca ?? ""] });
      expect(await registry.resolve(source, "1", patient)).toMatchObject({ digest, via: "HEAD" });
      const wrong = await failureOf(registry.resolve({ ...source, password: "wrong" }, "1", patient));
      expect(wrong).toMatchObject({ code: "FI_UNAUTHORIZED", details: { host: peer.host, status: 401 } });
      const untrusting = await failureOf(registry.resolve({ ...source, ca_certs: [] }, "1", patient));
      expect(untrusting.code).toBe("FI_REGISTRY_TLS");
    });
  },
);
