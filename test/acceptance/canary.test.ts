import type { JsonObject, Logger } from "@fetch-image/core";
import { renderBuildLog } from "@fetch-image/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acceptanceMissing, type Ground, scriptedStepRunner, startGround } from "../support/acceptance.ts";
import { factsOf, typePlans } from "../support/engine.ts";

const missing = acceptanceMissing();
const canary = "c4nary-s3cret/with:odd+chars";

describe.skipIf(missing !== undefined)(`no secret is kept${missing === undefined ? "" : ` (${missing})`}`, () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await startGround();
    await ground.registry.push("acme/private:v1", { layers: ["private"] });
  });
  afterAll(async () => {
    await ground[Symbol.asyncDispose]();
  });

  /** Every credential field of a source, each holding a canary of its own. */
  const credentials = (): readonly [string, JsonObject][] => {
    const fields = [
      "username",
      "password",
      "aws_access_key_id",
      "aws_secret_access_key",
      "aws_session_token",
      "aws_role_arn",
      "azure_client_id",
      "azure_tenant_id",
    ];
    const plain = fields.map((field): [string, JsonObject] => [field, { [field]: `${canary}-${field}` }]);
    return [
      ...plain,
      ["both", { username: `${canary}-user`, password: `${canary}-password` }],
      ["mirror", { registry_mirror: { host: "mirror.example.com", username: canary, password: canary } }],
      ["content trust", { content_trust: { repository_key: canary, repository_passphrase: canary, username: canary } }],
      ["wrong type", { password: { nested: canary } }],
    ];
  };

  test("in the database, the build log, the engine's log, an error or a policy's question", async () => {
    const seen: string[] = [];
    const logger: Logger = {
      debug: (...line) => seen.push(JSON.stringify(line)),
      info: (...line) => seen.push(JSON.stringify(line)),
      warn: (...line) => seen.push(JSON.stringify(line)),
      error: (...line) => seen.push(JSON.stringify(line)),
    };
    // A step that fails and prints what it was given, as careless resources do.
    const leaky = scriptedStepRunner();
    leaky.check = async ({ check }, { output }) => {
      await output(`checking with ${JSON.stringify(check.source)}\n`, "stderr");
      throw new Error(`could not log in with ${JSON.stringify(check.source)}`);
    };
    await using scene = await ground.scene({
      logger,
      stepRunner: leaky,
      policy: {
        decide: async (question) => {
          seen.push(JSON.stringify(question));
          return { decision: "denied", enforcement: "soft", reasons: [`asked about ${JSON.stringify(question)}`] };
        },
      },
    });
    const build = await scene.engine.openBuild({ id: "1" });
    const fetches = [...credentials().entries()].flatMap(([index, [, secret]]) => {
      const source = { repository: `${ground.asked.host}/acme/private`, ...secret };
      return [
        build.fetchImage({ ...typePlans(`a${index}`, { ...source, tag: "v1" }), privileged: false }),
        build.fetchImage({ ...typePlans(`b${index}`, { ...source, tag: "absent" }), privileged: false }),
        build.fetchImage({
          ...typePlans(`c${index}`, { uri: "x", ...secret, private_key: `-----\n${canary}\n-----` }, { type: "git" }),
          privileged: false,
          secrets: [canary],
        }),
      ];
    });
    for (const outcome of await Promise.allSettled(fetches)) {
      if (outcome.status === "rejected") seen.push(everythingOf(outcome.reason));
    }
    await scene.engine.project();
    seen.push(renderBuildLog(await factsOf(scene.eventLog, "1")));
    const stored = await ground.dump(scene);

    expect(stored).toContain("FetchRequested");
    expect(stored).toContain("((redacted))");
    for (const text of [stored, ...seen]) {
      for (const form of [canary, encodeURIComponent(canary), Buffer.from(canary).toString("base64").slice(0, 20)]) {
        expect(
          text.includes(form),
          `${form} in ${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form) + 40)}`,
        ).toBe(false);
      }
    }
  });
});

function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error);
  return [
    error.stack,
    error.message,
    JSON.stringify(error),
    error.cause === undefined ? "" : everythingOf(error.cause),
  ].join("\n");
}
