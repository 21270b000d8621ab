import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CheckPlan, GetPlan, JsonObject, StepContext, Version } from "@fetch-image/core";
import {
  createPodStepRunner,
  openCluster,
  type PodStepRunner,
  type PodStepRunnerOptions,
} from "@fetch-image/kubernetes/client";
import { parseAllDocuments } from "yaml";
import { type KubeServer, type RoleRule, startKubeServer } from "./server.ts";

/** A stub cluster, and a resource type whose scripts the tests write. */
export interface StepGround extends AsyncDisposable {
  readonly server: KubeServer;
  /** A runner as a scheduler's process has one: a new one is another process. */
  runner(options?: Partial<PodStepRunnerOptions>): PodStepRunner;
  /** Writes `/opt/resource/check`, `in` or `out`: a shell script. */
  script(name: "check" | "in" | "out", text: string): void;
  /** A file beside the scripts: `$0.go` of a script. */
  writeBeside(name: string, text: string): void;
  readBeside(name: string): string;
  removeBeside(name: string): void;
  /** A new step's context, and what was logged in it. */
  step(options?: Partial<StepContext>): { readonly context: StepContext; readonly log: () => string };
  check(
    source: JsonObject,
    options?: Partial<StepContext>,
  ): Promise<{ readonly versions: readonly Version[]; readonly log: string }>;
  /** Forgets what was asked and told; every test begins so. */
  reset(): void;
}

/** What `examples/kubernetes/role.yaml` allows: every test runs with no more. */
export function exampleRole(): readonly RoleRule[] {
  const text = readFileSync(new URL("../../../examples/kubernetes/role.yaml", import.meta.url), "utf8");
  const documents = parseAllDocuments(text).map((one): { kind: string; rules?: RoleRule[] } => one.toJSON());
  return documents.find(({ kind }) => kind === "Role")?.rules ?? [];
}

/** Short waits: nothing here is slow by itself. */
const retry = { baseMs: 5, capMs: 50, timeoutMs: 20_000 };

export async function startStepGround(): Promise<StepGround> {
  const server = await startKubeServer();
  server.role = exampleRole();
  const resource = mkdtempSync(join(tmpdir(), "kube-resource-"));
  let steps = 0;
  const ground: StepGround = {
    server,
    runner: (options = {}) =>
      createPodStepRunner({ cluster: openCluster({ kubeconfig: server.kubeconfig }), retry, ...options }),
    script(name, text) {
      mkdirSync(resource, { recursive: true });
      const file = join(resource, name);
      writeFileSync(file, `#!/bin/sh\n${text}\n`);
      chmodSync(file, 0o755);
    },
    writeBeside: (name, text) => {
      writeFileSync(join(resource, name), text);
    },
    removeBeside: (name) => {
      rmSync(join(resource, name));
    },
    readBeside: (name) => readFileSync(join(resource, name), "utf8"),
    step(options = {}) {
      const texts: string[] = [];
      const context: StepContext = {
        buildId: "7",
        signal: new AbortController().signal,
        effectKey: `7/2/image-get/${steps++}`,
        image: { imageURL: `docker:///registry.test/acme/git:v1@sha256:${"a".repeat(64)}`, privileged: false },
        output: (chunk) => {
          texts.push(chunk);
          return Promise.resolve();
        },
        ...options,
      };
      return { context, log: () => texts.join("") };
    },
    async check(source, options) {
      const { context, log } = ground.step(options);
      const versions = await ground.runner().check(checkPlan(source), context);
      return { versions, log: log() };
    },
    reset() {
      server.asked.length = 0;
      server.faults.length = 0;
      server.execs.resets.length = 0;
      server.execs.slowMs = 0;
      server.execs.protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
      server.watches.scrambled = false;
      server.kubelet.started.length = 0;
      server.kubelet.fateOf = () => ({ resource });
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(resource, { recursive: true, force: true });
    },
  };
  ground.reset();
  return ground;
}

export function checkPlan(source: JsonObject): CheckPlan {
  return { id: "2/image-check", check: { name: "my-type", type: "git", source } };
}

export function getPlan(source: JsonObject, version: Version): GetPlan {
  return { id: "2/image-get", get: { name: "my-type", type: "git", source, version } };
}
