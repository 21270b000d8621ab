import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { JsonObject, RegistryImageSource } from "@fetch-image/core";
import {
  createImageRegistry,
  getImage,
  type GetImageOptions,
  type GotImage,
  imageGet,
  type OciRegistry,
} from "@fetch-image/registry";
import {
  buildImage,
  type BuiltImage,
  type EmbeddedRegistry,
  type ImageRecipe,
  startEmbeddedRegistry,
} from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesBelow } from "../support/files-below.ts";
import { type Scratch, scratch } from "../support/scratch.ts";
import { type MemoryArtifacts, memoryArtifacts } from "./memory-artifacts.ts";
import { failureOf, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
let store: MemoryArtifacts;
let place: Scratch;
beforeEach(async () => {
  peer = await startEmbeddedRegistry();
  registry = createImageRegistry();
  store = memoryArtifacts();
  place = scratch("get");
});
afterEach(async () => {
  await registry.close();
  await peer.close();
  place[Symbol.dispose]();
});

const app = (fields: Partial<RegistryImageSource> = {}) => sourceAt(peer, "acme/app", fields);

/** The image at `acme/app:1`, with all that it is made of. */
async function pushed(recipe: ImageRecipe): Promise<BuiltImage> {
  await peer.push("acme/app:1", recipe);
  return buildImage(recipe);
}

interface Asked {
  readonly source?: RegistryImageSource;
  readonly params?: JsonObject;
  readonly tag?: string;
}

async function get(
  digest: string,
  { source = app(), params = {}, tag = "1" }: Asked = {},
  options: Partial<GetImageOptions> = {},
): Promise<GotImage & { readonly directory: string; readonly files: readonly string[] }> {
  const directory = place.path(`dest-${readdirSync(place.directory).length}`);
  mkdirSync(directory);
  const got = await getImage(imageGet(source, { tag, digest }, params), directory, {
    registry,
    store,
    ...patient,
    ...options,
  });
  return { ...got, directory, files: filesBelow(directory) };
}

const textOf = (directory: string, ...path: readonly string[]) => readFileSync(join(directory, ...path), "utf8");
const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const config = {
  Env: ["PATH=/bin", "GREETING=<hello> & bye"],
  Cmd: ["serve"],
  User: "1000:1000",
  Labels: { z: "1", "10": "ten", "9": "nine", html: "<b>&</b>" },
};

describe("every format", () => {
  test.each(["rootfs", "oci", "oci-layout"])("%s has repository, tag and digest, with no new line", async (format) => {
    const { digest } = await peer.push("acme/app:1");
    const { directory, version, metadata } = await get(digest, { params: { format } });
    expect(textOf(directory, "repository")).toBe(`${peer.host}/acme/app`);
    expect(textOf(directory, "tag")).toBe("1");
    expect(textOf(directory, "digest")).toBe(digest);
    expect(version).toEqual({ tag: "1", digest });
    expect(metadata).toEqual([
      { name: "repository", value: `${peer.host}/acme/app` },
      { name: "tag", value: "1" },
    ]);
  });

  test("is got by the digest, whatever the tag points to by now", async () => {
    const before = await peer.push("acme/app:1", { layers: ["before"] });
    await peer.push("acme/app:1", { layers: ["after"] });
    const { directory } = await get(before.digest, { params: { format: "oci-layout" } });
    expect(textOf(directory, "oci", "single-image-digest")).toBe(before.digest);
    expect(peer.requests.filter(({ path }) => path.includes("/manifests/1"))).toEqual([]);
  });

  test("takes a version without a tag: the file is empty, the archive's name ends in latest", async () => {
    const { digest } = await peer.push("acme/app:1");
    const { directory, version } = await get(digest, { tag: "", params: { format: "oci" } });
    expect(textOf(directory, "tag")).toBe("");
    expect(version).toEqual({ tag: "", digest });
    expect(archiveOf(directory).manifest[0]?.RepoTags).toEqual([`${peer.host}/acme/app:latest`]);
  });
});

describe("rootfs", () => {
  test("is refused where a layer unpacks to something else than the config promises", async () => {
    const { digest } = await pushed({ layers: ["hello"] });
    const lie = Buffer.from(JSON.stringify({ rootfs: { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] } }));
    const lied = digestOf(lie) as `sha256:${string}`;
    await store.put(lied, Readable.from([lie]), patient);
    const lying: GetImageOptions["registry"] = {
      ...registry,
      async fetchImage(...asked) {
        const found = await registry.fetchImage(...asked);
        const config = { ...found.image.config, digest: lied, size: lie.length };
        return { ...found, image: { ...found.image, config } };
      },
    };
    const error = await failureOf(get(digest, {}, { registry: lying }));
    expect(error).toMatchObject({ code: "FI_LAYER_INVALID", message: expect.stringContaining("config promised") });
  });

  test("has the files of the layers, and what a container of the image runs with", async () => {
    const { digest } = await peer.push("acme/app:1", {
      layers: [
        { "etc/motd": "hello", "etc/gone": "" },
        { "etc/.wh.gone": "", "bin/tool": "#!" },
      ],
      config,
    });
    const { directory, files, unpacked } = await get(digest);
    expect(files).toEqual([
      "digest",
      "labels.json",
      "metadata.json",
      "repository",
      "rootfs/bin/tool",
      "rootfs/etc/motd",
      "tag",
    ]);
    expect(textOf(directory, "rootfs/etc/motd")).toBe("hello");
    expect(unpacked?.skipped).toEqual([]);
    // As Go's encoder writes it: null where the image says nothing, HTML's characters escaped, one line.
    expect(textOf(directory, "metadata.json")).toBe(
      '{"cmd":["serve"],"entrypoint":null,"env":["PATH=/bin","GREETING=\\u003chello\\u003e \\u0026 bye"],"user":"1000:1000"}\n',
    );
    expect(textOf(directory, "labels.json")).toBe(
      '{"10":"ten","9":"nine","html":"\\u003cb\\u003e\\u0026\\u003c/b\\u003e","z":"1"}\n',
    );
  });

  test("of an image that says nothing has nulls, no user and no labels", async () => {
    const { digest } = await peer.push("acme/app:1");
    const { directory } = await get(digest);
    expect(textOf(directory, "metadata.json")).toBe('{"cmd":null,"entrypoint":null,"env":null,"user":""}\n');
    expect(textOf(directory, "labels.json")).toBe("{}\n");
  });

  test("of an index is the platform's, the params' before the source's, and that one as a whole", async () => {
    const { digest, platforms } = await peer.push("acme/app:1", {
      platforms: ["linux/amd64", "linux/arm64", "windows/arm64"],
    });
    const source = app({ platform: { os: "windows", architecture: "arm64" } });
    expect((await get(digest, { source })).image?.image.manifest.digest).toBe(platforms["windows/arm64"]);
    // The os of the source counts no more: it is the host's again.
    const params = { platform: { architecture: "arm64", os: null } };
    expect((await get(digest, { source, params })).image?.image.manifest.digest).toBe(platforms["linux/arm64"]);
    const error = await failureOf(get(digest, { params: { platform: { architecture: "s390x" } } }));
    expect(error.code).toBe("FI_PLATFORM_UNAVAILABLE");
  });
});

describe("oci", () => {
  test("is an archive as docker save makes it: config, layers once, manifest.json last", async () => {
    const image = await pushed({ layers: [{ a: "1" }, { b: "2" }, { a: "1" }], config });
    const { directory, files } = await get(image.digest, { params: { format: "oci" } });
    expect(files).toEqual(["digest", "image.tar", "labels.json", "repository", "tag"]);
    const { names, manifest, bytesOf } = archiveOf(directory);
    const [first = "", second = ""] = image.layers.map((digest) => `${digest.slice("sha256:".length)}.tar.gz`);
    const configDigest = image.blobs.at(-1)?.digest ?? "";
    expect(names).toEqual([configDigest, first, second, "manifest.json"]);
    expect(manifest).toEqual([
      { Config: configDigest, RepoTags: [`${peer.host}/acme/app:1`], Layers: [first, second, first] },
    ]);
    expect(digestOf(bytesOf(configDigest))).toBe(configDigest);
    expect(digestOf(bytesOf(second))).toBe(image.layers[1]);
    expect(textOf(directory, "labels.json")).toContain('"html":');
  });

  test("of a mirror's bytes bears the source's own name, as go-containerregistry writes Docker Hub's", async () => {
    const { digest } = await peer.push("library/busybox:1.36");
    const source = { repository: "busybox", registry_mirror: { host: peer.host } };
    const { directory, metadata } = await get(digest, { source, tag: "1.36", params: { format: "oci" } });
    expect(archiveOf(directory).manifest[0]?.RepoTags).toEqual(["index.docker.io/library/busybox:1.36"]);
    expect(textOf(directory, "repository")).toBe("busybox");
    expect(metadata[0]).toEqual({ name: "repository", value: "busybox" });
  });
});

describe("oci-layout", () => {
  test("of one image is an index around it, and single-image-digest names it", async () => {
    const { digest, blobs, manifests } = await pushed({ layers: ["one", "two"] });
    const { directory, files } = await get(digest, { params: { format: "oci-layout" } });
    const stored = [...blobs, ...manifests].map((blob) => `oci/blobs/sha256/${blob.digest.slice("sha256:".length)}`);
    const rest = ["digest", "oci/index.json", "oci/oci-layout", "oci/single-image-digest", "repository", "tag"];
    expect(files).toEqual([...rest, ...stored].toSorted());
    for (const path of stored) expect(digestOf(readFileSync(join(directory, path)))).toBe(`sha256:${path.slice(-64)}`);
    expect(JSON.parse(textOf(directory, "oci/oci-layout"))).toEqual({ imageLayoutVersion: "1.0.0" });
    expect(textOf(directory, "oci/single-image-digest")).toBe(digest);
    const [{ mediaType, bytes } = { mediaType: "", bytes: Buffer.of() }] = manifests;
    expect(JSON.parse(textOf(directory, "oci/index.json"))).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ mediaType, digest, size: bytes.length }],
    });
  });

  test.each(["oci", "docker"] as const)("of a multi-arch image in %s's media types has all of it", async (format) => {
    const image = await pushed({ layers: ["one"], platforms: ["linux/amd64", "linux/s390x"], format });
    const { directory, files } = await get(image.digest, { params: { format: "oci-layout" } });
    expect(digestOf(readFileSync(join(directory, "oci/index.json")))).toBe(image.digest);
    const digests = [...image.blobs, ...image.manifests]
      .map(({ digest }) => digest)
      .filter((one) => one !== image.digest);
    const stored = files.filter((path) => path.startsWith("oci/blobs/"));
    expect(stored.map((path) => `sha256:${path.slice(-64)}`)).toEqual([...new Set(digests)].toSorted());
    expect(files).not.toContain("oci/single-image-digest");
  });
});

describe("metadata", () => {
  test("are the annotations that match, then the labels, each by their names' bytes", async () => {
    const { digest } = await peer.push("acme/app:1", {
      config: {
        Labels: {
          "com.acme.b": "2",
          "com.acme.a": "1",
          "org.other": "3",
          "com.acme.\uffee": "4",
          "com.acme.\u{1f600}": "5",
        },
      },
      annotations: { "org.build": "b", "org.author": "a", unrelated: "u" },
    });
    const source = app({ label_regex: "^com\\.acme\\.", annotation_regex: "^org" });
    const { metadata } = await get(digest, { source, params: { format: "oci" } });
    expect(metadata.slice(2)).toEqual([
      { name: "org.author", value: "a" },
      { name: "org.build", value: "b" },
      { name: "com.acme.a", value: "1" },
      { name: "com.acme.b", value: "2" },
      { name: "com.acme.\uffee", value: "4" },
      { name: "com.acme.\u{1f600}", value: "5" },
    ]);
  });

  test("of a get that skips the download cost a manifest and a config, and no layer", async () => {
    const { digest, layers } = await peer.push("acme/app:1", { config: { Labels: { a: "1" } } });
    const { files, metadata } = await get(digest, {
      source: app({ label_regex: "a" }),
      params: { skip_download: true },
    });
    expect(files).toEqual(["digest", "repository", "tag"]);
    expect(metadata.at(-1)).toEqual({ name: "a", value: "1" });
    expect(peer.requests.some(({ path }) => path.includes(layers[0] ?? ""))).toBe(false);
  });

  test("a get that skips the download and wants no more asks nobody", async () => {
    const { digest } = await peer.push("acme/app:1");
    peer.clearRequests();
    const { files, image } = await get(digest, { params: { skip_download: true, format: "no such format" } });
    expect(files).toEqual(["digest", "repository", "tag"]);
    expect(image).toBeUndefined();
    expect(peer.requests).toEqual([]);
  });
});

describe("what is not valid is refused before anybody is asked", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  test.each<[string, Asked & { readonly digest?: string }, string]>([
    ["a version without a digest", { digest: "" }, "version.digest"],
    ["a digest that is none", { digest: "sha256:abc" }, "version.digest"],
    ["an unknown format", { params: { format: "tar" } }, "params.format"],
    ["a format that is no text", { params: { format: 1 } }, "params.format"],
    ["an unknown param", { params: { formt: "oci" } }, "params.formt"],
    ["a skip_download that is no boolean", { params: { skip_download: "yes" } }, "params.skip_download"],
    ["a platform that is no object", { params: { platform: "linux/arm64" } }, "params.platform"],
    ["a platform with a variant", { params: { platform: { variant: "v8" } } }, "params.platform.variant"],
    ["a platform's os that is no text", { params: { platform: { os: 1 } } }, "params.platform.os"],
    ["a tag that cannot name an archive", { tag: "a b", params: { format: "oci" } }, "version.tag"],
    ["a label_regex that is none", { source: { repository: "a", label_regex: "(" } }, "label_regex"],
    ["an annotation_regex that is none", { source: { repository: "a", annotation_regex: "(" } }, "annotation_regex"],
  ])("%s", async (_what, { digest: given = digest, ...asked }, field) => {
    const error = await failureOf(get(given, asked));
    expect(error.code).toMatch(/^FI_(?:PAYLOAD|SOURCE)_INVALID$/);
    expect(error.details).toMatchObject({ field });
    expect(peer.requests).toEqual([]);
  });
});

test("an image of something else than a program is a layout all the same: nobody needs its config", async () => {
  const { digest } = await peer.push("acme/app:1", { config: { Env: "no list" } });
  const source = app({ annotation_regex: "x" });
  expect((await get(digest, { source, params: { format: "oci-layout" } })).files).toContain("oci/index.json");
  expect(
    (await failureOf(get(digest, { source: app({ label_regex: "x" }), params: { format: "oci-layout" } }))).code,
  ).toBe("FI_REGISTRY_PROTOCOL");
});

test("a config that is none is the registry's fault, and named", async () => {
  const { digest } = await peer.push("acme/app:1", { config: { Env: "PATH=/bin" } });
  const error = await failureOf(get(digest));
  expect(error).toMatchObject({ code: "FI_REGISTRY_PROTOCOL", message: expect.stringContaining("`Env`") });
  expect(error.message).toContain(peer.host);
});

interface Archive {
  readonly names: readonly string[];
  readonly manifest: readonly {
    readonly Config: string;
    readonly RepoTags: readonly string[];
    readonly Layers: string[];
  }[];
  readonly bytesOf: (name: string) => Buffer;
}

/** Read by hand: names at 0, sizes at 124, in octal. */
function archiveOf(directory: string): Archive {
  const tar = readFileSync(join(directory, "image.tar"));
  expect(tar.length % 512).toBe(0);
  const entries = new Map<string, Buffer>();
  let at = 0;
  for (; tar[at] !== 0;) {
    const name = tar.subarray(at, tar.indexOf(0, at)).toString();
    const size = Number.parseInt(tar.subarray(at + 124, at + 135).toString(), 8);
    expect(entries.has(name)).toBe(false);
    entries.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  expect(tar.length - at).toBe(1024);
  const bytesOf = (name: string) => entries.get(name) ?? Buffer.of();
  return { names: [...entries.keys()], manifest: JSON.parse(bytesOf("manifest.json").toString()), bytesOf };
}
