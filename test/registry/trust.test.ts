import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeAuthority, makeServerCertificate } from "../support/certificates.ts";
import { failureOf, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let elsewhere: EmbeddedRegistry;
let wary: OciRegistry;
let trusting: OciRegistry;
const login = { username: "alice", password: "s3cret" };
const tagPath = "/v2/private/app/manifests/1";

beforeEach(async () => {
  const users = { alice: "s3cret" };
  peer = await startEmbeddedRegistry({ users, private: [{ prefix: "private/", scheme: "bearer" }] });
  elsewhere = await startEmbeddedRegistry({ users });
  await peer.push("private/app:1");
  await elsewhere.push("private/app:1");
  wary = createImageRegistry();
  trusting = createImageRegistry({ allowedRealms: [elsewhere.origin] });
});

afterEach(async () => {
  await wary.close();
  await trusting.close();
  await elsewhere.close();
  await peer.close();
});

const resolve = (registry: OciRegistry): ReturnType<OciRegistry["resolve"]> =>
  registry.resolve(sourceAt(peer, "private/app", login), "1", patient);

describe("a token server", () => {
  test("on another private address is not asked, nor told the password", async () => {
    peer.setRealm(`${elsewhere.origin}/token?steal=1`);
    const error = await failureOf(resolve(wary));
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNTRUSTED", retryable: false });
    expect(error.message).toBe(
      `${peer.host} names ${elsewhere.origin} as its token server, which is on a private address; it was not asked`,
    );
    expect(error.hint).toContain(`add "${elsewhere.origin}" to allowedRealms`);
    expect(elsewhere.requests).toHaveLength(0);
    expect(elsewhere.connections).toBe(0);
  });

  test("that the settings allow is asked, with the password", async () => {
    peer.setRealm(`${elsewhere.origin}/token`);
    elsewhere.answerAlways("GET", "/token", 200, {}, JSON.stringify({ token: "made-up" }));
    expect((await failureOf(resolve(trusting))).code).toBe("FI_UNAUTHORIZED");
    expect(elsewhere.requests).toMatchObject([{ path: "/token", authorization: true }]);
  });

  test.each([
    "https://169.254.169.254/latest/meta-data/iam",
    "http://localhost:1/token",
    "https://[::1]:1/token",
    "https://[::ffff:7f00:1]:1/token",
    "file:///etc/passwd",
    "ftp://example.com/token",
    "https://alice:s3cret@example.com/token",
  ])("at %s is not asked", async (realm) => {
    peer.setRealm(realm);
    const error = await failureOf(resolve(wary));
    expect(error.code).toBe("FI_REGISTRY_UNTRUSTED");
    expect(JSON.stringify(error)).not.toMatch(/s3cret|meta-data/);
  });

  test("on http is not asked for a registry on https", async () => {
    const authority = makeAuthority();
    await using secure = await startEmbeddedRegistry({
      tls: makeServerCertificate(authority, ["127.0.0.1"]),
      private: [{ prefix: "", scheme: "bearer" }],
    });
    secure.setRealm("http://auth.example.com/token");
    const source = sourceAt(secure, "private/app", { ...login, ca_certs: [authority.cert] });
    const error = await failureOf(wary.resolve(source, "1", patient));
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNTRUSTED", message: expect.stringContaining("not on https") });
  });

  test("that redirects is followed by the same rules, and the password stays", async () => {
    peer.redirect("GET", "/token", `${elsewhere.origin}/token`);
    expect((await failureOf(resolve(wary))).code).toBe("FI_REGISTRY_UNTRUSTED");
    expect(elsewhere.requests).toHaveLength(0);
    await failureOf(resolve(trusting));
    expect(elsewhere.requests).toMatchObject([{ path: "/token", authorization: false }]);
  });
});

describe("a redirect", () => {
  test("to another private address is not followed", async () => {
    peer.redirect("HEAD", tagPath, `${elsewhere.origin}${tagPath}?sig=abc`);
    const error = await failureOf(resolve(wary));
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNTRUSTED", details: { host: peer.host } });
    expect(error.message).toContain("as its redirect target");
    expect(error.message).not.toContain("sig");
    expect(elsewhere.connections).toBe(0);
  });

  test.each([301, 302, 303, 307, 308])("with %i to an allowed host is followed, without the token", async (status) => {
    const first = await resolve(trusting);
    peer.redirect("HEAD", tagPath, `${elsewhere.origin}${tagPath}`, status);
    const redirected = await resolve(trusting);
    expect(redirected).toEqual({ ...first, host: elsewhere.host });
    expect(peer.requests.at(-1)).toMatchObject({ authorization: true, status });
    expect(elsewhere.requests).toMatchObject([{ method: "HEAD", authorization: false }]);
  });

  test("within the registry keeps the token", async () => {
    await resolve(wary);
    peer.redirect("HEAD", "/v2/private/app/manifests/old", "1");
    expect(await wary.resolve(sourceAt(peer, "private/app", login), "old", patient)).toBeDefined();
    expect(peer.requests.at(-1)).toMatchObject({ path: tagPath, authorization: true, status: 200 });
  });

  test("from one origin to the next and back ends after five", async () => {
    peer.redirect("HEAD", tagPath, `${elsewhere.origin}${tagPath}`);
    elsewhere.redirect("HEAD", tagPath, `${peer.origin}${tagPath}`);
    const error = await failureOf(resolve(trusting));
    expect(error).toMatchObject({ code: "FI_REGISTRY_PROTOCOL", details: { host: peer.host, status: 307 } });
    expect(error.message).toContain("redirects more than 5 times");
    expect(peer.counts.manifestHead + elsewhere.counts.manifestHead).toBe(6);
  });

  test.each(["", "http://", "http://[::1", "gopher://example.com/"])("to %j leads nowhere", async (location) => {
    peer.answerAlways("HEAD", tagPath, 307, location === "" ? {} : { location });
    expect((await failureOf(resolve(wary))).code).toMatch(/^FI_REGISTRY_(?:PROTOCOL|UNTRUSTED)$/);
  });

  test("to a registry that wants a login is answered as nobody", async () => {
    await using strict = await startEmbeddedRegistry({
      private: [{ prefix: "", scheme: "bearer", anonymousPull: true }],
    });
    const { digest } = await strict.push("private/app:1");
    peer.redirect("HEAD", tagPath, `${strict.origin}${tagPath}`);
    await using registry = createImageRegistry({ allowedRealms: [strict.origin] });
    expect(await resolve(registry)).toMatchObject({ digest, host: strict.host });
    expect(strict.requests.map(({ path, status, authorization }) => [path, status, authorization])).toEqual([
      [tagPath, 401, false],
      ["/token", 200, false],
      [tagPath, 200, true],
    ]);
  });
});
