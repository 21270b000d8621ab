import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeAuthority, makeServerCertificate } from "../support/certificates.ts";
import { failureOf, hasty, patient, sourceAt } from "./support.ts";

const authority = makeAuthority();
let secure: EmbeddedRegistry;
let plain: EmbeddedRegistry;
let registry: OciRegistry;

beforeAll(async () => {
  secure = await startEmbeddedRegistry({ tls: makeServerCertificate(authority, ["127.0.0.1"]) });
  plain = await startEmbeddedRegistry();
  await secure.push("acme/app:1");
  await plain.push("acme/app:1");
});
afterAll(async () => {
  await secure.close();
  await plain.close();
});
beforeEach(() => {
  secure.clearRequests();
  plain.clearRequests();
  registry = createImageRegistry(hasty);
});
afterEach(() => registry.close());

describe("https", () => {
  test("is trusted by the CA that the source brings, and its connection is kept", async () => {
    const source = sourceAt(secure, "acme/app", { ca_certs: [authority.cert] });
    await registry.resolve(source, "1", patient);
    const before = secure.connections;
    for (let at = 0; at < 10; at++) expect(await registry.resolve(source, "1", patient)).toMatchObject({ via: "HEAD" });
    expect(secure.connections - before).toBeLessThanOrEqual(1);
  });

  test("is trusted for the sources that bring the CA, and for no other", async () => {
    await registry.resolve(sourceAt(secure, "acme/app", { ca_certs: [authority.cert] }), "1", patient);
    const error = await failureOf(registry.resolve(sourceAt(secure, "acme/app"), "1", patient));
    expect(error).toMatchObject({ code: "FI_REGISTRY_TLS", retryable: false, details: { host: secure.host } });
    expect(error.hint).toContain("ca_certs");
  });

  test.each([false, true])("with a certificate nobody vouches for is refused, insecure: %j", async (insecure) => {
    const other = makeAuthority("another CA");
    for (const source of [
      sourceAt(secure, "acme/app", { insecure }),
      sourceAt(secure, "acme/app", { insecure, ca_certs: [other.cert] }),
    ]) {
      const error = await failureOf(registry.resolve(source, "1", patient));
      expect(error.code).toBe("FI_REGISTRY_TLS");
    }
    expect(secure.requests).toHaveLength(0);
  });

  test("with a certificate for another name is refused", async () => {
    await using misnamed = await startEmbeddedRegistry({ tls: makeServerCertificate(authority, ["other.example"]) });
    const source = sourceAt(misnamed, "acme/app", { ca_certs: [authority.cert] });
    const error = await failureOf(registry.resolve(source, "1", patient));
    expect(error).toMatchObject({ code: "FI_REGISTRY_TLS", message: expect.stringContaining("for another name") });
  });

  test("takes several certificates in one text, and names the text that holds none", async () => {
    const both = `${makeAuthority("first").cert}\n${authority.cert}`;
    expect(await registry.resolve(sourceAt(secure, "acme/app", { ca_certs: [both] }), "1", patient)).toBeDefined();
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    const error = await failureOf(
      registry.resolve(sourceAt(secure, "acme/app", { ca_certs: [authority.cert, broken] }), "1", patient),
    );
    expect(error).toMatchObject({ code: "FI_SOURCE_INVALID", details: { field: "ca_certs[1]" } });
  });
});

describe("http", () => {
  test("is spoken to loopback without being asked for, after one try of https", async () => {
    await using fresh = createImageRegistry(hasty);
    const before = plain.connections;
    await fresh.resolve(sourceAt(plain, "acme/app"), "1", patient);
    expect(plain.connections - before).toBe(2);
    expect(plain.requests).toHaveLength(1);
  });

  test("is not spoken to loopback where https works", async () => {
    const source = sourceAt(secure, "acme/app", { insecure: true, ca_certs: [authority.cert] });
    expect(await registry.resolve(source, "1", patient)).toMatchObject({ via: "HEAD" });
  });

  test("is spoken to another host only when the source is insecure", async () => {
    // A name that leads to this machine and is no loopback name to us: only the proxy knows where it is.
    await using proxied = createImageRegistry({
      ...hasty,
      proxy: { httpProxy: plain.origin, httpsProxy: plain.origin },
    });
    plain.answerAlways("*", /^http/, 418);
    const repository = "registry.test:8080/acme/app";
    const strict = await failureOf(proxied.resolve({ repository }, "1", patient));
    expect(strict.code).toBe("FI_REGISTRY_UNREACHABLE");
    expect(plain.requests.every(({ method }) => method === "CONNECT")).toBe(true);
  });
});
