// The page, who may have it, and what a browser may do with it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../support/event-stream-client.ts";
import { followEvents, serveInspector } from "../support/inspector-server.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

const html = "<!doctype html><title>Inspector</title>";
const script = `console.log(${JSON.stringify("x".repeat(2000))});`;
const token = "a-token-of-some-length";
let folder: Scratch;

beforeAll(() => {
  folder = scratch("inspector-page");
  writeFileSync(join(folder.directory, "secret.txt"), "not a part of the page");
  const page = join(folder.directory, "page");
  mkdirSync(join(page, "inspector"), { recursive: true });
  writeFileSync(join(page, "index.html"), html);
  writeFileSync(join(page, "inspector", "index-Ab3dE.js"), script);
  writeFileSync(join(page, "inspector", "notes.txt"), "of no type that a page has");
});
afterAll(() => folder[Symbol.dispose]());

const page = () => ({ pageDirectory: join(folder.directory, "page") });

describe("the page", () => {
  test("may load and ask nothing but its own server, inline nothing, and stand in no frame", async () => {
    await using server = await serveInspector(page());
    const answer = await ask(`${server.origin}/?build=1&fetch=2&at=3`);
    expect([answer.status, answer.text]).toEqual([200, html]);
    expect(answer.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-cache",
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    const { etag = "" } = answer.headers;
    expect((await ask(`${server.origin}/`, { headers: { "if-none-match": etag } })).status).toBe(304);
    expect((await ask(`${server.origin}/`, { method: "HEAD" })).text).toBe("");
    expect((await ask(`${server.origin}/`, { method: "POST" })).status).toBe(405);
  });

  test("has files that are kept for ever, compressed as the browser takes them", async () => {
    await using server = await serveInspector(page());
    const url = `${server.origin}/inspector/index-Ab3dE.js`;
    const of = (encoding: string) =>
      new Promise<{ encoding: string | undefined; bytes: Buffer; caching: string | undefined }>((resolve, reject) => {
        get(url, { headers: { "accept-encoding": encoding } }, (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          const { headers } = response;
          const end = () => ({
            encoding: headers["content-encoding"],
            caching: headers["cache-control"],
            bytes: Buffer.concat(parts),
          });
          response.on("end", () => resolve(end())).on("error", reject);
        }).on("error", reject);
      });
    const [brotli, gzip, none] = await Promise.all(["gzip, br", "gzip, br;q=0", ""].map(of));
    expect([brotli, gzip, none].map((one) => one?.encoding)).toEqual(["br", "gzip", undefined]);
    expect(brotliDecompressSync(brotli?.bytes ?? "").toString()).toBe(script);
    expect(gunzipSync(gzip?.bytes ?? "").toString()).toBe(script);
    expect(none?.bytes.toString()).toBe(script);
    expect(brotli?.caching).toBe("public, max-age=31536000, immutable");
  });

  test.each([
    "/inspector/../../secret.txt",
    "/inspector/..%2f..%2fsecret.txt",
    "/inspector/%2e%2e/%2e%2e/secret.txt",
    "/inspector/..\\..\\secret.txt",
    "/inspector//etc/passwd",
    "/inspector/notes.txt",
    "/inspector/index.html",
    "/inspector/__proto__",
    "/inspector/",
  ])("has no file %s", async (path) => {
    await using server = await serveInspector(page());
    const { port } = new URL(server.origin);
    const answer = await ask(`http://127.0.0.1:${port}`, { path });
    expect([answer.status, answer.text]).toEqual([404, '{"message":"the inspector has no such file"}\n']);
  });

  test("that is not built says so, and a new one is served as soon as it is", async () => {
    const pageDirectory = folder.path("later");
    await using server = await serveInspector({ pageDirectory });
    const missing = await ask(`${server.origin}/`);
    expect([missing.status, missing.text]).toEqual([
      404,
      '{"message":"the inspector\'s page is not built: run `pnpm build`"}\n',
    ]);
    mkdirSync(pageDirectory);
    writeFileSync(join(pageDirectory, "index.html"), "one");
    expect((await ask(`${server.origin}/`)).text).toBe("one");
    writeFileSync(join(pageDirectory, "index.html"), "another");
    expect((await ask(`${server.origin}/`)).text).toBe("another");
  });

  test("stands below a path of a server that has more", async () => {
    await using server = await serveInspector({ ...page(), basePath: "/fetch-image", readApi: false });
    const bare = await ask(`${server.origin}/fetch-image?build=1`);
    expect([bare.status, bare.headers.location]).toEqual([308, "/fetch-image/?build=1"]);
    expect((await ask(`${server.origin}/fetch-image/`)).text).toBe(html);
    expect((await ask(`${server.origin}/fetch-image/inspector/index-Ab3dE.js`)).text).toBe(script);
    expect((await ask(`${server.origin}/fetch-image/api/v1/fetch-image/fetches`)).status).toBe(200);
    expect((await ask(`${server.origin}/fetch-image/api/v1/fetch-image/drift`)).status).toBe(200);
    const others = ["/", "/fetch-images/", "/api/v1/builds", "/api/v1/fetch-image/fetches", "/fetch-image/api/v1/info"];
    const answers = await Promise.all(others.map((path) => ask(`${server.origin}${path}`)));
    expect(answers.map(({ status }) => status)).toEqual(others.map(() => 418));
  });
});

describe("who may ask", () => {
  const api = "/api/v1/fetch-image/fetches";

  test.each<[what: string, headers: { readonly [name: string]: string }]>([
    ["a name that leads here", { host: "evil.example" }],
    ["a name that begins like one of ours", { host: "localhost.evil.example" }],
    ["a page of another origin", { origin: "http://evil.example" }],
    ["a page without an origin", { origin: "null" }],
    ["a page on another port of this machine", { origin: "http://127.0.0.1:1" }],
  ])("without a token: not %s, neither for facts nor for the page", async (_what, headers) => {
    await using server = await serveInspector(page());
    for (const path of ["/", "/inspector/index-Ab3dE.js", api, `${api}/live`, "/api/v1/builds"]) {
      const answer = await ask(`${server.origin}${path}`, { headers });
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.text).not.toContain("fetches");
    }
  });

  test("with a token: who has it, and the browser whose session began with it", async () => {
    await using server = await serveInspector({ ...page(), token });
    const url = `${server.origin}${api}`;
    const session = `${server.origin}/inspector/session`;
    const authorization = `Bearer ${token}`;
    // The page has no secret in it, and asks for the token.
    expect((await ask(`${server.origin}/`)).status).toBe(200);
    expect((await ask(url)).status).toBe(401);
    expect((await ask(session, { method: "POST" })).status).toBe(401);
    expect((await ask(session, { method: "POST", headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    const crossSite = { authorization, origin: "http://evil.example" };
    expect((await ask(session, { method: "POST", headers: crossSite })).status).toBe(403);

    const begun = await ask(session, { method: "POST", headers: { authorization, origin: server.origin } });
    expect(begun.status).toBe(204);
    const [given = ""] = begun.headers["set-cookie"] ?? [];
    expect(given).toMatch(/^fetch-image-inspector=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(given).not.toContain(token);
    const cookie = `other=1; ${given.split(";")[0]}`;
    expect((await ask(url, { headers: { cookie } })).status).toBe(200);
    const events = await followEvents(`${url}/live`, { cookie });
    await events.until("caught-up", 1);
    events.follower.close();
    const forged = [cookie.slice(0, -1), `${cookie}x`, "fetch-image-inspector=", `fetch-image-inspector=${token}`];
    for (const one of forged) expect((await ask(url, { headers: { cookie: one } })).status).toBe(401);

    const ended = await ask(session, { method: "DELETE", headers: { cookie } });
    expect(ended.headers["set-cookie"]?.[0]).toMatch(/^fetch-image-inspector=; Max-Age=0; /);
    expect((await ask(session, { method: "GET", headers: { cookie } })).status).toBe(405);
  });

  test("over TLS the session is sent over TLS alone, and below a path to that path alone", async () => {
    await using server = await serveInspector({ token, basePath: "/fetch-image" });
    const headers = { authorization: `Bearer ${token}`, host: "ci.example.com", origin: "https://ci.example.com" };
    const begun = await ask(`${server.origin}/fetch-image/inspector/session`, { method: "POST", headers });
    expect(begun.headers["set-cookie"]?.[0]).toMatch(/; Path=\/fetch-image\/; HttpOnly; SameSite=Strict; Secure$/);
  });

  test("nobody may write", async () => {
    await using server = await serveInspector();
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      for (const path of [api, `${api}/live`, "/api/v1/fetch-image/builds/1/facts", "/api/v1/builds"]) {
        expect([method, path, (await ask(`${server.origin}${path}`, { method })).status]).toEqual([method, path, 405]);
      }
    }
  });
});
