import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { example, type Images, login, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type PolicyAgent, startPolicyAgent } from "../support/policy-agent.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let images: Images;
let agent: PolicyAgent;
let place: Scratch;
beforeAll(async () => {
  [images, agent] = await Promise.all([startImages(), startPolicyAgent()]);
  place = scratch("policy");
  await makeEmbeddedStore(place.path("data"));
});
afterAll(async () => {
  place[Symbol.dispose]();
  await agent[Symbol.asyncDispose]();
  await images.registry.close();
});
beforeEach(() => {
  images.registry.clearRequests();
  agent.inputs.length = 0;
  agent.answers = [{ result: { allowed: true } }];
});

const run = (...args: readonly string[]) =>
  fetchImage(["run", example("custom-type"), ...images.vars, "--data", "data", "--json", ...args], {
    cwd: place.directory,
  });

/** The facts of a policy that a build has. */
async function decisions(build: string) {
  const { json } = await fetchImage(["replay", build, "--json", "--data", "data"], { cwd: place.directory });
  const facts: readonly { readonly type: string; readonly data: object }[] = json();
  return facts.filter(({ type }) => type === "PolicyDecided").map(({ data }) => data);
}

describe("the settings' policy", () => {
  test("denies before anything is asked, with the rule's words and a fact", async () => {
    const { status, json } = await run("--build", "denied", "--denied-image", `${images.registry.host}/acme/*`);
    expect(status).toBe(1);
    expect(json()[0].error).toMatchObject({
      code: "FI_POLICY_DENIED",
      message: expect.stringContaining(`is denied by ${images.registry.host}/acme/*`),
    });
    expect(images.registry.requests).toEqual([]);
    expect(await decisions("denied")).toMatchObject(
      json().map(() => ({ phase: "request", decision: "denied", enforcement: "hard" })),
    );
  });

  test("warns where the rule is soft, and lets the rest be", async () => {
    const soft = await run("--build", "soft", "--allowed-image", "*=soft", "--digest-required", "hard");
    expect(soft.status).toBe(0);
    expect(await decisions("soft")).toContainEqual(
      expect.objectContaining({ phase: "digest", decision: "denied", enforcement: "soft" }),
    );
    const { stdout } = await fetchImage(["log", "soft", "--data", "data"], { cwd: place.directory });
    expect(stdout).toMatch(/warning: policy warns of the request, and the fetch goes on: .* is allowed only for now/);
  });

  test("asks the agent twice for each image, before and after, and no secret goes along", async () => {
    const { status } = await run("--build", "agent", "--opa-url", agent.url, "--cluster-name", "ci-eu");
    expect(status).toBe(0);
    const [first] = agent.inputs;
    expect(first).toMatchObject({ service: "concourse", action: "UseImage", cluster_name: "ci-eu", team: "main" });
    const phases = agent.inputs.map(({ data }) => Object.hasOwn(Object(data), "image_reference"));
    expect(phases.filter(Boolean)).toHaveLength(phases.length / 2);
    expect(JSON.stringify(agent.inputs)).not.toContain(login.password);
    expect(await decisions("agent")).toHaveLength(agent.inputs.length);
  });

  test("fails every fetch while the agent gives no decision", async () => {
    agent.answers = [{}];
    const { status, json } = await run("--build", "undecided", "--opa-url", agent.url);
    expect(status).toBe(1);
    expect(json()[0].error).toMatchObject({
      code: "FI_POLICY_UNAVAILABLE",
      message: expect.stringContaining(agent.host),
    });
    expect(images.registry.requests).toEqual([]);
  });

  test.each([
    ["--allowed-image", "ghcr.io", /repositories such as ghcr\.io\/acme\/\*/],
    ["--denied-image", "sha256:short", /or digests/],
    ["--opa-url", "http://me:hunter2@opa/", /without a login/],
    ["--opa-ca", "nowhere.pem", /nowhere\.pem cannot be read \(ENOENT\)/],
  ])("%s %s is refused before anything is asked", async (flag, value, says) => {
    const more = flag === "--opa-ca" ? ["--opa-url", agent.url] : [];
    const { status, stdout, stderr } = await run(flag, value, ...more);
    expect(status).toBe(2);
    expect(`${stdout}${stderr}`).toMatch(says);
    expect(`${stdout}${stderr}`).not.toContain("hunter2");
    expect(images.registry.requests).toEqual([]);
  });
});
