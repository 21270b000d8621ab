import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FetchImageErrorCode, Logger, RegistryImageSource } from "@fetch-image/core";
import { createImageRegistry, type OciRegistry, type RegistryOptions } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type AzureFault, type AzurePlace, type AzureStandIn, startAzure } from "../support/azure.ts";
import { everyWordOf, failureOf, patient } from "./support.ts";

const user = "00000000-0000-0000-0000-000000000000";
const entra = "entra-CaNaRy-7f3a";
const refresh = "refresh-CaNaRy-7f3a";
const federated = "federated-CaNaRy-7f3a";

let peer: EmbeddedRegistry;
let digest: string;
let azure: AzureStandIn;
let logged: string[];
let now: number;
let home: string;
let clients = 0;

beforeAll(async () => {
  peer = await startEmbeddedRegistry({ users: { [user]: refresh }, private: [{ prefix: "", scheme: "bearer" }] });
  ({ digest } = await peer.push("team/app:1"));
  home = mkdtempSync(join(tmpdir(), "fetch-image-azure-"));
  writeFileSync(join(home, "token"), federated);
});
afterAll(async () => {
  await peer.close();
  rmSync(home, { recursive: true });
});
beforeEach(async () => {
  azure = await startAzure(peer.origin);
  azure.tokens = { entra, refresh };
  azure.federated = federated;
  peer.setRealm(`${azure.origin}/token`);
  logged = [];
  now = Date.now();
  for (const name of Object.keys(process.env)) {
    if (/^(?:AZURE|MSI|IDENTITY)_/.test(name)) vi.stubEnv(name, undefined);
  }
});
afterEach(async () => {
  vi.unstubAllEnvs();
  peer.clearFaults();
  await azure.close();
});

/** The library keeps tokens by client id as long as the process lives: each test has its own. */
function source(fields: Partial<RegistryImageSource> = {}): RegistryImageSource {
  clients += 1;
  return {
    repository: `${azure.host}/team/app`,
    tag: "1",
    azure_acr: true,
    azure_client_id: `client-CaNaRy-${clients}`,
    ...fields,
  };
}

function open(options: RegistryOptions = {}): OciRegistry {
  const log = (message: string, fields?: object): void => void logged.push(message + JSON.stringify(fields ?? {}));
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const hosts = ["169.254.169.254", "login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn"];
  const endpoints = { ...Object.fromEntries(hosts.map((host) => [host, azure.origin])), ...options.endpoints };
  return createImageRegistry({ logger, clock: { now: () => now }, ambientIdentity: ["azure"], ...options, endpoints });
}

const places = (): readonly AzurePlace[] => azure.requests.map(({ place }) => place);
const asked = (place: AzurePlace) => azure.requests.findLast((request) => request.place === place);

describe("the machine's managed identity", () => {
  test("is exchanged at the registry for a token of its own", async () => {
    await using registry = open();
    const acr = source();
    expect(registry.unanswerable?.(acr)).toBeUndefined();
    expect(await registry.check(acr, patient)).toMatchObject({ versions: [{ tag: "1", digest }], host: azure.host });
    expect(asked("identity")?.fields).toMatchObject({
      resource: expect.stringMatching(/^https:\/\/management\.azure\.com\/?$/),
      client_id: acr.azure_client_id,
    });
    expect(asked("exchange")?.fields).toEqual({
      grant_type: "access_token",
      service: azure.host,
      tenant: "home-tenant",
    });
  });

  test("gives kubelets the registry's own token, never the identity's", async () => {
    await using registry = open();
    const username = "00000000-0000-0000-0000-000000000000";
    expect(await registry.pullCredentials(source(), patient)).toEqual([
      { registry: azure.host, username, password: azure.tokens.refresh },
    ]);
  });

  test("is the system's own without a client id", async () => {
    await using registry = open();
    const { azure_client_id: _, ...acr } = source();
    expect((await registry.check(acr, patient)).versions).toEqual([{ tag: "1", digest }]);
    expect(asked("identity")?.fields).not.toHaveProperty("client_id");
  });

  test("is nobody's unless the setting allows it, and then the source names the field", async () => {
    await using registry = open({ ambientIdentity: ["aws"] });
    const cannot = { field: "azure_acr", reason: expect.stringContaining("ambient-identity") };
    expect(registry.unanswerable?.(source())).toEqual(cannot);
    expect(await failureOf(registry.check(source(), patient))).toMatchObject({
      code: "FI_SOURCE_UNSUPPORTED",
      details: { field: "azure_acr" },
    });
    expect(azure.requests).toEqual([]);
  });

  test("is exchanged in the tenant that the source names, which saves a question", async () => {
    await using registry = open();
    await registry.check(source({ azure_tenant_id: "named-tenant" }), patient);
    expect(asked("exchange")?.fields["tenant"]).toBe("named-tenant");
    expect(places()).not.toContain("challenge");
  });

  test("is exchanged in the common tenant where the registry names none", async () => {
    azure.tenant = undefined;
    await using registry = open();
    await registry.check(source(), patient);
    expect(asked("exchange")?.fields["tenant"]).toBe("common");
  });

  test.each([
    ["AzureGovernment", "management.usgovcloudapi.net"],
    ["AzureChina", "management.chinacloudapi.cn"],
    ["AzurePublic", "management.azure.com"],
    ["SomeOtherCloud", "management.azure.com"],
  ])("is asked for a token of %s' own", async (azure_environment, resource) => {
    await using registry = open();
    await registry.check(source({ azure_environment }), patient);
    expect(asked("identity")?.fields["resource"]).toContain(resource);
  });

  test("reads the cloud off the registry's domain", async () => {
    await using registry = open({ endpoints: { "acme.azurecr.us": azure.origin } });
    const failure = failureOf(registry.check(source({ repository: "acme.azurecr.us/team/app" }), patient));
    // The stand-in is not of that name, so it exchanges nothing.
    expect((await failure).code).toBe("FI_UNAUTHORIZED");
    expect(asked("identity")?.fields["resource"]).toContain("management.usgovcloudapi.net");
    expect(asked("exchange")?.fields["service"]).toBe("acme.azurecr.us");
  });

  test("comes before a username of the source, as in the resource", async () => {
    await using registry = open();
    const acr = source({ username: "somebody", password: "else" });
    expect((await registry.check(acr, patient)).versions).toEqual([{ tag: "1", digest }]);
  });
});

describe("a pod's workload identity", () => {
  beforeEach(() => {
    vi.stubEnv("AZURE_TENANT_ID", "11111111-1111-1111-1111-111111111111");
    vi.stubEnv("AZURE_FEDERATED_TOKEN_FILE", join(home, "token"));
  });

  test.each(["workload_identity", "  Workload_Identity "])("is proved by its file, as %j", async (azure_auth_type) => {
    await using registry = open();
    const acr = source({ azure_auth_type });
    expect((await registry.check(acr, patient)).versions).toEqual([{ tag: "1", digest }]);
    expect(asked("entra")).toMatchObject({
      host: "login.microsoftonline.com",
      fields: {
        client_id: acr.azure_client_id,
        scope: "https://management.azure.com/.default",
        grant_type: "client_credentials",
      },
    });
    expect(places()).not.toContain("identity");
  });

  test("is proved to the cloud that the source names", async () => {
    await using registry = open();
    await registry.check(
      source({ azure_auth_type: "workload_identity", azure_environment: "AzureGovernment" }),
      patient,
    );
    expect(asked("entra")?.host).toBe("login.microsoftonline.us");
  });

  test("takes its client from the pod where the source names none", async () => {
    vi.stubEnv("AZURE_CLIENT_ID", "client-of-the-pod");
    await using registry = open();
    const { azure_client_id: _, ...acr } = source({ azure_auth_type: "workload_identity" });
    await registry.check(acr, patient);
    expect(asked("entra")?.fields["client_id"]).toBe("client-of-the-pod");
    expect(registry.identity?.(acr)).toEqual({
      azure: { client: "client-of-the-pod", tenant: "11111111-1111-1111-1111-111111111111" },
    });
  });

  test("that the pod does not have is told, with the fix", async () => {
    vi.stubEnv("AZURE_FEDERATED_TOKEN_FILE", undefined);
    await using registry = open();
    expect(await failureOf(registry.check(source({ azure_auth_type: "workload_identity" }), patient))).toMatchObject({
      code: "FI_UNAUTHORIZED",
      message: expect.stringContaining("the workload identity of this pod"),
      hint: expect.stringContaining("AZURE_FEDERATED_TOKEN_FILE"),
      details: { cloud: "Azure" },
    });
  });

  test("that Entra refuses is told in Entra's words", async () => {
    azure.federated = "somebody-else";
    await using registry = open();
    const failure = await failureOf(registry.check(source({ azure_auth_type: "workload_identity" }), patient));
    expect(failure).toMatchObject({
      code: "FI_UNAUTHORIZED",
      details: { cloud: "Azure", host: "login.microsoftonline.com" },
    });
    expect(failure.message).toContain("AADSTS700016");
    expect(everyWordOf(failure)).not.toMatch(/CaNaRy/);
  });
});

describe("one login serves all who ask with it", () => {
  test("at the same time and later, until shortly before its end", async () => {
    const ends = Math.floor(now / 1000) + 3 * 3600;
    const jwt = `header.${Buffer.from(JSON.stringify({ exp: ends })).toString("base64url")}.signature`;
    await using takesAll = await startEmbeddedRegistry();
    await takesAll.push("team/app:1");
    const front = await startAzure(takesAll.origin);
    front.tokens = { entra, refresh: jwt };
    await using registry = open({ endpoints: { "169.254.169.254": front.origin } });
    const acr = source({ repository: `${front.host}/team/app` });
    const exchanges = (): number => front.requests.filter(({ place }) => place === "exchange").length;
    await Promise.all(Array.from({ length: 20 }, () => registry.check(acr, patient)));
    now = ends * 1000 - 5 * 60_000 - 1;
    await registry.check(acr, patient);
    expect(exchanges()).toBe(1);
    now += 2;
    await registry.check(acr, patient);
    expect(exchanges()).toBe(2);
    await front.close();
  });

  test("and is fetched anew when the registry refuses it", async () => {
    azure.tokens = { entra, refresh: "refused-one" };
    await using registry = open();
    const acr = source();
    expect((await failureOf(registry.check(acr, patient))).code).toBe("FI_UNAUTHORIZED");
    azure.tokens = { entra, refresh };
    now += 61_000;
    expect((await registry.check(acr, patient)).versions).toEqual([{ tag: "1", digest }]);
  });

  test("but never another identity's", async () => {
    await using registry = open();
    await registry.check(source(), patient);
    await registry.check(source(), patient);
    expect(azure.requests.filter(({ place }) => place === "exchange")).toHaveLength(2);
  });
});

const answer = (status: number, body: string): AzureFault => ({ is: "answer", status, body });
const faults: readonly (readonly [string, AzurePlace, AzureFault, FetchImageErrorCode, retryable: boolean])[] = [
  [
    "has no such identity",
    "identity",
    answer(400, '{"error":"invalid_request","error_description":"Identity not found"}'),
    "FI_UNAUTHORIZED",
    false,
  ],
  ["is not this machine's", "identity", answer(403, "{}"), "FI_FORBIDDEN", false],
  ["is asked too often", "identity", answer(429, "{}"), "FI_RATE_LIMITED", true],
  ["fails", "identity", answer(500, `oops ${federated}`), "FI_REGISTRY_UNAVAILABLE", true],
  ["does not answer", "identity", { is: "hang" }, "FI_REGISTRY_TIMEOUT", true],
  ["answers no token", "identity", answer(200, `{"access_token": ${entra}}`), "FI_REGISTRY_PROTOCOL", false],
  [
    "refuses the token",
    "exchange",
    answer(401, `{"errors":[{"code":"UNAUTHORIZED","message":"not ${entra}"}]}`),
    "FI_UNAUTHORIZED",
    false,
  ],
  ["refuses the tenant", "exchange", answer(400, "{}"), "FI_UNAUTHORIZED", false],
  ["is forbidden", "exchange", answer(403, "{}"), "FI_FORBIDDEN", false],
  ["is no such registry", "exchange", answer(404, "not here"), "FI_REGISTRY_PROTOCOL", false],
  ["is asked too often", "exchange", answer(429, "{}"), "FI_RATE_LIMITED", true],
  ["fails", "exchange", answer(503, entra), "FI_REGISTRY_UNAVAILABLE", true],
  ["does not answer", "exchange", { is: "hang" }, "FI_REGISTRY_TIMEOUT", true],
  ["answers no JSON", "exchange", answer(200, `<p>${refresh}`), "FI_REGISTRY_PROTOCOL", false],
  ["answers no token", "exchange", answer(200, '{"refresh_token":7}'), "FI_REGISTRY_PROTOCOL", false],
  ["answers an empty token", "exchange", answer(200, '{"refresh_token":""}'), "FI_REGISTRY_PROTOCOL", false],
  ["answers without end", "exchange", answer(200, "x".repeat(200_000)), "FI_ANSWER_TOO_LARGE", false],
  ["does not answer", "challenge", { is: "hang" }, "FI_REGISTRY_TIMEOUT", true],
];

test.each(faults)("who %s (%s) is named, and no secret", async (_, place, fault, code, retryable) => {
  azure.fail(place, fault);
  await using registry = open(fault.is === "hang" ? { timeouts: { headersMs: 300 } } : {});
  const failure = await failureOf(registry.check(source(), patient));
  expect(failure).toMatchObject({ code, retryable });
  expect(failure.hint).not.toBe("");
  expect(failure.message).toMatch(place === "identity" ? /169\.254\.169\.254/ : new RegExp(azure.host));
  expect([everyWordOf(failure), ...logged].join("\n")).not.toMatch(/CaNaRy/);
});

test("the exchange is asked over http only where that is allowed", async () => {
  await using registry = open({ endpoints: {} });
  // Loopback may be asked by http, once it shows that it speaks no TLS.
  expect((await registry.check(source({ insecure: true }), patient)).versions).toEqual([{ tag: "1", digest }]);
});

test("a source that asks for two clouds at once is left to the resource", async () => {
  await using registry = open({ ambientIdentity: ["aws", "azure"] });
  expect(registry.unanswerable?.(source({ aws_region: "eu-west-1" }))).toMatchObject({ field: "azure_acr" });
});

test("what is said of the login names no identity", async () => {
  await using registry = open();
  expect(registry.login(source())).toEqual({ from: "azure", says: "this machine's managed Azure identity" });
  expect(registry.login(source({ azure_auth_type: "workload_identity" }))).toEqual({
    from: "azure",
    says: "this pod's Azure workload identity",
  });
});
