// The examples' pipelines, from their text to the output of containers: planned, resolved and made pods of by us, pulled
// and run by containerd as a kubelet would have it do that.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { parseReference } from "@fetch-image/core";
import { matchingCredentials, pullSecretWarning } from "@fetch-image/kubernetes";
import { readArtifact } from "@fetch-image/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Containerd, containerdMissing } from "../support/cri/containerd.ts";
import { imageThatPrints, resourceImage } from "../support/cri/images.ts";
import { loginsFor, pullAsKubelet } from "../support/cri/kubelet.ts";
import { startNode } from "../support/cri/node.ts";
import { schedule, type StepPod } from "../support/cri/scheduler.ts";
import { programThatPrints } from "../support/cri/static-program.ts";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { type RecordingProxy, startRecordingProxy } from "../support/recording-proxy.ts";
import { scratch } from "../support/scratch.ts";
import { kubectlMissing, kubectlSays } from "../support/kubectl.ts";

const missing = containerdMissing() ?? dockerRegistryMissing("htpasswd");
const noKubectl = kubectlMissing();
/** Of all pods. */
const references = new Set<string>();

describe.skipIf(missing !== undefined)(
  `on a node with containerd${missing === undefined ? "" : ` (${missing})`}`,
  () => {
    let node: Containerd;
    let hub: DockerRegistry;
    let asked: RecordingProxy;
    beforeAll(async () => {
      node = await startNode();
      hub = await startDockerRegistry();
      asked = await startRecordingProxy(hub.host);
      await hub.push("acme/github-pr-resource:v0.23.0", resourceImage("pull-request\n"));
      await hub.push("acme/golang:1.22", imageThatPrints("go\n", ["/bin/go"]));
      await hub.push("acme/registry-image-resource:1.13", resourceImage("our own registry-image\n"));
      await hub.push("acme/slack-notification-resource:v1.7.0", resourceImage("slack\n"));
      await hub.push("acme/git-resource:v2", resourceImage("git\n"));
      await hub.push("acme/time-resource:v2", resourceImage("time\n"));
    });
    afterAll(async () => {
      await asked[Symbol.asyncDispose]();
      await hub.close();
      await node.close();
    });

    /** Pulled with what the pod's secrets give, and run as the pod says. */
    async function run({ image, pod, secrets }: StepPod): Promise<string> {
      references.add(image);
      const ours = matchingCredentials(image, secrets).map(({ username, password }) => ({ username, password }));
      expect(ours).toEqual(loginsFor(image, secrets));
      await pullAsKubelet(node, { image, secrets });
      const [container] = pod.spec.containers;
      const { command = [], args = [] } = container ?? {};
      const { exitStatus, output } = await node.run({ image, command, args });
      expect(exitStatus).toBe(0);
      return output;
    }

    test("E1, R3: check, get and put of a custom type run in its image, and nothing was downloaded to know it", async () => {
      await using job = await schedule("custom-type", { values: { registry: asked.host } });
      expect(job.pods.map(({ kind }) => kind)).toEqual(["get", "put", "get", "check"]);
      expect(asked.blobs()).toEqual([]);
      for (const step of job.pods) {
        const parsed = parseReference(step.image);
        expect(parsed.ok && parsed.reference).toMatchObject({
          domain: asked.host,
          path: "acme/github-pr-resource",
          tag: "v0.23.0",
        });
        expect(step.image).toMatch(/@sha256:[0-9a-f]{64}$/);
        expect(await run(step)).toBe("pull-request\n");
      }
      expect(asked.blobs().length).toBeGreaterThan(0);
      const types = (await job.eventLog.read("build-1")).map(({ type }) => type);
      expect(types).toContain("ImageShortCircuited");
      expect(types).not.toContain("ArtifactFetched");
    });

    test("E2: a task with an image_resource resolves, and runs what it is told to", async () => {
      await using job = await schedule("task-image", { values: { registry: hub.host } });
      const [task] = job.pods;
      expect(task?.pod.spec.containers[0]?.command).toEqual(["go"]);
      expect(await Promise.all(job.pods.map(run))).toEqual(["go\n"]);
    });

    test("E3, R6: base types run the table's images, and FetchImage is never asked for them", async () => {
      const baseTypes = { git: `${hub.host}/acme/git-resource:v2`, time: `${hub.host}/acme/time-resource:v2` };
      await using job = await schedule("base-types", { baseTypes });
      const outputs = new Map<string, string>();
      for (const step of job.pods) outputs.set(`${step.kind} ${step.step}`, await run(step));
      expect(Object.fromEntries(outputs)).toEqual({
        "get repo": "git\n",
        "get every-morning": "time\n",
        "check repo": "git\n",
        "check every-morning": "time\n",
      });
      expect(job.build.fetches()).toEqual([]);
      expect(await job.eventLog.read("build-1")).toEqual([]);
    });

    test("E4: a type whose own type is custom runs in its own image, the inner one resolved before it", async () => {
      await using job = await schedule("nested-types", { values: { registry: hub.host } });
      const put = job.pods.find(({ kind }) => kind === "put");
      expect(put && (await run(put))).toBe("slack\n");
      const fetched = job.build.fetches().map(({ reference }) => reference?.replace(/^.*\/acme\/|[:@].*$/g, ""));
      expect([...new Set(fetched)]).toEqual(["registry-image-resource", "slack-notification-resource"]);
    });

    test.each(["htpasswd", "token"] as const)(
      "E4, R5: a private image is pulled with the secret that we made of its source (%s)",
      async (auth) => {
        await using vault = await startDockerRegistry({ auth });
        const text = `private, ${auth}\n`;
        await vault.push(
          "acme/private-tools:2.3",
          imageThatPrints(text, ["/opt/resource/out", "/opt/resource/check", "/opt/resource/in", "/bin/smoke-test"]),
        );
        const values = { registry: vault.host, username: "alice", password: "s3cret" };
        await using job = await schedule("private", {
          values,
          allowedRealms: vault.tokens ? [vault.tokens.origin] : [],
        });
        const [first] = job.pods;
        await expect(node.pull(first?.image ?? "")).rejects.toThrow(/401|denied|authoriz/i);
        for (const step of job.pods) {
          expect(pullSecretWarning(step.image, step.secrets)).toBeUndefined();
          expect(JSON.stringify(step.pod)).not.toContain("s3cret");
          expect(await run(step)).toBe(text);
        }
        expect(JSON.stringify((await job.eventLog.read("build-1")).map(({ data }) => data))).not.toContain("s3cret");
      },
    );

    test("R4: a task whose image an earlier get has fetched runs by the digest that was fetched; the bytes are there, too", async () => {
      await using job = await schedule("explicit-image", { values: { registry: asked.host } });
      const task = job.pods.find(({ kind }) => kind === "task");
      expect(task && (await run(task))).toBe("go\n");
      const types = (await job.eventLog.read("build-1")).map(({ type }) => type);
      expect(types).toEqual(expect.arrayContaining(["ArtifactFetched", "ArtifactImageResolved"]));
      expect(job.build.fetches()).toEqual([expect.objectContaining({ state: "fetched", reference: task?.image })]);
    });

    test("R4: what a step has built is pushed, and runs by the digest that the push gave", async () => {
      using files = scratch("built");
      mkdirSync(files.path("rootfs", "bin"), { recursive: true });
      writeFileSync(files.path("rootfs", "bin", "tool"), programThatPrints("built by a step\n"));
      chmodSync(files.path("rootfs", "bin", "tool"), 0o755);
      writeFileSync(files.path("metadata.json"), `{"env":["PATH=/bin"],"user":""}`);
      await using job = await schedule("base-types", { pushTo: `${hub.host}/builds` });
      const from = { handle: files.directory };
      const { imageURL = "" } = await job.build.resolveArtifactImage({
        planId: "9",
        artifact: "image",
        from,
        privileged: false,
      });
      const image = imageURL.replace("docker:///", "");
      references.add(image);
      expect(
        image.endsWith(`@${(await readArtifact(files.directory, { signal: new AbortController().signal })).digest}`),
      ).toBe(true);
      await node.pull(image);
      expect((await node.run({ image, command: ["tool"] })).output).toBe("built by a step\n");
    });
  },
);

describe.skipIf(noKubectl !== undefined)(`kubectl${noKubectl === undefined ? "" : ` (${noKubectl})`}`, () => {
  test("calls no reference that we emitted an invalid image name, and does call one that is", async () => {
    expect(await kubectlSays("registry.example.com/app:v1@sha256:1")).toContain("Invalid image name");
    const emitted = [...references, `registry.example.com/my-resource:v1.2@sha256:${"a".repeat(64)}`];
    const says = await Promise.all(emitted.map(kubectlSays));
    expect(says.filter((words) => words.includes("Invalid image name"))).toEqual([]);
    // Without a cluster it then stops at the connection.
    expect(says.every((words) => /refused|connect|server/i.test(words))).toBe(true);
  });
});
