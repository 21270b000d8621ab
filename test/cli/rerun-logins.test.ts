// `rerun --verify` against a registry that lets nobody in without a login: what is stored holds none.
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { example } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

const missing = dockerRegistryMissing("htpasswd");
const password = "s3cret";

describe.skipIf(missing !== undefined)(`rerun --verify${missing === undefined ? "" : ` (${missing})`}`, () => {
  let registry: DockerRegistry;
  let place: Scratch;
  let digest: string;
  beforeAll(async () => {
    registry = await startDockerRegistry({ auth: "htpasswd" });
    digest = (await registry.push("acme/private-tools:2.3", { layers: ["tools"] })).digest;
    place = scratch("rerun-logins");
    await makeEmbeddedStore(place.path(".fetch-image"));
    const run = await command("run", example("private"), ...vars());
    if (run.status !== 0) throw new Error(run.stderr);
  });
  afterAll(async () => {
    place[Symbol.dispose]();
    await registry.close();
  });

  const command = (...args: readonly string[]) => fetchImage(args, { cwd: place.directory });
  const vars = (changed: { readonly [name: string]: string } = {}): readonly string[] =>
    Object.entries({ registry: registry.host, username: "alice", password, ...changed }).flatMap(([name, value]) => [
      "--var",
      `${name}=${value}`,
    ]);
  const verify = (...args: readonly string[]) => command("rerun", "1", "--verify", ...args);

  test("asks with the logins of a pipeline's sources, and repeats none of them", async () => {
    const verified = await verify("--sources", example("private"), ...vars(), "--json");
    expect({ status: verified.status, stderr: verified.stderr }).toEqual({ status: 0, stderr: "" });
    const image = `${registry.host}/acme/private-tools:2.3@${digest}`;
    expect(new Set(verified.json().map((row) => `${row.state} ${row.image}`))).toEqual(new Set([`resolved ${image}`]));
    expect(verified.stdout).not.toContain(password);
  });

  test("asks with a login of Docker's configuration", async () => {
    const auth = Buffer.from(`alice:${password}`).toString("base64");
    writeFileSync(place.path("config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    expect(await verify("--docker-config", "config.json")).toMatchObject({ status: 0, stderr: "" });
  });

  test("without a login is refused, and told where one may come from", async () => {
    const refused = await verify();
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("FI_UNAUTHORIZED");
    expect(refused.stderr).toMatch(/--docker-config[^]*--sources/);
  });

  test("with a wrong login is refused, and with another source of the same repository let in", async () => {
    const wrong = await verify("--sources", example("private"), ...vars({ password: "wr0ng-canary" }));
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain("FI_UNAUTHORIZED");
    expect(wrong.stdout + wrong.stderr).not.toContain("wr0ng-canary");
    const source = (tag: string, secret: string) => ({
      type: "registry-image",
      source: { repository: `${registry.host}/acme/private-tools`, tag, username: "alice", password: secret },
    });
    const pipeline = {
      resource_types: [
        { name: "now", ...source("2.3", "wr0ng-canary") },
        { name: "later", ...source("3", password) },
      ],
      jobs: [{ name: "none", plan: [{ get: "a" }, { get: "b" }] }],
      resources: [
        { name: "a", type: "now", source: {} },
        { name: "b", type: "later", source: {} },
      ],
    };
    writeFileSync(place.path("two.yml"), JSON.stringify(pipeline));
    const opened = await verify("--sources", "two.yml");
    expect({ status: opened.status, stderr: opened.stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("needs the vars of the pipeline, and says which are missing", async () => {
    const refused = await verify("--sources", example("private"), "--var", `registry=${registry.host}`);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/FI_VAR_MISSING[^]*password/);
    const idle = await command("rerun", "1", "--sources", example("private"), ...vars());
    expect(idle.status).toBe(2);
    expect(idle.stderr).toContain("Add --verify");
  });
});
