import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FetchImageErrorCode, Logger, RegistryImageSource } from "@fetch-image/core";
import { parseRegistryImageSource } from "@fetch-image/core";
import { createImageRegistry, getImage, imageGet, type OciRegistry, type RegistryOptions } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type AwsFault, type AwsStandIn, startAws } from "../support/aws.ts";
import { listenOnLoopback } from "../support/listen.ts";
import { scratch } from "../support/scratch.ts";
import { memoryArtifacts } from "./memory-artifacts.ts";
import { everyWordOf, failureOf, patient } from "./support.ts";

const region = "eu-west-1";
const account = "123456789012";
const ecrHost = `${account}.dkr.ecr.${region}.amazonaws.com`;
const key = { id: "AKIACANARY7F3A", secret: "s3cret-CaNaRy-key" };
const session = { id: "ASIACANARYONE", secret: "s3cret-CaNaRy-one", token: "t0ken-CaNaRy-one" };
const second = { id: "ASIACANARYTWO", secret: "s3cret-CaNaRy-two", token: "t0ken-CaNaRy-two" };
const password = "ecr-pass-CaNaRy-7f3a";
const roleOne = "arn:aws:iam::111111111111:role/canary-one";
const roleTwo = "arn:aws:iam::222222222222:role/canary-two";
const keyed = {
  repository: "team/app",
  tag: "1",
  aws_region: region,
  aws_access_key_id: key.id,
  aws_secret_access_key: key.secret,
};
const machine = { repository: "team/app", tag: "1", aws_region: region };

let peer: EmbeddedRegistry;
let digest: string;
let aws: AwsStandIn;
let logged: string[];
let now: number;
let home: string;

beforeAll(async () => {
  peer = await startEmbeddedRegistry({ users: { AWS: password }, private: [{ prefix: "", scheme: "basic" }] });
  ({ digest } = await peer.push("team/app:1"));
  home = mkdtempSync(join(tmpdir(), "fetch-image-aws-"));
});
afterAll(async () => {
  await peer.close();
  rmSync(home, { recursive: true });
});
beforeEach(async () => {
  aws = await startAws();
  aws.addKey(key);
  aws.ecr.password = password;
  logged = [];
  now = Date.now();
  peer.clearRequests();
  // Whatever identity the machine that runs this has is none of this test's.
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  vi.stubEnv("HOME", home);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  peer.clearFaults();
  await aws.close();
});

function open(options: RegistryOptions = {}, regions: readonly string[] = [region]): OciRegistry {
  const log = (message: string, fields?: object): void => void logged.push(message + JSON.stringify(fields ?? {}));
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const endpoints = { ...aws.endpoints(regions), [ecrHost]: peer.origin, ...options.endpoints };
  return createImageRegistry({ logger, clock: { now: () => now }, ...options, endpoints });
}

describe("a key of the source", () => {
  test("logs in at ECR, whose host comes before the repository as it is written", async () => {
    await using registry = open();
    expect(registry.unanswerable?.(keyed)).toBeUndefined();
    const found = await registry.check(keyed, patient);
    expect(found).toMatchObject({
      versions: [{ tag: "1", digest }],
      repository: `${ecrHost}/team/app`,
      host: peer.host,
    });
    expect(await registry.repositoryOf(keyed, patient)).toBe(`${ecrHost}/team/app`);
    expect(aws.requests).toEqual([
      { action: "GetAuthorizationToken", host: `api.ecr.${region}.amazonaws.com`, region, key: key.id },
    ]);
    expect(peer.requests.some(({ path }) => path === "/v2/team/app/manifests/1")).toBe(true);
  });

  test("gives kubelets the token that it got, for ECR's host, and asks no more than once for both", async () => {
    await using registry = open();
    await registry.check(keyed, patient);
    const credentials = await registry.pullCredentials(keyed, patient);
    expect(credentials).toEqual([{ registry: ecrHost, username: "AWS", password }]);
    expect(aws.requests).toHaveLength(1);
  });

  test("goes with its session token", async () => {
    aws.addKey({ ...key, token: "session-token-CaNaRy" });
    await using registry = open();
    expect(await registry.resolve({ ...keyed, aws_session_token: "session-token-CaNaRy" }, "1", patient)).toMatchObject(
      { digest, repository: `${ecrHost}/team/app` },
    );
    await using other = open();
    expect((await failureOf(other.resolve(keyed, "1", patient))).code).toBe("FI_UNAUTHORIZED");
  });

  test("takes a role, and each role of a chain with what the one before it gave", async () => {
    aws.addRole(roleOne, key.id, session);
    aws.addRole(roleTwo, session.id, second);
    await using registry = open();
    await registry.check({ ...keyed, aws_role_arn: roleOne }, patient);
    expect(aws.requests.map(({ action, key: by, role }) => [action, by, role])).toEqual([
      ["AssumeRole", key.id, roleOne],
      ["GetAuthorizationToken", session.id, undefined],
    ]);
    aws.requests.length = 0;
    await registry.check({ ...keyed, aws_role_arns: [roleOne, roleTwo] }, patient);
    expect(aws.requests.map(({ action, key: by, role }) => [action, by, role])).toEqual([
      ["AssumeRole", key.id, roleOne],
      ["AssumeRole", session.id, roleTwo],
      ["GetAuthorizationToken", second.id, undefined],
    ]);
  });

  test("reads another account's registry where the source names one, whatever AWS says", async () => {
    const other = `999999999999.dkr.ecr.${region}.amazonaws.com`;
    await using registry = open({ endpoints: { [other]: peer.origin } });
    const source = { ...keyed, aws_account_id: "999999999999" };
    expect(await registry.check(source, patient)).toMatchObject({
      repository: `${other}/team/app`,
      versions: [{ digest }],
    });
    aws.requests.length = 0;
    expect(await registry.repositoryOf(source, patient)).toBe(`${other}/team/app`);
    expect(aws.requests).toEqual([]);
  });

  test("is not told the account's older name, which the resource ignores", async () => {
    await using registry = open();
    const found = await registry.check({ ...keyed, aws_ecr_registry_id: "999999999999" }, patient);
    expect(found.repository).toBe(`${ecrHost}/team/app`);
  });

  test.each([
    ["cn-north-1", `${account}.dkr.ecr.cn-north-1.amazonaws.com.cn`],
    ["us-gov-west-1", `${account}.dkr.ecr.us-gov-west-1.amazonaws.com`],
  ])("is taken to the partition of %s, at %s", async (elsewhere, host) => {
    await using registry = open({ endpoints: { [host]: peer.origin } }, [elsewhere]);
    expect(await registry.check({ ...keyed, aws_region: elsewhere }, patient)).toMatchObject({
      repository: `${host}/team/app`,
      versions: [{ digest }],
    });
  });

  test("counts before a username and a mirror, as in the resource", async () => {
    await using registry = open();
    const source = {
      ...keyed,
      username: "somebody",
      password: "else",
      registry_mirror: { host: "mirror.example.com" },
    };
    expect((await registry.check(source, patient)).versions).toEqual([{ tag: "1", digest }]);
  });

  test("fetches artifacts too", async () => {
    await using registry = open();
    expect(await registry.exists(keyed, digest as `sha256:${string}`, patient)).toBe(true);
  });

  test.each([{}, { skip_download: true }, { format: "oci" }])(
    "gets name the host that the login told, with %j",
    async (params) => {
      await using registry = open();
      using place = scratch("ecr-get");
      mkdirSync(place.path("dest"));
      const get = imageGet(keyed, { tag: "1", digest }, params);
      const { metadata } = await getImage(get, place.path("dest"), { registry, store: memoryArtifacts(), ...patient });
      expect(metadata[0]).toEqual({ name: "repository", value: `${ecrHost}/team/app` });
      expect(readFileSync(place.path("dest/repository"), "utf8")).toBe(`${ecrHost}/team/app`);
    },
  );
});

describe("one login serves all who ask with it", () => {
  test("at the same time and later, until shortly before its end", async () => {
    aws.ecr.expiresAt = now + 12 * 3_600_000;
    await using registry = open();
    await Promise.all(Array.from({ length: 20 }, () => registry.check(keyed, patient)));
    await registry.check({ ...keyed, repository: "team/app", tag: "1" }, patient);
    expect(aws.requests).toHaveLength(1);
    now += 12 * 3_600_000 - 5 * 60_000 - 1;
    await registry.check(keyed, patient);
    expect(aws.requests).toHaveLength(1);
    now += 2;
    await registry.check(keyed, patient);
    expect(aws.requests).toHaveLength(2);
  });

  test("but never those of another key, role or region", async () => {
    aws.addKey({ id: "AKIAOTHER", secret: "another-secret" });
    aws.addRole(roleOne, key.id, session);
    await using registry = open({ endpoints: { [`${account}.dkr.ecr.us-east-1.amazonaws.com`]: peer.origin } }, [
      region,
      "us-east-1",
    ]);
    await registry.check(keyed, patient);
    await registry.check(
      { ...keyed, aws_access_key_id: "AKIAOTHER", aws_secret_access_key: "another-secret" },
      patient,
    );
    await registry.check({ ...keyed, aws_role_arn: roleOne }, patient);
    await registry.check({ ...keyed, aws_region: "us-east-1" }, patient);
    expect(aws.requests.filter(({ action }) => action === "GetAuthorizationToken")).toHaveLength(4);
    expect((await failureOf(registry.check({ ...keyed, aws_secret_access_key: "wrong" }, patient))).code).toBe(
      "FI_UNAUTHORIZED",
    );
  });

  test.each([401, 403])("and is fetched anew, once, when the registry answers it with %i", async (status) => {
    await using takesAll = await startEmbeddedRegistry();
    await takesAll.push("team/app:1");
    await using registry = open({ endpoints: { [ecrHost]: takesAll.origin } });
    await registry.check(keyed, patient);
    now += 3_600_000;
    aws.ecr.password = "the-next-password";
    takesAll.answerNext("HEAD", "/v2/team/app/manifests/1", status);
    expect((await registry.check(keyed, patient)).versions).toHaveLength(1);
    expect(aws.requests).toHaveLength(2);
    takesAll.answerAlways("HEAD", "/v2/team/app/manifests/1", status);
    now += 3_600_000;
    aws.ecr.password = "another-password";
    const code = status === 401 ? "FI_UNAUTHORIZED" : "FI_FORBIDDEN";
    expect((await failureOf(registry.check(keyed, patient))).code).toBe(code);
    expect(aws.requests).toHaveLength(3);
  });

  test("a new one replaces one that the registry no longer takes", async () => {
    aws.ecr.password = "old-password";
    await using registry = open();
    expect((await failureOf(registry.check(keyed, patient))).code).toBe("FI_UNAUTHORIZED");
    aws.ecr.password = password;
    now += 61_000;
    expect((await registry.check(keyed, patient)).versions).toEqual([{ tag: "1", digest }]);
  });

  test("one that was just got is not fetched again for being refused", async () => {
    aws.ecr.password = "wrong-password";
    await using registry = open();
    for (let times = 0; times < 3; times++) {
      expect((await failureOf(registry.check(keyed, patient))).code).toBe("FI_UNAUTHORIZED");
    }
    expect(aws.requests).toHaveLength(1);
  });

  test("who gives up waiting takes it from nobody else", async () => {
    await using registry = open();
    const impatient = new AbortController();
    const [gaveUp, others] = [registry.check(keyed, { signal: impatient.signal }), registry.check(keyed, patient)];
    impatient.abort();
    expect((await failureOf(gaveUp)).code).toBe("FI_ABORTED");
    expect((await others).versions).toEqual([{ tag: "1", digest }]);
    expect(aws.requests).toHaveLength(1);
  });
});

describe("the machine's own identity", () => {
  test("is nobody's unless the setting allows it, and then the source names the field", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", key.id);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", key.secret);
    for (const source of [machine, { ...machine, aws_access_key_id: key.id }, { ...machine, aws_role_arn: roleOne }]) {
      await using registry = open({ ambientIdentity: ["azure"] });
      expect(registry.unanswerable?.(source)).toEqual({
        field: "aws_region",
        reason: expect.stringContaining("ambient-identity"),
      });
      expect(await failureOf(registry.check(source, patient))).toMatchObject({
        code: "FI_SOURCE_UNSUPPORTED",
        details: { field: "aws_region" },
      });
    }
    expect(aws.requests).toEqual([]);
  });

  test("from the environment", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", key.id);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", key.secret);
    await using registry = open({ ambientIdentity: ["aws"] });
    expect(registry.unanswerable?.(machine)).toBeUndefined();
    expect((await registry.check(machine, patient)).versions).toEqual([{ tag: "1", digest }]);
    expect(aws.requests.map(({ key: by }) => by)).toEqual([key.id]);
  });

  test("from a pod's web identity", async () => {
    const tokenFile = join(home, "token");
    writeFileSync(tokenFile, "web-identity-CaNaRy");
    aws.addRole(roleOne, "web-identity-CaNaRy", session);
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", tokenFile);
    vi.stubEnv("AWS_ROLE_ARN", roleOne);
    await using registry = open({ ambientIdentity: ["aws"] });
    expect((await registry.check(machine, patient)).versions).toEqual([{ tag: "1", digest }]);
    expect(aws.requests.map(({ action, key: by }) => [action, by])).toEqual([
      ["AssumeRoleWithWebIdentity", undefined],
      ["GetAuthorizationToken", session.id],
    ]);
  });

  test("from an instance's role", async () => {
    aws.addKey(session);
    const credentials = {
      Code: "Success",
      AccessKeyId: session.id,
      SecretAccessKey: session.secret,
      Token: session.token,
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    };
    const path = "/latest/meta-data/iam/security-credentials/";
    const metadata = createServer(({ method, url, headers }, response) => {
      if (method === "PUT") response.end("metadata-token");
      else if (headers["x-aws-ec2-metadata-token"] !== "metadata-token") response.writeHead(401).end();
      else if (url === path) response.end("the-role");
      else if (url === `${path}the-role`) response.end(JSON.stringify(credentials));
      else response.writeHead(404).end();
    });
    const { origin, close } = await listenOnLoopback(metadata);
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", undefined);
    vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", origin);
    await using registry = open({ ambientIdentity: ["aws"] });
    expect((await registry.check(machine, patient)).versions).toEqual([{ tag: "1", digest }]);
    expect(aws.requests.map(({ key: by }) => by)).toEqual([session.id]);
    await close();
  });

  test("then takes the source's role", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", key.id);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", key.secret);
    aws.addRole(roleOne, key.id, session);
    await using registry = open({ ambientIdentity: ["aws"] });
    await registry.check({ ...machine, aws_role_arn: roleOne }, patient);
    expect(aws.requests.map(({ action, key: by }) => [action, by])).toEqual([
      ["AssumeRole", key.id],
      ["GetAuthorizationToken", session.id],
    ]);
  });

  test("is told apart by what the environment says of it, and never by a secret", async () => {
    await using registry = open({ ambientIdentity: ["aws"] });
    const identities = [{}, { AWS_PROFILE: "a" }, { AWS_ROLE_ARN: roleOne }, { AWS_ACCESS_KEY_ID: key.id }].map(
      (env) => {
        for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
        vi.stubEnv("AWS_SECRET_ACCESS_KEY", key.secret);
        return JSON.stringify(registry.identity?.(machine));
      },
    );
    expect(new Set(identities).size).toBe(identities.length);
    expect(identities.join()).not.toContain(key.secret);
    expect(registry.identity?.(keyed)).toBeUndefined();
  });

  test("that is not there is told, with the fix", async () => {
    await using registry = open({ ambientIdentity: ["aws"] });
    expect(await failureOf(registry.check(machine, patient))).toMatchObject({
      code: "FI_UNAUTHORIZED",
      message: expect.stringContaining("the identity of this machine"),
      hint: expect.stringContaining("aws_access_key_id"),
      details: { cloud: "AWS", field: "aws_region" },
    });
  });
});

const error = (status: number, code: string): AwsFault => ({
  is: "error",
  status,
  code,
  message: `it was ${key.id} with ${key.secret}`,
});
const faults: readonly (readonly [string, AwsFault, FetchImageErrorCode, retryable: boolean])[] = [
  ["AccessDeniedException", error(400, "AccessDeniedException"), "FI_FORBIDDEN", false],
  ["AccessDenied", error(403, "AccessDenied"), "FI_FORBIDDEN", false],
  ["ExpiredToken", error(403, "ExpiredToken"), "FI_UNAUTHORIZED", false],
  ["ExpiredTokenException", error(400, "ExpiredTokenException"), "FI_UNAUTHORIZED", false],
  ["InvalidClientTokenId", error(403, "InvalidClientTokenId"), "FI_UNAUTHORIZED", false],
  ["UnrecognizedClientException", error(400, "UnrecognizedClientException"), "FI_UNAUTHORIZED", false],
  ["ThrottlingException", error(400, "ThrottlingException"), "FI_RATE_LIMITED", true],
  ["TooManyRequests", { is: "body", status: 429, body: "slow down" }, "FI_RATE_LIMITED", true],
  ["ServerException", error(500, "ServerException"), "FI_REGISTRY_UNAVAILABLE", true],
  [
    "a 503 of something before it",
    { is: "body", status: 503, body: `<p>${key.secret}` },
    "FI_REGISTRY_UNAVAILABLE",
    true,
  ],
  ["no answer", { is: "hang" }, "FI_REGISTRY_TIMEOUT", true],
  [
    "something that is neither JSON nor XML",
    { is: "body", status: 200, body: `it was ${key.secret}` },
    "FI_REGISTRY_PROTOCOL",
    false,
  ],
  ["an empty answer", { is: "body", status: 200, body: "" }, "FI_REGISTRY_PROTOCOL", false],
  ["an answer without what was asked for", { is: "body", status: 200, body: "{}" }, "FI_REGISTRY_PROTOCOL", false],
  ["an answer without end", { is: "body", status: 200, body: "x".repeat(200_000) }, "FI_ANSWER_TOO_LARGE", false],
];

describe.each([
  ["ECR", "GetAuthorizationToken", keyed, "aws_access_key_id"],
  ["STS", "AssumeRole", { ...keyed, aws_role_arn: roleOne }, "aws_role_arn"],
] as const)("%s answers", (_, action, source, field) => {
  test.each(faults)("%s", async (__, fault, code, retryable) => {
    aws.addRole(roleOne, key.id, session);
    aws.fail(action, fault);
    await using registry = open(fault.is === "hang" ? { timeouts: { headersMs: 300 } } : {});
    const failure = await failureOf(registry.check(source, patient));
    expect(failure).toMatchObject({ code, retryable, details: { cloud: "AWS", field } });
    expect(failure.message).toContain(
      action === "AssumeRole" ? "sts.eu-west-1.amazonaws.com" : "api.ecr.eu-west-1.amazonaws.com",
    );
    expect(failure.hint).not.toBe("");
    const words = [everyWordOf(failure), ...logged].join("\n");
    expect(words).not.toMatch(/CaNaRy|canary-one/);
  });
});

test("a role that may not be assumed is named by its field alone", async () => {
  aws.addRole(roleOne, key.id, session);
  aws.fail("AssumeRole", { is: "error", status: 403, code: "AccessDenied", message: `not authorized on ${roleTwo}` });
  await using registry = open();
  const failure = await failureOf(registry.check({ ...keyed, aws_role_arns: [roleTwo] }, patient));
  expect(failure.message).toContain("the role in aws_role_arns[0]");
  expect(failure.hint).toContain("sts:AssumeRole");
  expect([everyWordOf(failure), ...logged].join()).not.toContain("canary-two");
});

test("a token that is no login is not one", async () => {
  for (const token of ["no colon", "AWS:two:colons", "AWS:"]) {
    const authorizationToken = Buffer.from(token).toString("base64");
    const authorizationData = [{ authorizationToken, proxyEndpoint: `https://${ecrHost}` }];
    aws.fail("GetAuthorizationToken", { is: "body", status: 200, body: JSON.stringify({ authorizationData }) });
    await using registry = open();
    expect((await failureOf(registry.check(keyed, patient))).code).toBe("FI_REGISTRY_PROTOCOL");
  }
});

test("clouds are asked by way of the proxy, and a proxy's refusal is told", async () => {
  await using proxy = await startEmbeddedRegistry();
  proxy.answerAlways("*", "*", 407);
  await using registry = createImageRegistry({ proxy: { httpsProxy: proxy.origin } });
  expect(await failureOf(registry.check(keyed, patient))).toMatchObject({
    code: "FI_REGISTRY_UNREACHABLE",
    details: { host: `api.ecr.${region}.amazonaws.com`, cloud: "AWS" },
  });
});

test("one role and a list of roles are refused together, as the resource refuses them", () => {
  const source: RegistryImageSource = { ...keyed, aws_role_arn: roleOne, aws_role_arns: [roleTwo] };
  const parsed = parseRegistryImageSource(JSON.parse(JSON.stringify(source)));
  expect(parsed).toMatchObject({
    ok: false,
    error: { code: "FI_SOURCE_INVALID", details: { field: "aws_role_arns" } },
  });
});

test("no secret is in a log line or in what is said of a login", async () => {
  aws.addRole(roleOne, key.id, session);
  await using registry = open();
  await registry.check({ ...keyed, aws_role_arn: roleOne }, patient);
  expect([...logged, JSON.stringify(registry.login({ ...keyed, aws_role_arn: roleOne }))].join()).not.toMatch(
    /CaNaRy|CANARY|canary/,
  );
  expect(registry.login({ ...keyed, aws_role_arn: roleOne })).toEqual({
    from: "aws",
    says: "the source's AWS key, in a role of the source",
  });
});
