import { writeFileSync } from "node:fs";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AwsStandIn, startAws } from "../support/aws.ts";
import { fetchImage } from "../support/cli.ts";
import { loadedModules } from "../support/loaded-modules.ts";
import { scratch } from "../support/scratch.ts";

const region = "eu-west-1";
const key = { id: "AKIACANARY7F3A", secret: "s3cret-CaNaRy-key" };
const password = "pass-CaNaRy-7f3a";

let peer: EmbeddedRegistry;
let aws: AwsStandIn;
let digest: string;
let endpoints: string;

beforeAll(async () => {
  peer = await startEmbeddedRegistry({ users: { AWS: password }, private: [{ prefix: "", scheme: "basic" }] });
  ({ digest } = await peer.push("team/app:1"));
  aws = await startAws();
  aws.addKey(key);
  aws.ecr.password = password;
  const ecr = `${aws.ecr.account}.dkr.ecr.${region}.amazonaws.com=${peer.origin}`;
  endpoints = [ecr, ...Object.entries(aws.endpoints([region])).map((pair) => pair.join("="))].join(",");
});
afterAll(async () => {
  await aws.close();
  await peer.close();
});

const payload = (source: object): string => JSON.stringify({ source: { tag: "1", ...source }, version: null });
const ecrSource = { repository: "team/app", aws_region: region };
const keyed = { ...ecrSource, aws_access_key_id: key.id, aws_secret_access_key: key.secret };

test("check logs in at ECR with the source's key, and says nothing else than the resource would", async () => {
  const { status, stdout, stderr } = await fetchImage(["check"], {
    input: payload(keyed),
    env: { FETCH_IMAGE_REGISTRY_ENDPOINTS: endpoints },
  });
  expect(status).toBe(0);
  expect(stderr.split("\n").filter((line) => !/^checking |^1 is sha256:|^$/.test(line))).toEqual([]);
  expect(JSON.parse(stdout)).toEqual([{ tag: "1", digest }]);
});

describe("the machine's own identity", () => {
  const env = () => ({
    FETCH_IMAGE_REGISTRY_ENDPOINTS: endpoints,
    AWS_ACCESS_KEY_ID: key.id,
    AWS_SECRET_ACCESS_KEY: key.secret,
  });

  test("is used where the setting allows it", async () => {
    const allowed = { input: payload(ecrSource), env: { ...env(), FETCH_IMAGE_AMBIENT_IDENTITY: "aws" } };
    const { status, stdout, stderr } = await fetchImage(["check"], allowed);
    expect([status, JSON.parse(stdout)]).toEqual([0, [{ tag: "1", digest }]]);
    expect(stderr).not.toMatch(/warning/i);
  });

  test("is left alone where it does not, with the field named", async () => {
    const before = aws.requests.length;
    const { status, stdout, stderr } = await fetchImage(["check"], { input: payload(ecrSource), env: env() });
    expect([status === 0, stdout]).toEqual([false, ""]);
    expect(stderr).toContain("aws_region");
    expect(stderr).toContain("ambient-identity");
    expect(aws.requests).toHaveLength(before);
  });
});

test("doctor says which login a source would have and where that is from, or what stands in the way", async () => {
  using place = scratch("logins");
  writeFileSync(place.path("docker.json"), JSON.stringify({ auths: { [peer.host]: { username: "AWS", password } } }));
  writeFileSync(
    place.path("pipeline.yml"),
    `jobs:
- name: unit
  plan:
  - task: ecr
    config: {platform: linux, run: {path: sh}, image_resource: {type: registry-image, source: ${JSON.stringify({ ...ecrSource, tag: "1" })}}}
  - task: plain
    config: {platform: linux, run: {path: sh}, image_resource: {type: registry-image, source: {repository: ${peer.host}/team/app, tag: "1"}}}
`,
  );
  const { stdout, status } = await fetchImage(["doctor", "pipeline.yml", "--docker-config", "docker.json"], {
    cwd: place.directory,
  });
  expect(status).toBe(0);
  expect(stdout).toContain(`with the login of ${peer.host} in ${place.path("docker.json")}`);
  expect(stdout).toMatch(/warning +team\/app: not asked natively, because of aws_region/);
  expect(stdout).toContain("--ambient-identity aws");
  expect(stdout).not.toContain(password);
});

test("config shows both settings, and where they are from", async () => {
  const env = { FETCH_IMAGE_AMBIENT_IDENTITY: "aws,azure", FETCH_IMAGE_DOCKER_CONFIG: "true" };
  const { stdout } = await fetchImage(["config"], { env });
  expect(stdout).toMatch(/ambient-identity +aws,azure .*FETCH_IMAGE_AMBIENT_IDENTITY/);
  expect(stdout).toMatch(/docker-config +true .*FETCH_IMAGE_DOCKER_CONFIG/);
  const wrong = await fetchImage(["config", "--ambient-identity", "gcp"]);
  expect([wrong.status, wrong.stderr.includes("one or more of aws, azure")]).toEqual([2, true]);
});

test("a vendor's library is loaded only where a source asks for its cloud", async () => {
  const vendors = (urls: readonly string[]) => urls.filter((url) => /@aws-sdk|@smithy|@azure|msal/.test(url));
  const plain = await loadedModules((options) =>
    fetchImage(["check"], {
      ...options,
      input: payload({ repository: `${peer.host}/team/app`, username: "AWS", password }),
      env: { ...options.env, FETCH_IMAGE_AMBIENT_IDENTITY: "aws,azure" },
    }),
  );
  expect([plain.ended.status, vendors(plain.loaded)]).toEqual([0, []]);
  const cloudy = await loadedModules((options) =>
    fetchImage(["check"], {
      ...options,
      input: payload(keyed),
      env: { ...options.env, FETCH_IMAGE_REGISTRY_ENDPOINTS: endpoints },
    }),
  );
  expect(cloudy.ended.status).toBe(0);
  expect(vendors(cloudy.loaded).some((url) => url.includes("@aws-sdk"))).toBe(true);
  expect(vendors(cloudy.loaded).filter((url) => /@azure|msal/.test(url))).toEqual([]);
});
