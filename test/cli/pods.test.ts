import { readFileSync, writeFileSync } from "node:fs";
import { matchingCredentials, type Pod, type Secret } from "@fetch-image/kubernetes";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { brokenRules } from "../kubernetes/pod-security-standard.ts";
import { manifestProblems } from "../kubernetes/manifest-problems.ts";
import { example, type Images, login, startImages } from "../support/cli.ts";
import { fetchImageInHost as fetchImage } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let images: Images;
let place: Scratch;
beforeAll(async () => {
  images = await startImages();
  place = scratch("pods");
  await makeEmbeddedStore(place.path("data"));
  for (const name of ["ci", "private"]) {
    const { status, stderr } = await run(example(name), name);
    if (status !== 0) throw new Error(stderr);
  }
});
afterAll(async () => {
  place[Symbol.dispose]();
  await images.registry.close();
});

const run = (file: string, build: string) =>
  fetchImage(["run", file, ...images.vars, "--build", build, "--data", "data"], { cwd: place.directory });
// What a build's pods are does not change: each question is asked once.
const answers = new Map<string, ReturnType<typeof fetchImage>>();
const pods = (...args: readonly string[]) => {
  const key = args.join(" ");
  const answer = answers.get(key) ?? fetchImage(["pods", ...args, "--data", "data"], { cwd: place.directory });
  answers.set(key, answer);
  return answer;
};
const withSources = (name: string) => ["--sources", example(name), ...images.vars];
const inNamespace = ["--pull-secret", "regcred", "--pod-namespace", "ci"];
const pulled = (reference: string): string => `${images.registry.host}/${reference}@${images.digests[reference]}`;

/** As a reader of YAML reads them, of the version that kubectl reads and of the newer one. */
function manifestsIn(yaml: string): readonly (Pod | Secret)[] {
  const [asOld, asNew] = (["1.1", "1.2"] as const).map((version) =>
    parseAllDocuments(yaml, { version }).map((document): Pod | Secret => {
      expect(document.errors).toEqual([]);
      return document.toJS();
    }),
  );
  expect(asOld).toEqual(asNew);
  expect(asOld?.flatMap(manifestProblems)).toEqual([]);
  return asOld ?? [];
}

const podsIn = (yaml: string) => manifestsIn(yaml).filter((manifest): manifest is Pod => manifest.kind === "Pod");
const secretsIn = (yaml: string) => manifestsIn(yaml).filter((one): one is Secret => one.kind === "Secret");
const imagesIn = (yaml: string) => podsIn(yaml).map(({ spec }) => spec.containers[0]?.image);
const typesIn = (yaml: string) =>
  podsIn(yaml).map(({ metadata: { labels } }) => `${labels?.["concourse.ci/type"]} ${labels?.["concourse.ci/step"]}`);

describe("pods", () => {
  test("are those of a build's steps, with the digests that it resolved and the table's images", async () => {
    const { status, stdout, stderr } = await pods("ci", ...withSources("ci"));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(typesIn(stdout)).toEqual([
      "get pr",
      "get every-morning",
      "get toolchain",
      "task unit",
      "task reproduce",
      "task smoke",
      "task package",
      "put notify",
    ]);
    expect(imagesIn(stdout)).toEqual([
      pulled("acme/github-pr-resource:v0.23.0"),
      "docker.io/concourse/time-resource:latest",
      "docker.io/concourse/registry-image-resource:latest",
      pulled("acme/golang:1.22"),
      pulled("acme/golang:1.22"),
      pulled("acme/private-tools:2.3"),
      // The artifact came from a registry: the kubelet pulls the same bytes.
      pulled("acme/golang:1.22"),
      pulled("acme/slack-notification-resource:v1.7.0"),
    ]);
    expect(podsIn(stdout).flatMap(brokenRules)).toEqual([]);
    const unit = podsIn(stdout)[3]?.spec;
    expect(unit?.activeDeadlineSeconds).toBe(1800);
    expect(unit?.containers[0]).toMatchObject({ command: ["go"], args: ["test", "./..."] });
  });

  test("of resources say that they wait for a request, and how it is handed to them", async () => {
    const { stdout } = await pods("private", ...withSources("private"), ...inNamespace);
    const waiting = podsIn(stdout).filter(({ spec }) => spec.containers[0]?.stdin === true);
    expect(waiting.map(({ metadata: { labels } }) => labels?.["concourse.ci/type"])).toEqual(["put", "get"]);
    const told = [...stdout.matchAll(/^# it waits for its request: (.*)$/gm)].map(([, command]) => command);
    expect(told).toEqual(
      waiting.map(({ metadata: { name } }) => `kubectl attach --stdin --namespace=ci ${name} < request.json`),
    );
  });

  test("of the guide's first build is the one that its kubectl commands select", async () => {
    const guide = readFileSync(new URL("../../docs/guides/kubernetes.md", import.meta.url), "utf8");
    const pipeline = /```yaml\n# first\.yml\n([^`]*)```/.exec(guide)?.[1] ?? "";
    writeFileSync(
      place.path("first.yml"),
      pipeline.replace("busybox", `${images.registry.host}/acme/golang, tag: '1.22'`),
    );
    await run("first.yml", "first");
    const { stdout } = await pods("first", "--sources", "first.yml", "--pod-namespace", "builds");
    expect(podsIn(stdout).map(({ metadata, spec }) => [metadata.namespace, spec.containers[0]?.args])).toEqual([
      ["builds", ["hello"]],
    ]);
    const selectors = [...guide.matchAll(/--namespace builds --selector (\S+)=(\S+)/g)];
    expect(selectors.map(([, label = "", value]) => podsIn(stdout)[0]?.metadata.labels?.[label] === value)).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  test("come with the Secret for a source's login, which a kubelet then finds", async () => {
    const { stdout } = await pods("private", ...withSources("private"), ...inNamespace);
    const secrets = secretsIn(stdout);
    expect(secrets).toHaveLength(2);
    for (const pod of podsIn(stdout)) {
      const { name } = pod.spec.imagePullSecrets?.[0] ?? {};
      expect(pod.spec.imagePullSecrets?.[1]).toEqual({ name: "regcred" });
      const own = secrets.filter(({ metadata }) => metadata.name === name);
      expect(own.map(({ metadata }) => metadata.namespace)).toEqual(["ci"]);
      expect(matchingCredentials(pod.spec.containers[0]?.image ?? "", own)).toMatchObject([login]);
      expect(JSON.stringify(pod)).not.toContain(login.password);
    }
  });

  test("without the pipeline name their Secrets, and say how each is made", async () => {
    const { status, stdout, stderr } = await pods("private");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const [unit] = podsIn(stdout);
    const name = unit?.spec.imagePullSecrets?.[0]?.name ?? "";
    expect(stdout).toContain(
      `# kubectl create secret docker-registry ${name} --docker-server=${images.registry.host} `,
    );
    expect(stdout).toContain("# what it runs is in no fact");
    expect(secretsIn(stdout)).toEqual([]);
    expect(stdout).not.toContain(login.password);
    const named = secretsIn((await pods("private", ...withSources("private"), ...inNamespace)).stdout);
    expect(named.map(({ metadata }) => metadata.name)).toContain(name);
  });

  test("are known without the pipeline too where the build has found what an artifact is pulled as", async () => {
    const { status, stdout, stderr } = await pods("ci");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(imagesIn(stdout)).toEqual(imagesIn((await pods("ci", ...withSources("ci"))).stdout));
  });

  test("are left out where no fact says what a task runs in", async () => {
    const source = `{repository: ${images.registry.host}/acme/golang, tag: "1.22"}`;
    const fetched = `{platform: linux, image_resource: {type: registry-image, source: ${source}}, run: {path: go}}`;
    const given = "{platform: linux, rootfs_uri: docker:///golang:1.22, run: {path: go}}";
    const plan = `[{task: one, config: ${fetched}}, {task: other, config: ${given}}]`;
    writeFileSync(place.path("given.yml"), `{jobs: [{name: unit, plan: ${plan}}]}`);
    await run("given.yml", "given");
    const { status, stdout, stderr } = await pods("given");
    expect({ status, types: typesIn(stdout) }).toEqual({ status: 0, types: ["task one"] });
    expect(stderr).toBe(
      "task other (plan 2): no pod: no fact says what it runs in: give the pipeline with --sources\n",
    );
    const { stdout: known } = await pods("given", "--sources", "given.yml");
    expect(imagesIn(known)[1]).toBe("docker.io/library/golang:1.22");
  });

  test("pull from where the nodes pull, the table's images too, and no login goes to another registry", async () => {
    const mirror = `${images.registry.host}=mirror.example.com/hub`;
    const settings = ["--node-registry", mirror, "--base-type-prefix", `${images.registry.host}/base`];
    const { stdout } = await pods("ci", ...withSources("ci"), ...settings, "--base-type", "time=ghcr.io/acme/time:v2");
    const moved = (reference: string) => pulled(reference).replace(images.registry.host, "mirror.example.com/hub");
    expect(imagesIn(stdout).slice(0, 6)).toEqual([
      moved("acme/github-pr-resource:v0.23.0"),
      "ghcr.io/acme/time:v2",
      "mirror.example.com/hub/base/concourse/registry-image-resource:latest",
      moved("acme/golang:1.22"),
      moved("acme/golang:1.22"),
      moved("acme/private-tools:2.3"),
    ]);
    expect(secretsIn(stdout)).toEqual([]);
    expect(stdout).toMatch(
      /# no pull secret fits mirror\.example\.com\/hub\/.*, so a kubelet pulls it anonymously: .* has 127\.0/,
    );
  });

  test("as JSON are one a line, and what people must know stands on standard error", async () => {
    const { stdout, stderr, json } = await pods("private", "--json");
    expect(json().map(({ kind }) => kind)).toEqual(["Pod", "Pod", "Pod"]);
    expect(stdout).not.toContain("#");
    expect(stderr).toContain("kubectl create secret docker-registry");
  });

  test("hold params that are secrets in a Secret of their own", async () => {
    const pipeline = readFileSync(example("private"), "utf8").replace(
      "          run:\n            path: smoke-test",
      "          params:\n            API_KEY: ((password))\n            ANSWER: 'yes'\n          run:\n            path: smoke-test",
    );
    writeFileSync(place.path("params.yml"), pipeline);
    const { stdout } = await pods("private", "--sources", "params.yml", ...images.vars);
    const [pod] = podsIn(stdout);
    expect(pod?.spec.containers[0]?.env?.map(({ name, value }) => [name, value])).toEqual([
      ["API_KEY", undefined],
      ["ANSWER", "yes"],
    ]);
    const values = secretsIn(stdout).flatMap(({ data = {} }) => Object.values(data));
    expect(values.map((value) => Buffer.from(value, "base64").toString())).toContain(login.password);
    expect(JSON.stringify(pod)).not.toContain(login.password);
  });

  test.each([
    [["nobody"], 2, "FI_BUILD_UNKNOWN"],
    [["private", "--sources", example("ci")], 2, "FI_JOB_UNKNOWN"],
    [["private", "--node-registry", "mirror"], 2, "FI_SETTING_INVALID"],
  ])("of %j are refused with status %i and %s", async (args, expected, code) => {
    const { status, stdout, stderr } = await pods(...args, ...(args.length > 1 ? images.vars : []));
    expect({ status, stdout }).toEqual({ status: expected, stdout: "" });
    expect(stderr).toContain(code);
  });

  test("of another pipeline are refused, naming the step that differs", async () => {
    writeFileSync(
      place.path("other.yml"),
      readFileSync(example("private"), "utf8").replace("task: unit", "task: other"),
    );
    const { status, stderr } = await pods("private", "--sources", "other.yml", ...images.vars);
    expect(status).toBe(2);
    expect(stderr).toMatch(/plan \d+ is task "other", and was task "unit" in build private/);
  });

  test("are not made where an image was not fetched, which the exit status says", async () => {
    const text = readFileSync(example("private"), "utf8").replaceAll("private-tools", "nothing-there");
    writeFileSync(place.path("gone.yml"), text);
    await run("gone.yml", "gone");
    const { status, stdout, stderr } = await pods("gone");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("task unit (plan 1): no pod: its image was not fetched: ");
  });
});
