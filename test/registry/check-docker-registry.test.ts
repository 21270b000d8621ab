import { createImageRegistry } from "@fetch-image/registry";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { patient, sourceAt } from "./support.ts";

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

  test("of a repository that it does not know finds nothing", async () => {
    const found = await registry.check(sourceAt(peer, "acme/none"), patient);
    expect(found).toEqual({ versions: [], rejected: [], via: "GET", host: peer.host, status: 404, requests: 1 });
  });
});
