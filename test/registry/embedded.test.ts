import { startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { request } from "undici";
import { expect, test } from "vitest";

const oci = "application/vnd.oci.image.manifest.v1+json";

async function ask(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  const answer = await request(url, { headers });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

test("the embedded registry answers as the distribution API has it", async () => {
  await using registry = await startEmbeddedRegistry();
  const { digest, layers } = await registry.push("acme/app:1");
  const manifests = `${registry.origin}/v2/acme/app/manifests`;
  expect((await ask(`${registry.origin}/v2/`)).status).toBe(200);
  const byTag = await ask(`${manifests}/1`, { accept: oci });
  expect(byTag).toMatchObject({ status: 200, headers: { "content-type": oci, "docker-content-digest": digest } });
  expect((await ask(`${manifests}/${digest}`, { accept: oci })).text).toBe(byTag.text);
  expect((await ask(`${manifests}/1`)).status).toBe(404);
  expect((await ask(`${manifests}/2`, { accept: oci })).text).toContain("MANIFEST_UNKNOWN");
  expect((await ask(`${registry.origin}/v2/acme/app/blobs/${layers[0]}`)).headers["content-length"]).toBe("2048");
  expect((await ask(`${registry.origin}/v2/acme/app/blobs/${digest}`)).text).toContain("BLOB_UNKNOWN");
  expect((await request(`${manifests}/1`, { method: "DELETE" })).statusCode).toBe(405);
});

test("it lists tags in pages, each with a link to the next", async () => {
  await using registry = await startEmbeddedRegistry();
  for (const tag of ["b", "a", "10", "2", "B"]) await registry.push(`acme/app:${tag}`);
  let page: string | undefined = "/v2/acme/app/tags/list?n=2";
  const tags: string[] = [];
  let pages = 0;
  while (page !== undefined) {
    const { text, headers } = await ask(registry.origin + page);
    const body: { tags: string[] } = JSON.parse(text);
    tags.push(...body.tags);
    page = /^<(.+)>; rel="next"$/.exec(String(headers["link"]))?.[1];
    pages++;
  }
  expect([tags, pages]).toEqual([["10", "2", "B", "a", "b"], 3]);
  expect((await ask(`${registry.origin}/v2/acme/app/tags/list`)).headers["link"]).toBeUndefined();
  expect((await ask(`${registry.origin}/v2/no/such/tags/list`)).text).toContain("NAME_UNKNOWN");
  expect(registry.counts.tags).toBe(5);
});

test("tags can be moved to what is there, and taken away", async () => {
  await using registry = await startEmbeddedRegistry();
  const one = await registry.push(`${registry.host}/acme/app:1`);
  expect(one).toMatchObject({ repository: `${registry.host}/acme/app`, tag: "1" });
  const two = await registry.push("acme/app:2");
  registry.moveTag(`${registry.host}/acme/app`, "1", two.digest);
  const moved = await ask(`${registry.origin}/v2/acme/app/manifests/1`, { accept: oci });
  expect(moved.headers["docker-content-digest"]).toBe(two.digest);
  expect(() => registry.moveTag("acme/app", "1", `sha256:${"0".repeat(64)}`)).toThrow("has no manifest");
  expect([registry.deleteTag("acme/app", "1"), registry.deleteTag("acme/app", "1")]).toEqual([true, false]);
});

test("it refuses to push what is no reference", async () => {
  await using registry = await startEmbeddedRegistry();
  await expect(registry.push("Not A Reference")).rejects.toMatchObject({ code: "FI_REFERENCE_INVALID" });
});

test("faults come the latest first, those for the next request in their order, and go when they are cleared", async () => {
  await using registry = await startEmbeddedRegistry();
  await registry.push("acme/app:1");
  const url = `${registry.origin}/v2/acme/app/manifests/1`;
  registry.answerAlways("GET", /manifests/, 500);
  registry.answerNext("GET", "/v2/acme/app/manifests/1", 429);
  registry.answerNext("*", "*", 418);
  const statuses: number[] = [];
  for (let at = 0; at < 4; at++) statuses.push((await ask(url, { accept: oci })).status);
  registry.clearFaults();
  statuses.push((await ask(url, { accept: oci })).status);
  expect(statuses).toEqual([429, 418, 500, 500, 200]);
  expect(registry.requests.map(({ status }) => status)).toEqual(statuses);
});

test("a port that is taken is refused, and a closed registry leaves its port", async () => {
  const registry = await startEmbeddedRegistry();
  const port = Number(registry.host.split(":")[1]);
  await expect(startEmbeddedRegistry({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await registry.close();
  await using again = await startEmbeddedRegistry({ port });
  expect(again.host).toBe(registry.host);
});
