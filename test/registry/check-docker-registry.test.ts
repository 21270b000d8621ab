import { createImageRegistry } from "@fetch-image/registry";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { failureOf, patient, sourceAt } from "./support.ts";

const missing = dockerRegistryMissing();

describe.skipIf(missing)(`a check at Debian's docker-registry${missing ? ` (${missing})` : ""}`, () => {
  let peer: DockerRegistry;
  const registry = createImageRegistry();
  const digests = new Map<string, string>();
  beforeAll(async () => {
    peer = await startDockerRegistry();
    // In an order that no sorting gives.
    for (const tag of ["1.10.0", "latest", "1.2.0", "2.0.0-rc.1", "1.9.0", "1.9", "1.0.0-slim", "nightly"]) {
      const name = tag === "1.9" ? "1.9.0" : tag;
      const created = `2024-01-${name.length + 10}T00:00:00Z`;
      const { digest } = await peer.push(`acme/app:${tag}`, { layers: [name], created });
      digests.set(tag, digest);
    }
  });
  afterAll(async () => {
    await registry.close();
    await peer.close();
  });
  const versions = (...tags: string[]) => tags.map((tag) => ({ tag, digest: digests.get(tag) }));

  test("finds the semver tags, oldest first, in a list that comes whole, whatever was asked for", async () => {
    const answer = await request(`${peer.origin}/v2/acme/app/tags/list?n=2`);
    expect(answer.headers["link"]).toBeUndefined();
    expect(((await answer.body.json()) as { tags: string[] }).tags).toHaveLength(8);
    const found = await registry.check(sourceAt(peer, "acme/app"), patient);
    expect(found.versions).toEqual(versions("1.2.0", "1.9.0", "1.10.0", "latest"));
    expect(found).toMatchObject({ via: "HEAD", host: peer.host, status: 200, requests: 1 + 5 });
  });

  test("goes on from a cursor", async () => {
    const [cursor] = versions("1.9.0");
    const found = await registry.check(sourceAt(peer, "acme/app"), { ...patient, cursor });
    expect(found.versions).toEqual(versions("1.9.0", "1.10.0", "latest"));
  });

  test("finds tags that match in the registry's own order, or by their images' age", async () => {
    const { tags } = (await (await request(`${peer.origin}/v2/acme/app/tags/list`)).body.json()) as { tags: string[] };
    const source = sourceAt(peer, "acme/app", { tag_regex: "^(latest|nightly|1\\.2)" });
    const listed = tags.filter((tag) => /^(?:latest|nightly|1\.2)/.test(tag));
    expect((await registry.check(source, patient)).versions).toEqual(versions(...listed));
    const byAge = await registry.check({ ...source, created_at_sort: true }, patient);
    expect(byAge.versions).toEqual(versions("1.2.0", "latest", "nightly"));
  });

  test("of a repository that it does not know fails where it lists tags, and finds nothing where it has one", async () => {
    expect(await failureOf(registry.check(sourceAt(peer, "acme/none"), patient))).toMatchObject({
      code: "FI_IMAGE_UNKNOWN",
      details: { status: 404, registryCode: "NAME_UNKNOWN" },
    });
    const one = await registry.check(sourceAt(peer, "acme/none", { tag: "1" }), patient);
    expect(one).toMatchObject({ versions: [], via: "HEAD", status: 404, requests: 1 });
  });

  test("is not spared anything by what it says of its answers: a list has no ETag, and a HEAD has no body to leave out", async () => {
    const list = await request(`${peer.origin}/v2/acme/app/tags/list`);
    await list.body.dump();
    expect(list.headers["etag"]).toBeUndefined();
    const accept = "application/vnd.oci.image.manifest.v1+json";
    const head = (headers: Record<string, string>) =>
      request(`${peer.origin}/v2/acme/app/manifests/1.9.0`, { method: "HEAD", headers: { accept, ...headers } });
    const etag = (await head({})).headers["etag"];
    expect(etag).toBe(`"${digests.get("1.9.0")}"`);
    expect((await head({ "if-none-match": String(etag) })).statusCode).toBe(304);
  });
});
