import type { PolicyQuestion } from "@fetch-image/core";
import { createOpaPolicy, type OpaOptions } from "@fetch-image/kubernetes/opa";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeAuthority, makeServerCertificate } from "../support/certificates.ts";
import { type PolicyAgent, startPolicyAgent } from "../support/policy-agent.ts";

const digest = `sha256:${"d".repeat(64)}`;
const question: PolicyQuestion = {
  phase: "request",
  buildId: "1",
  team: "main",
  pipeline: "ci",
  job: "unit",
  name: "image",
  type: "registry-image",
  source: { repository: "ghcr.io/acme/app", tag: "1" },
  privileged: false,
};

let agent: PolicyAgent;
beforeAll(async () => {
  agent = await startPolicyAgent();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});
beforeEach(() => {
  agent.inputs.length = 0;
  agent.answers = [{ result: { allowed: true } }];
});

function ask(
  options: Partial<OpaOptions> = {},
  asked: PolicyQuestion = question,
  signal = new AbortController().signal,
) {
  return createOpaPolicy({ url: agent.url, ...options }).decide(asked, { signal });
}

describe("a policy agent", () => {
  test("is asked in Concourse's own words", async () => {
    await ask({ clusterName: "ci-eu", clusterVersion: "1.0.0" });
    expect(agent.inputs).toEqual([
      {
        service: "concourse",
        cluster_name: "ci-eu",
        cluster_version: "1.0.0",
        action: "UseImage",
        team: "main",
        pipeline: "ci",
        data: { image_type: "registry-image", image_source: question.source, privileged: false },
      },
    ]);
  });

  test("is told the reference too, once the digest is known", async () => {
    const reference = `ghcr.io/acme/app:1@${digest}`;
    await ask({}, { ...question, phase: "digest", reference });
    expect(agent.inputs[0]?.["data"]).toMatchObject({ image_reference: reference, image_type: "registry-image" });
  });

  test.each([
    [{ result: { allowed: true, reasons: ["fine"] } }, { decision: "allowed" }],
    [{ result: { allowed: false } }, { decision: "denied", enforcement: "hard", reasons: [] }],
    [
      { result: { allowed: false, reasons: ["a", "b"] } },
      { decision: "denied", enforcement: "hard", reasons: ["a", "b"] },
    ],
    [{ result: { allowed: false, block: true } }, { decision: "denied", enforcement: "hard", reasons: [] }],
    [
      { result: { allowed: false, block: false, reasons: ["old"] } },
      { decision: "denied", enforcement: "soft", reasons: ["old"] },
    ],
  ])("that answers %j has decided %j", async (answer, decision) => {
    agent.answers = [answer];
    expect(await ask()).toEqual(decision);
  });

  test("may answer under other keys", async () => {
    agent.answers = [{ data: { ok: false, stop: false }, why: ["x"] }];
    const keys = { allowedKey: "data.ok", shouldBlockKey: "data.stop", messagesKey: "why" };
    expect(await ask(keys)).toEqual({ decision: "denied", enforcement: "soft", reasons: ["x"] });
  });

  test.each([
    ["nothing behind its address", {}, /it has no result\.allowed/],
    ["a word for a boolean", { result: { allowed: "yes" } }, /result\.allowed is no boolean/],
    ["no boolean on blocking", { result: { allowed: false, block: "no" } }, /result\.block is no boolean/],
    ["reasons that are none", { result: { allowed: false, reasons: "x" } }, /result\.reasons is no list of texts/],
    ["no JSON", "hunter2", /its answer is no JSON/],
    ["a refusal", 403, /it answered 403/],
    ["more than anybody reads", `"${"x".repeat(1024 * 1024)}"`, /more than 1048576 bytes/],
  ])("with %s has decided nothing: it is asked once, and the error names it", async (_what, answer, says) => {
    agent.answers = [answer];
    await expect(ask()).rejects.toMatchObject({
      code: "FI_POLICY_UNAVAILABLE",
      message: expect.stringMatching(says),
      retryable: false,
      details: { host: agent.host },
    });
    expect(agent.inputs).toHaveLength(1);
  });

  test("in trouble is asked again, a bounded number of times", async () => {
    agent.answers = [503, 429, { result: { allowed: true } }];
    expect(await ask()).toEqual({ decision: "allowed" });
    expect(agent.inputs).toHaveLength(3);
    agent.answers = [500];
    const failure = await ask({ attempts: 2 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "FI_POLICY_UNAVAILABLE",
      retryable: true,
      message: expect.stringContaining("500"),
    });
    expect(agent.inputs).toHaveLength(5);
    expect(JSON.stringify(failure)).not.toContain("hunter2");
  });

  test("that does not answer is given up, and one that is not there too", async () => {
    agent.answers = ["hang"];
    await expect(ask({ timeoutMs: 20, attempts: 1 })).rejects.toThrow(/no answer within 20 ms/);
    const url = "http://127.0.0.1:1/v1/data";
    await expect(ask({ url, attempts: 1 })).rejects.toThrow(/127\.0\.0\.1:1 gave no decision: .*\(ECONNREFUSED\)/);
  });

  test("is not waited for by who has stopped waiting", async () => {
    agent.answers = ["hang"];
    const controller = new AbortController();
    const asked = ask({}, question, controller.signal);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ code: "FI_ABORTED" });
  });

  test("is trusted by its own authority's certificate, and not without", async () => {
    const authority = makeAuthority();
    await using secure = await startPolicyAgent(makeServerCertificate(authority, ["127.0.0.1"]));
    expect(await ask({ url: secure.url, ca: authority.cert })).toEqual({ decision: "allowed" });
    await expect(ask({ url: secure.url, attempts: 1 })).rejects.toThrow(
      /the connection failed \([A-Z_]*(?:CERT|SIGNATURE)/,
    );
    expect(secure.inputs).toHaveLength(1);
  });

  test.each(["", "opa", "ftp://opa/", "http://me:hunter2@opa/"])("cannot be at %j", (url) => {
    expect(() => createOpaPolicy({ url })).toThrow(
      expect.objectContaining({ code: "FI_SETTING_INVALID", message: expect.not.stringContaining("hunter2") }),
    );
  });
});
