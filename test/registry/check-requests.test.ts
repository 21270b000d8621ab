import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, FetchImageError, type RegistryCheck, type RegistryImageSource } from "@fetch-image/core";
import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listenOnLoopback } from "../support/listen.ts";
import { everyWordOf, failureOf, patient, sourceAt } from "./support.ts";

const list = "/v2/acme/app/tags/list";
let peer: EmbeddedRegistry;
let registry: OciRegistry;

beforeEach(async () => {
  peer = await startEmbeddedRegistry({ tagsPerPage: 100 });
  registry = createImageRegistry();
});

afterEach(async () => {
  await registry.close();
  await peer.close();
});

function check(fields: Partial<RegistryImageSource> = {}): Promise<RegistryCheck> {
  return registry.check(sourceAt(peer, "acme/app", fields), patient);
}

/** Many tags for a few images. */
async function push(count: number): Promise<Map<string, Digest>> {
  const tags = new Map<string, Digest>();
  for (let at = 0; at < count; at++) {
    const { digest, tag = "" } = await peer.push(`acme/app:1.${at}.0`, { layers: [`${at % 10}`] });
    tags.set(tag, digest);
  }
  return tags;
}

function page(tags: readonly string[], link?: string): [number, Record<string, string>, string] {
  return [200, link === undefined ? {} : { link }, JSON.stringify({ name: "acme/app", tags })];
}

describe("a list of 500 tags", () => {
  test("costs its pages and a HEAD for each tag, and for none that is known", async () => {
    const tags = await push(500);
    const found = await check();
    expect(found.versions).toHaveLength(10);
    expect(found.requests).toBe(5 + 500);
    expect(peer.counts).toMatchObject({ tags: 5, manifestHead: 500, manifestGet: 0 });
    expect(new Set(peer.requests.map(({ path, query }) => path + query)).size).toBe(505);

    peer.clearRequests();
    const again = await registry.check(sourceAt(peer, "acme/app"), { ...patient, known: tags });
    expect(again.versions).toEqual(found.versions);
    expect(again).toMatchObject({ via: "GET", host: peer.host, status: 200, requests: 5 });
    expect(peer.counts).toMatchObject({ tags: 5, manifestHead: 0 });

    peer.clearRequests();
    tags.delete("1.7.0");
    const { versions } = await registry.check(sourceAt(peer, "acme/app"), { ...patient, known: tags });
    expect(versions).toEqual(found.versions);
    expect(peer.counts).toMatchObject({ manifestHead: 1 });
  });

  test("is asked for in pages of a thousand, the most that every registry gives", async () => {
    await push(1);
    await check();
    expect(peer.requests[0]).toMatchObject({ path: list, query: "?n=1000" });
  });

  test.each([1, 4])("has %i HEADs under way at a time, as the settings say", async (concurrentQuestions) => {
    let [underWay, most] = [0, 0];
    const server = createServer((request, response) => {
      if (request.method === "GET") {
        response.end(JSON.stringify({ tags: Array.from({ length: 30 }, (_, at) => `1.${at}`) }));
        return;
      }
      most = Math.max(most, ++underWay);
      setTimeout(() => {
        underWay--;
        response.writeHead(404).end();
      }, 5);
    });
    const slow = await listenOnLoopback(server);
    try {
      await using narrow = createImageRegistry({ limits: { concurrentQuestions } });
      expect((await narrow.check(sourceAt(slow, "acme/app"), patient)).requests).toBe(31);
      expect(most).toBe(concurrentQuestions);
    } finally {
      await slow.close();
    }
  });
});

describe("a rate limit in the middle", () => {
  test.each([1, 8])("ends the check at once, with %i questions at a time", async (concurrentQuestions) => {
    await push(60);
    await using client = createImageRegistry({ limits: { concurrentQuestions } });
    peer.answerAlways("HEAD", "/v2/acme/app/manifests/1.15.0", 429, { "retry-after": "30" });
    const error = await failureOf(client.check(sourceAt(peer, "acme/app"), patient));
    expect(error).toMatchObject({ code: "FI_RATE_LIMITED", details: { host: peer.host, retryAfterMs: 30_000 } });
    const limitedAt = peer.requests.findIndex(({ status }) => status === 429);
    expect(limitedAt).toBeGreaterThan(0);
    // What was under way beside it, and nothing more, however long we wait.
    await sleep(50);
    expect(peer.requests.length - limitedAt).toBeLessThanOrEqual(2 * concurrentQuestions - 1);
    expect(peer.counts.manifestGet).toBe(0);
  });

  test("starts nothing even while the refusal's own words are still on their way", async () => {
    await push(60);
    // Digests come by GET here, whose refusals have a body: this one stalls.
    peer.answerAlways("HEAD", "*", 405);
    const words = JSON.stringify({ errors: [{ code: "TOOMANYREQUESTS", message: "x".repeat(1000) }] });
    peer.answerAlways("GET", "/v2/acme/app/manifests/1.15.0", 429, {}, words);
    peer.stallBodyAfter("GET", "/v2/acme/app/manifests/1.15.0", 10);
    await using client = createImageRegistry({ timeouts: { bodyMs: 500 } });
    const error = await failureOf(client.check(sourceAt(peer, "acme/app"), patient));
    expect(error.code).toBe("FI_RATE_LIMITED");
    const limitedAt = peer.requests.findIndex(({ status }) => status === 429);
    expect(peer.requests.length - limitedAt).toBeLessThanOrEqual(15);
  });

  test("of the list asks for no tag", async () => {
    await push(250);
    peer.answerNext("GET", list, ...page(["1.0.0"], `<${list}?n=1000&last=1.0.0>; rel="next"`));
    peer.answerNext("GET", list, 429);
    expect((await failureOf(check())).code).toBe("FI_RATE_LIMITED");
    expect(peer.counts).toMatchObject({ tags: 2, manifestHead: 0 });
  });
});

test("any other failure is the check's too, and ends what is under way", async () => {
  await push(30);
  peer.answerAlways("HEAD", "/v2/acme/app/manifests/1.3.0", 500);
  peer.hang("HEAD", "/v2/acme/app/manifests/1.4.0");
  expect((await failureOf(check())).code).toBe("FI_REGISTRY_UNAVAILABLE");
});

test("an abort ends a check at once, in the list as among its tags", async () => {
  await push(30);
  for (const path of [list, "/v2/acme/app/manifests/1.3.0"]) {
    peer.clearRequests();
    peer.hang("*", path);
    const controller = new AbortController();
    const checking = failureOf(registry.check(sourceAt(peer, "acme/app"), { signal: controller.signal }));
    await expect.poll(() => peer.requests.some((request) => request.path === path)).toBe(true);
    controller.abort(new Error("enough"));
    expect((await checking).code).toBe("FI_ABORTED");
    peer.clearFaults();
  }
  peer.clearRequests();
  const aborted = registry.check(sourceAt(peer, "acme/app"), { signal: AbortSignal.abort() });
  expect((await failureOf(aborted)).code).toBe("FI_ABORTED");
  expect(peer.requests).toHaveLength(0);
});

describe("the pages of a list", () => {
  beforeEach(async () => {
    for (const tag of ["1", "2", "3"]) await peer.push(`acme/app:${tag}`);
  });
  const tagsFound = async (): Promise<readonly string[]> =>
    (await check({ tag_regex: "." })).versions.map(({ tag }) => tag);

  test("are followed wherever on the registry itself they are, and each tag counts once, in its first place", async () => {
    peer.answerNext("GET", list, ...page(["3", "1"], `</v2/acme/app/tags/list?page=2>; rel="next"`));
    peer.answerNext("GET", list, ...page(["1", "3"], `<?page=3>; rel=next, <${list}>; rel=first`));
    peer.answerNext("GET", list, ...page([], `<${peer.origin}${list}?page=4#x>; rel="next"`));
    peer.answerNext("GET", list, ...page(["2", "3"], `<${list}>; rel="first"`));
    expect(await tagsFound()).toEqual(["3", "1", "2"]);
    const queries = peer.requests.filter(({ path }) => path === list).map(({ query }) => query);
    expect(queries).toEqual(["?n=1000", "?page=2", "?page=3", "?page=4"]);
  });

  test("are asked for with the login of the first", async () => {
    await using guarded = await startEmbeddedRegistry({
      users: { alice: "s3cret" },
      private: [{ prefix: "", scheme: "bearer" }],
      tagsPerPage: 2,
    });
    for (const tag of ["1", "2", "3"]) await guarded.push(`acme/app:${tag}`);
    await using client = createImageRegistry();
    const source = sourceAt(guarded, "acme/app", { tag_regex: ".", username: "alice", password: "s3cret" });
    expect((await client.check(source, patient)).versions.map(({ tag }) => tag)).toEqual(["1", "2", "3"]);
    expect(guarded.counts.token).toBe(1);
  });

  test.each<[string, (other: EmbeddedRegistry) => string, string]>([
    ["another port", (other) => `${other.origin}${list}`, "FI_REGISTRY_UNTRUSTED"],
    ["another host", () => `https://registry.example.com${list}`, "FI_REGISTRY_UNTRUSTED"],
    ["no host but a scheme", () => "file:///etc/passwd", "FI_REGISTRY_UNTRUSTED"],
    ["another scheme", () => `https://${peer.host}${list}`, "FI_REGISTRY_UNTRUSTED"],
    ["a login", () => `http://me:s3cret@${peer.host}${list}?sig=abc`, "FI_REGISTRY_UNTRUSTED"],
    ["itself", () => "?n=1000", "FI_REGISTRY_PROTOCOL"],
    ["what is no address", () => "http://", "FI_REGISTRY_PROTOCOL"],
  ])("are not followed to %s", async (_, uriFor, code) => {
    await using other = await startEmbeddedRegistry();
    peer.answerAlways("GET", list, ...page(["1"], `<${uriFor(other)}>; rel="next"`));
    const error = await failureOf(check());
    expect(error.code).toBe(code);
    expect(error.message).toContain("acme/app");
    expect(JSON.stringify(error)).not.toMatch(/s3cret|sig=abc/);
    expect(peer.requests).toHaveLength(1);
    expect(other.requests).toHaveLength(0);
  });

  test("are not followed in a circle", async () => {
    for (const next of ["?p=2", "?p=3", "?p=2"]) peer.answerNext("GET", list, ...page(["1"], `<${next}>; rel="next"`));
    const error = await failureOf(check());
    expect(error.code).toBe("FI_REGISTRY_PROTOCOL");
    expect(error.message).toContain("leads back");
    expect(peer.counts.tags).toBe(3);
  });

  test("that cannot be found for a broken Link are not taken for none", async () => {
    peer.answerAlways("GET", list, ...page(["1"], `${list}?p=2; rel="next"`));
    expect((await failureOf(check())).message).toContain("Link that cannot be read");
  });

  test("count together, and end at the bounds", async () => {
    // A list that goes on for ever: each page names one that was never read.
    let pages = 0;
    const server = createServer((_, response) => {
      pages++;
      response.setHeader("link", `<${list}?last=${pages}>; rel="next"`);
      response.end(JSON.stringify({ tags: Array.from({ length: 10 }, (_, at) => `x${pages * 10 + at}`) }));
    });
    const endless = await listenOnLoopback(server);
    try {
      for (const [limits, expected, says] of [
        [{ tagPages: 7 }, 7, "more than 7 pages of tags"],
        [{ tags: 45 }, 5, "more than 45 tags"],
        [{ tagListBytes: 300 }, 5, "the rest of the tags"],
      ] as const) {
        pages = 0;
        await using wary = createImageRegistry({ limits });
        const error = await failureOf(wary.check(sourceAt(endless, "acme/app"), patient));
        expect(error).toMatchObject({ code: "FI_ANSWER_TOO_LARGE", details: { host: endless.host } });
        expect(error.message).toContain(says);
        expect(pages).toBe(expected);
      }
    } finally {
      await endless.close();
    }
  });

  test("of which one never ends are cut off", async () => {
    await using wary = createImageRegistry({ limits: { tagListBytes: 100_000 } });
    peer.endlessBody("GET", list);
    expect((await failureOf(wary.check(sourceAt(peer, "acme/app"), patient))).code).toBe("FI_ANSWER_TOO_LARGE");
  });
});

test("a registry that repeats our password in tags, links and times finds no word of it in what we say", async () => {
  const password = "CaNaRy-7f3a";
  const source = sourceAt(peer, "acme/app", { username: "alice", password });
  peer.answerNext("GET", list, ...page([password, `x/${password}`]));
  const { rejected } = await registry.check(source, patient);
  expect(rejected).toHaveLength(2);
  expect(JSON.stringify(rejected)).not.toMatch(new RegExp(password, "i"));

  await peer.push("acme/app:x", { created: `it is ${password}` });
  const causes: readonly (readonly [headers: Record<string, string>, body: string])[] = [
    [{ link: `<http://${password}.localhost/>; rel="next"` }, '{"tags":[]}'],
    [{ link: `<?p=${password}>; rel="next` }, '{"tags":[]}'],
    [{}, `"${password}"`],
    [{}, '{"tags":["x"]}'],
  ];
  for (const [headers, body] of causes) {
    peer.answerNext("GET", list, 200, headers, body);
    const error = await failureOf(registry.check({ ...source, tag_regex: ".", created_at_sort: true }, patient));
    expect(everyWordOf(error)).not.toMatch(new RegExp(password, "i"));
  }
});

describe("what is no list of tags", () => {
  test.each(['{"name":"acme/app","tags":null}', '{"name":"acme/app"}', '{"tags":[]}'])(
    "%s is an empty one",
    async (body) => {
      peer.answerAlways("GET", list, 200, {}, body);
      expect(await check()).toMatchObject({ versions: [], status: 200 });
    },
  );

  test.each<[what: string, status: number, headers: Record<string, string>, body: string, code: string]>([
    ["a web page", 200, { "content-type": "text/html" }, "<html>Please log in</html>", "FI_REGISTRY_PROTOCOL"],
    ["no JSON object", 200, {}, "[]", "FI_REGISTRY_PROTOCOL"],
    ["no list of texts", 200, {}, '{"tags":["1",2]}', "FI_REGISTRY_PROTOCOL"],
    ["no list of texts", 200, {}, '{"tags":{}}', "FI_REGISTRY_PROTOCOL"],
    ["404", 404, { "content-type": "text/html" }, "<html>not here</html>", "FI_IMAGE_UNKNOWN"],
    ["404", 404, {}, '{"errors":[{"code":"UNSUPPORTED"}]}', "FI_IMAGE_UNKNOWN"],
    ["403", 403, {}, '{"errors":[{"code":"DENIED"}]}', "FI_FORBIDDEN"],
  ])("%s fails the check (%i %j %s)", async (what, status, headers, body, code) => {
    peer.answerAlways("GET", list, status, headers, body);
    const error = await failureOf(check());
    expect(error).toMatchObject({ code, details: { host: peer.host, status } });
    expect(error.message).toContain(what);
    expect(error.message).toContain("the tags of");
    expect(FetchImageError.is(error)).toBe(true);
  });

  test("an unknown repository fails the check, as it does the resource's, and so does a page that is missing", async () => {
    const unknown = [404, {}, '{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}'] as const;
    peer.answerNext("GET", list, ...unknown);
    expect(await failureOf(check())).toMatchObject({
      code: "FI_IMAGE_UNKNOWN",
      message: expect.stringContaining("the tags of"),
      details: { host: peer.host, status: 404, registryCode: "NAME_UNKNOWN" },
    });
    peer.answerNext("GET", list, ...page(["1"], "<?p=2>; rel=next"));
    peer.answerNext("GET", list, ...unknown);
    expect((await failureOf(check())).code).toBe("FI_IMAGE_UNKNOWN");
  });
});
