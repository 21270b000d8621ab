import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CancelSignal, Digest } from "@fetch-image/core";
import { memoryArtifacts } from "../../registry/memory-artifacts.ts";
import { rawAnswer, type RawServer } from "../raw-registry.ts";
import { anyPath, registryTarget, source } from "../registry-target.ts";
import { expectOurs, type FuzzTarget, must, texts } from "../target.ts";

// What a registry answers, through the client as it is published: over a socket, to the error that users would see.

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";
const digest = digestOf("{}");
const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 2 };
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [config] });
const index = JSON.stringify({
  schemaVersion: 2,
  mediaType: indexType,
  manifests: [
    { mediaType: manifestType, digest, size: 2, platform: { os: "linux", architecture: "amd64" } },
    { mediaType: manifestType, digest, size: 2, platform: { os: "unknown", architecture: "unknown" } },
  ],
});
const oneTag = rawAnswer(200, [], '{"tags":["1"]}');
const tagPoints = rawAnswer(200, [`content-type: ${manifestType}`, `docker-content-digest: ${digest}`], manifest);
const jsonWords = ["{", "}", "[", "]", ",", ":", '"', "null", "1e999", "-0", "\\ud800", '"schemaVersion":1,', "<html>"];
const urlWords = [
  "http://",
  "https://",
  "//",
  "@",
  "/v2/",
  "..",
  "?",
  "#",
  "%00",
  "\t",
  "user:pw@",
  "[::1]",
  "file:///",
  "EVIL",
];

const { signal }: { readonly signal: CancelSignal } = new AbortController();

const layer = Buffer.from("0123456789abcdef".repeat(4));
const layered = JSON.stringify({
  schemaVersion: 2,
  mediaType: manifestType,
  config,
  layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digestOf(layer), size: layer.length }],
});
const rest = rawAnswer(206, ['etag: "e"', "content-range: bytes 10-63/64"], layer.subarray(10));

const dockerConfig = join(tmpdir(), `fetch-image-fuzz-${process.pid}.json`);
const auth = Buffer.from(`${source.username}:${source.password}`).toString("base64");

export const registryTargets: readonly FuzzTarget[] = [
  registryTarget(
    "docker-config",
    {
      seeds: texts(
        JSON.stringify({ auths: { "registry.example.com": { auth } } }),
        JSON.stringify({
          auths: { "https://registry.example.com/v1/": { ...source, identitytoken: "canary-password" } },
        }),
        JSON.stringify({ credHelpers: { "registry.example.com": "none" }, credsStore: "none" }),
      ),
      words: [...jsonWords, "../", "; ", "registry.example.com", '"auths":', '"credsStore":', "====", "\\u0000"],
    },
    {
      options(input) {
        writeFileSync(dockerConfig, input);
        return { dockerConfig };
      },
      answer: ({ authorization }) =>
        authorization === undefined ? rawAnswer(401, ['www-authenticate: Basic realm="x"']) : tagPoints,
      ask: async (registry) => void (await registry.resolve({ repository: source.repository }, "1", { signal })),
      end: () => rmSync(dockerConfig, { force: true }),
    },
  ),
  registryTarget(
    "range",
    {
      seeds: [rest, rawAnswer(200, ['etag: "e"'], layer), rawAnswer(416, ["content-range: bytes */64"])],
      words: [
        "bytes ",
        "0-63/64",
        "10-9/64",
        "-",
        "/*",
        "9".repeat(16),
        "content-length: 5\r\n",
        'etag: W/"x"\r\n',
        "\r\n",
      ],
    },
    {
      answer({ target: path, range }, input) {
        if (path.includes(digestOf(layered))) return rawAnswer(200, [`content-type: ${manifestType}`], layered);
        if (path.includes(digest)) return rawAnswer(200, [], "{}");
        if (!path.includes(digestOf(layer))) return undefined;
        // The first answer breaks off: the rest is asked for.
        return range === undefined ? rawAnswer(200, ['etag: "e"'], layer).subarray(0, -54) : input;
      },
      async ask(registry) {
        const store = memoryArtifacts();
        await registry.fetchImage(source, digestOf(layered), { store, signal, platform: { os: "linux" } });
        must(store.blobs.get(digestOf(layer))?.equals(layer) === true, "it keeps other bytes");
      },
    },
  ),
  registryTarget(
    "manifest",
    { seeds: texts(manifest, index), words: jsonWords },
    {
      answer: ({ method, target: path }, input) => {
        if (method === "HEAD") return rawAnswer(405, []);
        return path.includes("/manifests/") ? rawAnswer(200, [`content-type: ${manifestType}`], input) : undefined;
      },
      async ask(registry, input) {
        const resolved = await registry.resolve(source, "1", { signal });
        must(resolved?.digest === digestOf(input), "the digest is not that of the bytes");
      },
    },
  ),
  registryTarget(
    "index",
    { seeds: texts(index, manifest), words: [...jsonWords, '"platform":', '"size":', "sha512:"] },
    {
      answer: ({ target: path }, input) => (path.includes(digestOf(input)) ? rawAnswer(200, [], input) : undefined),
      async ask(registry, input) {
        const store = memoryArtifacts();
        await registry.fetchArtifact(source, digestOf(input), { store, signal, platform: { os: "linux" } });
      },
    },
  ),
  registryTarget(
    "config",
    {
      seeds: texts('{"created":"2024-01-01T00:00:00.5Z","os":"linux"}', "{}"),
      words: [...jsonWords, "T", "Z", "+25:00"],
    },
    {
      answer({ target: path }, input) {
        const made = manifestFor(input);
        if (path.includes("/tags/list")) return oneTag;
        if (path.endsWith("/manifests/1")) {
          return rawAnswer(200, [`content-type: ${manifestType}`, `docker-content-digest: ${digestOf(made)}`], made);
        }
        if (path.includes(digestOf(made))) return rawAnswer(200, [`content-type: ${manifestType}`], made);
        return path.includes(digestOf(input)) ? rawAnswer(200, [], input) : undefined;
      },
      async ask(registry) {
        const found = await registry.check({ ...source, tag_regex: ".*", created_at_sort: true }, { signal });
        must(found.versions.length <= 1, "one tag has become several");
      },
    },
  ),
  registryTarget(
    "tags",
    {
      seeds: texts('{"name":"acme/app","tags":["1.0","2.0-rc.1","latest"]}', '{"tags":null}'),
      words: [...jsonWords, "../", "%2e", "?", "#", "\\r\\n", "x".repeat(129)],
    },
    {
      answer: ({ target: path }, input) =>
        path.includes("/tags/list") ? rawAnswer(200, [], input) : path.includes("/manifests/") ? tagPoints : undefined,
      async ask(registry, input) {
        const listed = JSON.stringify(JSON.parse(input.toString()));
        const { versions } = await registry.check({ ...source, tag_regex: ".*" }, { signal });
        for (const { tag } of versions) must(listed.includes(JSON.stringify(tag)), `it makes up the tag ${tag}`);
      },
    },
  ),
  registryTarget(
    "link",
    {
      seeds: texts(
        '</v2/acme/app/tags/list?last=b&n=1>; rel="next"',
        "<?last=x>; rel=next",
        "<EVIL/v2/acme/app/tags/list>; rel=next",
      ),
      words: ["<", ">", ";", ",", '"', "\\", "rel=", "next", "prev", ...urlWords],
    },
    {
      asks: anyPath,
      answer: ({ target: path }, input, evil) =>
        path.includes("/tags/list") ? rawAnswer(200, [`link: ${withEvil(input, evil)}`], '{"tags":["1"]}') : tagPoints,
      ask: async (registry) => void (await registry.check({ ...source, tag_regex: ".*" }, { signal })),
    },
  ),
  registryTarget(
    "login",
    {
      seeds: texts(
        'Bearer realm="OWN/token",service="s",scope="repository:acme/app:pull"',
        'Bearer realm="EVIL/token"',
        'Basic realm="x"',
      ),
      words: ['"', ",", "=", "\\", "Bearer ", "Basic ", "realm=", "scope=", ...urlWords],
    },
    {
      asks: anyPath,
      answer: ({ target: path, authorization }, input, evil) => {
        if (path.includes("/token")) return rawAnswer(200, [], '{"token":"t0"}');
        return authorization === undefined ? rawAnswer(401, [`www-authenticate: ${withEvil(input, evil)}`]) : tagPoints;
      },
      ask: async (registry) => void (await registry.resolve(source, "1", { signal })),
    },
  ),
  registryTarget(
    "token",
    {
      seeds: texts('{"token":"abc","expires_in":300,"issued_at":"2024-01-01T00:00:00Z"}', '{"access_token":"x"}'),
      words: [...jsonWords, "\\r\\nx: y", "\\u0000"],
    },
    {
      asks: anyPath,
      answer: ({ target: path, authorization }, input) => {
        if (path.startsWith("/token")) return rawAnswer(200, [], input);
        return authorization === undefined ? rawAnswer(401, [`www-authenticate: Bearer realm="OWN/token"`]) : tagPoints;
      },
      ask: async (registry) => void (await registry.resolve(source, "1", { signal })),
    },
  ),
  registryTarget(
    "limits",
    {
      seeds: texts("100;w=21600", "Wed, 21 Oct 2026 07:28:00 GMT", "30"),
      words: [";", "w=", "-1", "9".repeat(30), "GMT", "e5", "NaN"],
    },
    {
      answer: (_, input) =>
        rawAnswer(
          429,
          ["retry-after", "ratelimit-limit", "ratelimit-remaining"].map(
            (name) => `${name}: ${input.toString("latin1")}`,
          ),
        ),
      async ask(registry) {
        try {
          await registry.resolve(source, "1", { signal });
        } catch (error) {
          const after = expectOurs(error).details["retryAfterMs"];
          must(
            after === undefined || (Number.isFinite(after) && Number(after) >= 0),
            `retryAfterMs is ${JSON.stringify(after)}`,
          );
          throw error;
        }
      },
    },
  ),
  registryTarget(
    "error-body",
    {
      seeds: texts('{"errors":[{"code":"DENIED","message":"no canary-password here","detail":{}}]}', "<html>no</html>"),
      words: [...jsonWords, "\u001b[2J", "\u2028", source.password],
    },
    {
      answer: (_, input) => rawAnswer(403, ["content-type: application/json"], input),
      ask: async (registry) => void (await registry.resolve(source, "1", { signal })),
    },
  ),
  registryTarget(
    "redirect",
    {
      seeds: texts("OWN/elsewhere", "EVIL/elsewhere", "/v2/acme/app/manifests/2", "https://registry.example.com/x"),
      words: urlWords,
    },
    {
      asks: anyPath,
      answer: ({ target: path }, input, evil) =>
        path.includes("elsewhere") ? tagPoints : rawAnswer(307, [`location: ${withEvil(input, evil)}`]),
      ask: async (registry) => void (await registry.resolve(source, "1", { signal })),
    },
  ),
  registryTarget(
    "answer",
    {
      seeds: [tagPoints, rawAnswer(200, ["transfer-encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n")],
      words: [
        "\r\n",
        "HTTP/1.1 ",
        "content-length: 5",
        ":",
        " ",
        "transfer-encoding: chunked",
        "\0",
        "HTTP/1.1 100 Continue\r\n\r\n",
      ],
    },
    {
      answer: (_, input) => input,
      async ask(registry, input) {
        const resolved = await registry.resolve(source, "1", { signal });
        must(
          resolved === undefined || input.includes(resolved.digest.slice(7)) || input.includes("{"),
          "it makes up a digest",
        );
      },
    },
  ),
];

function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function manifestFor(input: Uint8Array): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { ...config, digest: digestOf(input), size: input.length },
    layers: [],
  });
}

/** As one header's value: a line break in it would be another header, which is the target `answer`. */
function withEvil(input: Buffer, evil: RawServer): string {
  return input
    .toString("latin1")
    .replaceAll(/[\r\n]/g, " ")
    .replaceAll("EVIL", evil.origin);
}
