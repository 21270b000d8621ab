// What a login that is not in the source means for facts, references and scopes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EventLog, type JsonObject, scopeStreamPrefix, type StepRunner } from "@fetch-image/core";
import { createFetchImageEngine, type FetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry, type OciRegistry, type RegistryOptions } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type AwsStandIn, startAws } from "../support/aws.ts";
import { factsOf, pinnedPlan, typePlans } from "../support/engine.ts";

const region = "eu-west-1";
const account = "123456789012";
const ecrHost = `${account}.dkr.ecr.${region}.amazonaws.com`;
const key = { id: "AKIACANARY7F3A", secret: "s3cret-CaNaRy-key" };
const password = "pass-CaNaRy-7f3a";
const machine = { repository: "team/app", tag: "1", aws_region: region };
const keyed = { ...machine, aws_access_key_id: key.id, aws_secret_access_key: key.secret };

let peer: EmbeddedRegistry;
let digest: string;
let aws: AwsStandIn;
let eventLog: EventLog;
let directory: string;
const opened: AsyncDisposable[] = [];

beforeAll(async () => {
  peer = await startEmbeddedRegistry({
    users: { AWS: password, ci: password },
    private: [{ prefix: "", scheme: "basic" }],
  });
  ({ digest } = await peer.push("team/app:1"));
});
afterAll(() => peer.close());
beforeEach(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  aws = await startAws();
  aws.addKey(key);
  aws.ecr.password = password;
  eventLog = createMemoryEventLog();
  directory = mkdtempSync(join(tmpdir(), "fetch-image-cloud-"));
  writeFileSync(
    join(directory, "config.json"),
    JSON.stringify({ auths: { [peer.host]: { username: "ci", password } } }),
  );
  peer.clearRequests();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
  peer.clearFaults();
  await aws.close();
  rmSync(directory, { recursive: true });
});

function node(options: RegistryOptions = {}, name = "a", stepRunner?: StepRunner): FetchImageEngine {
  const endpoints = { ...aws.endpoints([region]), [ecrHost]: peer.origin };
  const registry: OciRegistry = createImageRegistry({ ...options, endpoints });
  const engine = createFetchImageEngine({
    eventLog,
    registry,
    nativeImageFetch: true,
    soleNode: true,
    node: name,
    credentialKey: "a secret of all processes",
    ...(stepRunner === undefined ? {} : { stepRunner }),
  });
  opened.push(registry, engine);
  return engine;
}

const withDocker = (): RegistryOptions => ({ dockerConfig: join(directory, "config.json") });

/** What a scheduler would run in a container. */
const steps: StepRunner = {
  check: () => Promise.resolve([{ tag: "1", digest }]),
  get: () => Promise.resolve({ handle: "volume-1" }),
};

async function fetchImage(engine: FetchImageEngine, buildId: string, source: JsonObject) {
  const build = await engine.openBuild({ id: buildId });
  return await build.fetchImage({ ...typePlans("2", source), privileged: false });
}

/** Every fact of every scope: its stream, type and data. */
async function scopeFacts(): Promise<readonly (readonly [stream: string, type: string])[]> {
  const { facts } = await eventLog.readAll({ limit: 1000, filter: { streamPrefixes: [scopeStreamPrefix] } });
  return facts.map(({ stream, type }) => [stream, type]);
}

describe("an image at ECR", () => {
  const reference = () => `${ecrHost}/team/app:1@${digest}`;

  test("is pulled from the host that AWS named, and the facts say where that is from", async () => {
    const { imageURL } = await fetchImage(node(), "1", keyed);
    expect(imageURL).toBe(`docker:///${reference()}`);
    const facts = await factsOf(eventLog, "1");
    const requested = facts.find(({ type }) => type === "FetchRequested");
    expect(requested?.data).not.toHaveProperty("unsupported");
    expect(requested?.data).not.toHaveProperty("repository");
    expect(facts.find(({ type }) => type === "ImageVersionResolved")?.data).toMatchObject({
      reference: reference(),
      via: "HEAD",
      evidence: { repository: `${ecrHost}/team/app`, credential: expect.stringMatching(/^cred-/) },
    });
  });

  test("is known to those who ask later, and to those who ask meanwhile, without another question", async () => {
    const engine = node();
    const urls = await Promise.all(["1", "2", "3"].map(async (id) => (await fetchImage(engine, id, keyed)).imageURL));
    urls.push((await fetchImage(engine, "4", keyed)).imageURL);
    expect(new Set(urls)).toEqual(new Set([`docker:///${reference()}`]));
    expect(peer.requests.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("is known to the next process, from the scope's facts alone", async () => {
    await fetchImage(node(), "1", keyed);
    aws.requests.length = 0;
    expect((await fetchImage(node({}, "b"), "2", keyed)).imageURL).toBe(`docker:///${reference()}`);
    expect(aws.requests).toEqual([]);
  });

  test("that is pinned needs nobody, where the source names the account", async () => {
    const build = await node().openBuild({ id: "1" });
    const source = { ...machine, aws_account_id: account };
    const { imageURL } = await build.fetchImage({
      getPlan: pinnedPlan("2", source, { tag: "1", digest }),
      privileged: false,
    });
    expect(imageURL).toBe(`docker:///${reference()}`);
    expect([aws.requests, peer.requests]).toEqual([[], []]);
  });

  test("that is pinned is fetched as a step where only AWS knows the account, and the fact names the field", async () => {
    const build = await node({}, "a", steps).openBuild({ id: "1" });
    const getPlan = pinnedPlan("2", keyed, { tag: "1", digest });
    expect(await build.fetchImage({ getPlan, privileged: false })).toMatchObject({
      imageArtifact: { handle: "volume-1" },
    });
    const [, requested] = await factsOf(eventLog, "1");
    expect(requested?.data).toMatchObject({ unsupported: { field: "aws_region" } });
  });

  test("whose login is not allowed is checked and fetched as a step, and the fact names the field", async () => {
    expect(await fetchImage(node({}, "a", steps), "1", machine)).toMatchObject({
      imageArtifact: { handle: "volume-1" },
    });
    const [, requested] = await factsOf(eventLog, "1");
    expect(requested?.data).toMatchObject({
      checker: "step",
      unsupported: { field: "aws_region", reason: expect.stringContaining("ambient-identity") },
    });
    expect(aws.requests).toEqual([]);
    await expect(fetchImage(node({}, "b"), "2", machine)).rejects.toMatchObject({
      code: "FI_SOURCE_UNSUPPORTED",
      details: { field: "aws_region" },
    });
  });

  test("is resolved natively as this machine where that is allowed", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", key.id);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", key.secret);
    const { imageURL } = await fetchImage(node({ ambientIdentity: ["aws"] }), "1", machine);
    expect(imageURL).toBe(`docker:///${reference()}`);
  });

  test("that may not be read fails as a check, with AWS' reason", async () => {
    aws.fail("GetAuthorizationToken", { is: "error", status: 400, code: "AccessDeniedException" });
    await expect(fetchImage(node(), "1", keyed)).rejects.toMatchObject({
      code: "FI_CHECK_FAILED",
      message: expect.stringContaining("AccessDeniedException"),
    });
  });
});

describe("those who ask with a configured login and those who ask without one", () => {
  const source = () => ({ repository: `${peer.host}/team/app`, tag: "1" });

  test("never answer each other", async () => {
    await fetchImage(node(withDocker()), "1", source());
    await expect(fetchImage(node({}, "b"), "2", source())).rejects.toMatchObject({ code: "FI_CHECK_FAILED" });
    const streams = new Set((await scopeFacts()).map(([stream]) => stream));
    expect(streams.size).toBe(2);
    // And each still has its own answer.
    expect((await fetchImage(node(withDocker(), "c"), "3", source())).imageURL).toContain(digest);
  });

  test("never answer each other when one goes on with what the other began", async () => {
    peer.hang("*", "*");
    const first = node();
    const lost = fetchImage(first, "1", source());
    lost.catch(() => {});
    await vi.waitFor(() => {
      expect(peer.requests).toHaveLength(1);
    });
    await first.close();
    const begun = new Set((await scopeFacts()).map(([stream]) => stream));
    peer.clearFaults();

    expect((await fetchImage(node(withDocker(), "b"), "1", source())).imageURL).toContain(digest);
    const observed = (await scopeFacts()).filter(([, type]) => type === "VersionObserved");
    expect(observed).toHaveLength(1);
    for (const [stream] of observed) expect(begun).not.toContain(stream);
  });

  test("nor do two users of docker's", async () => {
    await fetchImage(node(withDocker()), "1", source());
    writeFileSync(
      join(directory, "config.json"),
      JSON.stringify({ auths: { [peer.host]: { username: "AWS", password } } }),
    );
    await fetchImage(node(withDocker(), "b"), "2", source());
    expect(new Set((await scopeFacts()).map(([stream]) => stream)).size).toBe(2);
  });
});

test("no key, token or password is in any byte that is stored", async () => {
  await fetchImage(node(withDocker()), "1", keyed);
  await fetchImage(node(withDocker(), "b"), "2", { repository: `${peer.host}/team/app`, tag: "1" });
  aws.fail("GetAuthorizationToken", {
    is: "error",
    status: 403,
    code: "InvalidSignature",
    message: `${key.secret} ${key.id}`,
  });
  await fetchImage(node({}, "c"), "3", { ...keyed, tag: "2" }).catch(() => {});
  const { facts } = await eventLog.readAll({ limit: 1000 });
  expect(facts.length).toBeGreaterThan(8);
  expect(JSON.stringify(facts, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))).not.toMatch(
    /CaNaRy|CANARY/,
  );
});
