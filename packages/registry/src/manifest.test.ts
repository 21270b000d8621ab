import { describe, expect, test } from "vitest";
import { buildImage } from "./embedded/image.ts";
import { acceptManifests, mediaTypes, parseManifest } from "./manifest.ts";
import type { Answer } from "./transport/transport.ts";

const image = buildImage({ platforms: ["linux/amd64", "linux/arm64/v8"] });
const [one, , index] = image.manifests;

function answered(contentType?: string): Answer {
  const unused = (): never => {
    throw new Error("a manifest is parsed from bytes that were read already");
  };
  return {
    method: "GET",
    url: new URL("https://reg.example/v2/acme/app/manifests/1"),
    status: 200,
    headers: contentType === undefined ? {} : { "content-type": contentType },
    bytes: unused,
    start: unused,
    chunks: unused,
    discard: unused,
  };
}

function parse(body: unknown, contentType?: string): ReturnType<typeof parseManifest> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return parseManifest(bytes, answered(contentType), "acme/app:1");
}

describe("parseManifest", () => {
  test("reads an index with its platforms, and a manifest with its blobs", () => {
    expect(parse(index?.bytes, mediaTypes.ociIndex)).toMatchObject({
      kind: "index",
      manifests: [
        { platform: { os: "linux", architecture: "amd64" } },
        { platform: { os: "linux", architecture: "arm64", variant: "v8" } },
      ],
    });
    expect(parse(one?.bytes, `${mediaTypes.ociManifest}; charset=utf-8`)).toMatchObject({
      kind: "image",
      mediaType: mediaTypes.ociManifest,
      layers: [{ digest: image.layers[0] }],
    });
  });

  test("goes by the body where the Content-Type says nothing", () => {
    expect(parse(index?.bytes, "application/json").kind).toBe("index");
    expect(parse(one?.bytes).kind).toBe("image");
    expect(parse({ schemaVersion: 2, manifests: [] }, "text/plain")).toMatchObject({ mediaType: mediaTypes.ociIndex });
  });

  test("refuses a body that calls itself something else than its Content-Type", () => {
    expect(() => parse(one?.bytes, mediaTypes.dockerManifest)).toThrow("calls itself");
  });

  test.each([
    ["<html>Please log in</html>", "text/html", "a web page where a manifest was due"],
    ["  <!DOCTYPE html>", undefined, "a web page where a manifest was due"],
    ["login: ", "text/plain", "no JSON where a manifest was due"],
    ["[]", undefined, "no JSON where a manifest was due"],
    ["null", undefined, "no JSON where a manifest was due"],
    ["{}", "application/json", "JSON that is no image manifest"],
    [{ schemaVersion: 2, manifests: "none" }, mediaTypes.ociIndex, "entries are not descriptors"],
    [{ schemaVersion: 2, manifests: [{ digest: "sha256:short" }] }, undefined, "entries are not descriptors"],
    [{ schemaVersion: 2, layers: [] }, undefined, "config or layers are not descriptors"],
    [
      {
        schemaVersion: 2,
        config: { mediaType: "x", digest: image.digest, size: -1 },
        layers: [],
      },
      mediaTypes.ociManifest,
      "config or layers are not descriptors",
    ],
    ["[".repeat(1_000_000), undefined, "no JSON"],
  ])("refuses %j", (body, contentType, says) => {
    const refuse = (): unknown => parse(body, contentType);
    expect(refuse).toThrow(expect.objectContaining({ code: "FI_REGISTRY_PROTOCOL", retryable: false }));
    expect(refuse).toThrow(says);
    expect(refuse).toThrow("reg.example answered for acme/app:1");
  });

  test.each([
    ["application/vnd.docker.distribution.manifest.v1+prettyjws", { schemaVersion: 1 }],
    ["application/vnd.docker.distribution.manifest.v1+json", {}],
    ["application/json", { schemaVersion: 1, fsLayers: [] }],
  ])("refuses Docker's schema 1 in so many words (%s)", (contentType, body) => {
    expect(() => parse(body, contentType)).toThrow("Docker's schema 1");
  });
});

test("all four manifest types are always accepted", () => {
  expect(acceptManifests.split(", ").toSorted()).toEqual([
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
  ]);
});
