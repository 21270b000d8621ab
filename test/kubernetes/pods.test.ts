import type { ImageSpec, Plan, TaskConfig } from "@fetch-image/core";
import { buildPod, type BuildPodOptions, labelValue, podName, type PodSettings } from "@fetch-image/kubernetes";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seedFromEnv } from "../properties/seed.ts";
import { anyIdentity, anyPlan } from "./any-step.ts";
import { manifestProblems } from "./manifest-problems.ts";
import { brokenRules } from "./pod-security-standard.ts";

const digest = `sha256:${"d".repeat(64)}`;
const image: ImageSpec = { imageURL: `docker:///registry.example.com/my-resource:v1.2@${digest}`, privileged: false };
const build = { team: "main", pipeline: "ci", job: "unit", buildId: "4711", buildName: "42" };
const git = { name: "repo", type: "git", source: { uri: "https://example.com/repo", private_key: "hunter2" } };
const steps: { readonly [kind: string]: Plan } = {
  get: { id: "1", get: git },
  put: { id: "2", put: git },
  check: { id: "3", check: git },
};

function podOf(plan: Plan | TaskConfig, more: Partial<BuildPodOptions> = {}) {
  const made = buildPod({ build, plan: "platform" in plan ? taskOf(plan) : plan, image, ...more });
  expect([made.pod, ...made.secrets].flatMap(manifestProblems)).toEqual([]);
  const [container] = made.pod.spec.containers;
  if (container === undefined) throw new Error("no container");
  return { ...made, container };
}

function taskOf(config: TaskConfig, task: Partial<NonNullable<Plan["task"]>> = {}): Plan {
  return { id: "9", task: { name: "unit", privileged: false, hermetic: false, config, ...task } };
}

const make = { platform: "linux", run: { path: "make", args: ["test"] } };

describe("a step's pod", () => {
  test("runs the digest that was resolved, which no node needs to ask for twice", () => {
    const { container } = podOf({ id: "1", get: git });
    expect(container).toMatchObject({
      image: `registry.example.com/my-resource:v1.2@${digest}`,
      imagePullPolicy: "IfNotPresent",
    });
  });

  test("asks for a tag each time that nobody knew the digest of", () => {
    const { container } = podOf({ id: "1", get: git }, { image: { ...image, imageURL: "docker:///ghcr.io/a/b:v1" } });
    expect(container).toMatchObject({ image: "ghcr.io/a/b:v1", imagePullPolicy: "Always" });
  });

  test("runs a base type's image out of the table, the prefix before it; an override as it is", () => {
    const spec = { resourceType: "git", privileged: false };
    const settings = { baseTypePrefix: "registry.example.com/mirror" };
    const imageOf = (more: object) => podOf({ id: "1", get: git }, { image: spec, settings: more }).container.image;
    expect(imageOf({})).toBe("docker.io/concourse/git-resource:latest");
    expect(imageOf(settings)).toBe("registry.example.com/mirror/concourse/git-resource:latest");
    expect(imageOf({ ...settings, baseTypes: { git: "ghcr.io/acme/git:v2" } })).toBe("ghcr.io/acme/git:v2");
  });

  test("speaks the resource protocol over standard streams, so that no source stands in it", () => {
    const commandOf = (kind: string) => podOf(steps[kind] ?? make).container;
    expect(commandOf("get")).toMatchObject({ command: ["/opt/resource/in", "/tmp/build/get"], stdin: true });
    expect(commandOf("put")).toMatchObject({ command: ["/opt/resource/out", "/tmp/build/put"], stdinOnce: true });
    expect(commandOf("check")).toMatchObject({ command: ["/opt/resource/check"], stdin: true });
    for (const plan of Object.values(steps)) expect(JSON.stringify(podOf(plan))).not.toContain("hunter2");
  });

  test("tells a get and a put, and nobody else, what build they are of", () => {
    const settings = { externalUrl: "https://ci.example.com" };
    const envOf = (plan: Plan) => podOf(plan, { settings }).container.env ?? [];
    expect(envOf({ id: "1", get: git }).map(({ name, value }) => `${name}=${value}`)).toEqual([
      "BUILD_ID=4711",
      "BUILD_NAME=42",
      "BUILD_JOB_NAME=unit",
      "BUILD_PIPELINE_NAME=ci",
      "BUILD_TEAM_NAME=main",
      "ATC_EXTERNAL_URL=https://ci.example.com",
    ]);
    expect(envOf({ id: "3", check: git })).toEqual([]);
  });

  test("has no token of the cluster's, is never restarted, and ends at its step's timeout", () => {
    expect(podOf({ id: "1", get: { ...git, timeout: "1h30m0.5s" } }).pod.spec).toMatchObject({
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      activeDeadlineSeconds: 5401,
    });
    expect(podOf({ id: "1", get: git }, { settings: { deadlineSeconds: 60 } }).pod.spec.activeDeadlineSeconds).toBe(60);
    expect(podOf({ id: "1", get: git }).pod.spec).not.toHaveProperty("activeDeadlineSeconds");
  });

  test("goes where the deployment sends it, with its pull secrets in their order, each once", () => {
    const settings: PodSettings = {
      namespace: "ci",
      serviceAccountName: "builds",
      nodeSelector: { disk: "ssd" },
      tolerations: [{ key: "ci", operator: "Exists" }],
    };
    const { pod } = podOf({ id: "1", get: git }, { settings, imagePullSecrets: ["b", "a", "b"] });
    expect(pod).toMatchObject({
      metadata: { namespace: "ci" },
      spec: {
        serviceAccountName: "builds",
        nodeSelector: { disk: "ssd" },
        tolerations: [{ key: "ci", operator: "Exists" }],
        imagePullSecrets: [{ name: "b" }, { name: "a" }],
      },
    });
  });

  test("is named and labelled for its step, or for the key that outlives a crash", () => {
    const { pod } = podOf({ id: "1", get: git });
    expect(pod.metadata.name).toBe(podName({ ...build, type: "get", key: "1" }));
    expect(podOf({ id: "1", get: git }, { key: "k" }).pod.metadata.name).toBe(
      podName({ ...build, type: "get", key: "k" }),
    );
    expect(pod.metadata.labels).toMatchObject({ "concourse.ci/step": labelValue("repo"), "concourse.ci/type": "get" });
  });
});

describe("a task's pod", () => {
  test("runs what its config says, in its own directory, inputs and outputs below it", () => {
    const config: TaskConfig = {
      platform: "linux",
      run: { path: "make", args: ["test", "$(HOME) costs $$5"], dir: "src/app" },
      inputs: [{ name: "src" }, { name: "tools", path: "lib/tools" }],
      outputs: [{ name: "built" }, { name: "changed", path: "src" }],
      caches: [{ path: "cache" }],
    };
    const seen: string[] = [];
    const volumeOf = ({ kind, name }: { kind: string; name: string }) => {
      seen.push(`${kind} ${name}`);
      return name === "repo" ? { persistentVolumeClaim: { claimName: "repo-of-build-42" } } : undefined;
    };
    const plan = taskOf(config, { input_mapping: { src: "repo" }, output_mapping: { built: "app" } });
    const { pod, container } = podOf(plan, { volumeOf });
    const root = container.volumeMounts?.[0]?.mountPath ?? "";
    expect(root).toMatch(/^\/tmp\/build\/[0-9a-f]{8}$/);
    expect(container).toMatchObject({
      command: ["make"],
      // The kubelet would put a variable in, and take one dollar away.
      args: ["test", "$$(HOME) costs $$$$5"],
      workingDir: `${root}/src/app`,
    });
    expect(seen).toEqual(["input repo", "input tools", "output app", "output changed", "cache cache"]);
    const below = container.volumeMounts?.map(({ mountPath }) => mountPath.slice(root.length));
    expect(below).toEqual(["", "/src", "/lib/tools", "/built", "/cache"]);
    expect(pod.spec.volumes?.[1]).toMatchObject({ persistentVolumeClaim: { claimName: "repo-of-build-42" } });
  });

  test("refers to values that are secrets, and never says them", () => {
    const config = {
      ...make,
      params: { GOFLAGS: "-v", API_TOKEN: "", DB_PASSWORD: "hunter2", URL: "https://me:s3cret@example.com" },
    };
    const { pod, secrets, container } = podOf(taskOf(config, { params: { LATER: "s3cret!", COUNT: 3 } }), {
      secrets: ["s3cret"],
    });
    const name = `${pod.metadata.name}-env`;
    const referred = (key: string) => ({ name: key, valueFrom: { secretKeyRef: { name, key } } });
    expect(container.env).toEqual([
      { name: "GOFLAGS", value: "-v" },
      { name: "API_TOKEN", value: "" },
      referred("DB_PASSWORD"),
      referred("URL"),
      referred("LATER"),
      { name: "COUNT", value: "3" },
    ]);
    expect(JSON.stringify(pod)).not.toMatch(/hunter2|s3cret/);
    expect(secrets).toMatchObject([{ metadata: { name, labels: pod.metadata.labels }, type: "Opaque" }]);
    expect(Buffer.from(secrets[0]?.data?.["DB_PASSWORD"] ?? "", "base64").toString()).toBe("hunter2");
  });

  test("weighs what Concourse's shares weigh, and gets the memory that it may use", () => {
    const resourcesOf = (limits: object) => podOf(taskOf({ ...make, container_limits: limits })).container.resources;
    expect(resourcesOf({ cpu: 512, memory: 1024 })).toEqual({
      requests: { cpu: "500m", memory: "1024" },
      limits: { memory: "1024" },
    });
    expect(resourcesOf({ memory: "2gb" })).toMatchObject({ limits: { memory: String(2 * 1024 ** 3) } });
    expect(resourcesOf({ cpu: 0, memory: 0 })).toBeUndefined();
    const settings = { defaultLimits: { cpu: 1024 } };
    expect(podOf(make, { settings }).container.resources).toEqual({ requests: { cpu: "1000m" } });
    expect(podOf({ id: "1", get: git }, { settings }).container.resources).toBeUndefined();
  });

  test("is marked for a NetworkPolicy where its plan cuts the network off", () => {
    expect(podOf(taskOf(make, { hermetic: true })).pod.metadata.labels).toMatchObject({
      "concourse.ci/hermetic": "true",
    });
    expect(podOf(make).pod.metadata.labels).not.toHaveProperty(["concourse.ci/hermetic"]);
  });

  test("takes its config from outside where the plan has only a file's name", () => {
    const plan: Plan = { id: "9", task: { name: "t", privileged: false, hermetic: false, config_path: "repo/t.yml" } };
    expect(podOf(plan, { config: make }).container.command).toEqual(["make"]);
    expect(podOf(plan).container).not.toHaveProperty("command");
  });
});

describe("the restricted Pod Security Standard", () => {
  test("is kept by every pod that is not privileged, whatever its step is called and does", () => {
    fc.assert(
      fc.property(anyIdentity, anyPlan, ({ type: _type, key, ...of }, plan) => {
        const { pod, secrets } = buildPod({ build: of, plan, key, image });
        expect(brokenRules(pod)).toEqual([]);
        expect([pod, ...secrets].flatMap(manifestProblems)).toEqual([]);
      }),
      { seed: seedFromEnv(), numRuns: 300 },
    );
  });

  test("is broken by what it forbids, so that the test above can fail", () => {
    expect(brokenRules(podOf(make, { image: { ...image, privileged: true } }).pod)).toEqual([
      "privileged containers",
      "privilege escalation",
      "capabilities",
      "running as non-root",
      "seccomp",
    ]);
    const { pod } = podOf(make);
    const spec = { ...pod.spec, hostNetwork: true, volumes: [{ name: "root", hostPath: { path: "/" } }] };
    expect(brokenRules({ ...pod, spec })).toEqual(["host namespaces", "volume types"]);
    const baseline = podOf(make, { settings: { security: "baseline" } }).pod;
    expect(brokenRules(baseline)).toEqual(["privilege escalation", "capabilities", "running as non-root"]);
  });

  test("leaves a step its own user, but not root", () => {
    const asUser = (user: string, security: "restricted" | "baseline" = "restricted") =>
      podOf({ ...make, run: { path: "id", user } }, { settings: { security } }).pod.spec.securityContext?.runAsUser;
    expect(asUser("4242")).toBe(4242);
    expect(asUser("root", "baseline")).toBe(0);
    expect(podOf(make, { settings: { runAsUser: 7 } }).pod.spec.securityContext).toMatchObject({
      runAsUser: 7,
      fsGroup: 7,
    });
    expect(() => asUser("root")).toThrow(
      expect.objectContaining({ code: "FI_POD_INVALID", hint: expect.stringContaining("baseline") }),
    );
    expect(() => asUser("postgres", "baseline")).toThrow(/its user is a name/);
  });
});

test.each([
  [
    "an image that is only an artifact",
    { image: { imageArtifact: { handle: "volume-1" }, privileged: false } },
    /is an artifact/,
  ],
  ["a type that nobody knows", { image: { resourceType: "constructor", privileged: false } }, /no base resource type/],
  ["no image at all", { image: { privileged: false } }, /it has no image/],
  ["an address that is no image's", { image: { imageURL: "raw:///x", privileged: false } }, /no address of an image/],
  ["a plan of other steps", { plan: { id: "0", do: [] } }, /no get, put, check or task/],
  [
    "shares that are none",
    { plan: taskOf({ ...make, container_limits: { cpu: "lots" } }) },
    /"lots" is no number of shares/,
  ],
  ["memory that is none", { plan: taskOf({ ...make, container_limits: { memory: "9 TB" } }) }, /no amount of memory/],
  ["a path that leads out", { plan: taskOf({ ...make, inputs: [{ name: "a", path: "../../etc" }] }) }, /leads out/],
  [
    "a param that no shell could name",
    { plan: taskOf({ ...make, params: { "1 x": "" } }) },
    /no name of an environment variable/,
  ],
])("%s is refused by name, with what to do", (_what, more, says) => {
  expect(() => buildPod({ build, plan: taskOf(make), image, ...more })).toThrow(
    expect.objectContaining({ code: "FI_POD_INVALID", message: expect.stringMatching(says) }),
  );
});
