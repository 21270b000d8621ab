import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { KubeChange, KubeObject, KubeObjects } from "./objects.ts";

/** What happens to a pod: nothing said, its image is there and its process runs. */
export interface PodFate {
  /** What the container runtime says that it runs. */
  readonly imageID?: string;
  /** The image cannot be had: a waiting reason, and the words with it. */
  readonly unpullable?: { readonly reason: string; readonly message: string; readonly event?: string };
  /** No node takes it, in the scheduler's words. */
  readonly unschedulable?: string;
  /** The container never runs, as runtimes say it. */
  readonly unstartable?: { readonly reason: string; readonly message: string };
  /** Where `/opt/resource` is on this machine. */
  readonly resource?: string;
}

interface Volume {
  readonly name: string;
  readonly emptyDir?: object;
  readonly persistentVolumeClaim?: { readonly claimName: string };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly workingDir?: string;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
}

interface Running {
  readonly process: ChildProcess;
  readonly execs: Set<ChildProcess>;
  readonly inside: (text: string) => string;
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
}

/** Runs pods' processes on this machine, their mounts as directories of a scratch directory. */
export class Kubelet {
  readonly #objects: KubeObjects;
  readonly #directory: string;
  readonly #running = new Map<string, Running>();
  /** What becomes of each pod. */
  fateOf: (pod: KubeObject) => PodFate = () => ({});
  /** Pods whose process was started, by name: one name twice is a step that ran twice. */
  readonly started: string[] = [];

  constructor(objects: KubeObjects, directory: string) {
    this.#objects = objects;
    this.#directory = directory;
    objects.onChange((change) => {
      this.#onChange(change);
    });
  }

  /** Where a claim's directory is on this machine. */
  claim(name: string, subPath: string): string {
    return join(this.#directory, "claims", name, subPath);
  }

  running(pod: KubeObject): boolean {
    return this.#running.has(pod.metadata.uid);
  }

  /** A command in the pod's container; undefined where none runs. */
  exec(pod: KubeObject, command: readonly string[]): ChildProcess | undefined {
    const running = this.#running.get(pod.metadata.uid);
    if (running === undefined) return undefined;
    const { inside, environment, directory, execs } = running;
    const [program = "", ...args] = command.map(inside);
    const child = spawn(program, args, { env: environment, cwd: directory, detached: true });
    execs.add(child);
    child.on("close", () => execs.delete(child));
    return child;
  }

  /** The cluster takes the pod away: it stays as a failed one, as an evicted pod does. */
  evict(pod: KubeObject, message: string): void {
    this.#fail(pod, "Evicted", message);
  }

  /** The pod's `activeDeadlineSeconds` have passed: its containers are ended, and it stays as a failed one. */
  endAtDeadline(pod: KubeObject): void {
    this.#fail(pod, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
  }

  stop(): void {
    for (const uid of this.#running.keys()) this.#killUid(uid);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #fail(pod: KubeObject, reason: string, message: string): void {
    this.#kill(pod);
    this.#report(pod, (status) => Object.assign(status, { phase: "Failed", reason, message }));
  }

  #onChange({ resource, type, object }: KubeChange): void {
    if (resource !== "pods") return;
    if (type === "ADDED") setImmediate(() => this.#take(object));
    if (type === "MODIFIED" && object.metadata.deletionTimestamp !== undefined) this.#terminate(object);
    if (type === "DELETED") {
      this.#kill(object);
      this.#collectOrphans(object.metadata.uid);
    }
  }

  #take(pod: KubeObject): void {
    const fate = this.fateOf(pod);
    const { spec } = pod as unknown as { spec: { containers: Container[]; volumes?: Volume[] } };
    const [container] = spec.containers;
    if (container === undefined) return;
    const { name, image } = container;
    const waiting = (reason: string, message = ""): object => ({
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "True" }],
      containerStatuses: [
        { name, image, imageID: "", ready: false, restartCount: 0, state: { waiting: { reason, message } } },
      ],
    });
    if (fate.unschedulable !== undefined) {
      const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message: fate.unschedulable };
      this.#report(pod, (status) => Object.assign(status, { phase: "Pending", conditions: [condition] }));
      return;
    }
    this.#report(pod, (status) => Object.assign(status, waiting("ContainerCreating")));
    if (fate.unpullable !== undefined) {
      const { reason, message, event } = fate.unpullable;
      if (event !== undefined) this.#event(pod, event);
      this.#report(pod, (status) => Object.assign(status, waiting(reason, message)));
      return;
    }
    if (fate.unstartable !== undefined) {
      const terminated = { exitCode: 128, ...fate.unstartable };
      const containerStatuses = [{ name, image, imageID: "", state: { terminated } }];
      this.#report(pod, (status) => Object.assign(status, { phase: "Failed", containerStatuses }));
      return;
    }
    this.#start(pod, { container, volumes: spec.volumes ?? [] }, fate);
  }

  #start(
    pod: KubeObject,
    { container, volumes }: { container: Container; volumes: readonly Volume[] },
    { imageID = `${container.image.replace(/@.*/, "")}@sha256:${"0".repeat(64)}`, resource = "/opt/resource" }: PodFate,
  ): void {
    const { name, image } = container;
    const places = new Map([["/opt/resource", resource]]);
    for (const { name: volume, mountPath, subPath = "" } of container.volumeMounts ?? []) {
      const claim = volumes.find((one) => one.name === volume)?.persistentVolumeClaim;
      const place =
        claim === undefined
          ? join(this.#directory, "pods", pod.metadata.uid, volume)
          : this.claim(claim.claimName, subPath);
      mkdirSync(place, { recursive: true });
      // One mount may lie in another.
      const around = [...places].find(([outer]) => mountPath.startsWith(`${outer}/`));
      if (around !== undefined) symlinkSync(place, join(around[1], mountPath.slice(around[0].length)));
      places.set(mountPath, place);
    }
    // In one pass, the longest first: a place's own path may look like a mount.
    const mounts = [...places.keys()].sort((a, b) => b.length - a.length).join("|");
    const inside = (text: string): string =>
      text.replaceAll(new RegExp(mounts, "g"), (mount) => places.get(mount) ?? mount);
    const environment = {
      PATH: process.env["PATH"],
      ...Object.fromEntries((container.env ?? []).map((variable) => [variable.name, inside(variable.value ?? "")])),
    };
    const directory = inside(container.workingDir ?? "/");
    const [program = "", ...args] = [...(container.command ?? []), ...(container.args ?? [])].map(inside);
    this.started.push(pod.metadata.name);
    const child = spawn(program, args, { env: environment, cwd: directory, detached: true, stdio: "ignore" });
    this.#running.set(pod.metadata.uid, { process: child, execs: new Set(), inside, environment, directory });
    child.on("exit", (code, signal) => {
      // What runs beside a container's process goes with it.
      if (this.#running.has(pod.metadata.uid)) this.#kill(pod);
      else return;
      const exitCode = code ?? (signal === "SIGTERM" ? 143 : 137);
      const terminated = { exitCode, reason: exitCode === 0 ? "Completed" : "Error" };
      const containerStatuses = [{ name, image, imageID, state: { terminated } }];
      const phase = exitCode === 0 ? "Succeeded" : "Failed";
      this.#report(pod, (status) => Object.assign(status, { phase, containerStatuses }));
    });
    const started = { name, image, imageID, ready: true, restartCount: 0, state: { running: {} } };
    this.#report(pod, (status) => Object.assign(status, { phase: "Running", containerStatuses: [started] }));
  }

  /** As a pod that is being deleted goes: its process is told, and killed when its time is over. */
  #terminate(pod: KubeObject): void {
    const running = this.#running.get(pod.metadata.uid);
    const remove = (): void => this.#objects.delete("pods", pod);
    if (running === undefined) {
      setImmediate(remove);
      return;
    }
    const timer = setTimeout(() => this.#kill(pod), (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000);
    running.process.once("exit", () => {
      clearTimeout(timer);
      remove();
    });
    running.process.kill("SIGTERM");
  }

  #kill(pod: KubeObject): void {
    this.#killUid(pod.metadata.uid);
  }

  #killUid(uid: string): void {
    const running = this.#running.get(uid);
    if (running === undefined) return;
    this.#running.delete(uid);
    for (const { pid } of [running.process, ...running.execs]) {
      try {
        // With all that it started: each has a process group of its own.
        if (pid !== undefined) process.kill(-pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }

  /** What the garbage collector does with Secrets whose every owner is gone. */
  #collectOrphans(uid: string): void {
    for (const secret of this.#objects.list("secrets")) {
      const owners = secret.metadata.ownerReferences ?? [];
      if (!owners.some((owner) => owner.uid === uid)) continue;
      const left = owners.filter((owner) => this.#objects.list("pods").some((pod) => pod.metadata.uid === owner.uid));
      if (left.length === 0) this.#objects.delete("secrets", secret);
      else this.#objects.update("secrets", secret, (copy) => (copy.metadata.ownerReferences = left));
    }
  }

  #report(pod: KubeObject, change: (status: Record<string, unknown>) => void): void {
    const { namespace, name, uid } = pod.metadata;
    const found = this.#objects.get("pods", namespace, name);
    if (found?.metadata.uid !== uid) return;
    this.#objects.update("pods", found, (copy) => {
      copy["status"] = { ...(copy["status"] as object | undefined) };
      change(copy["status"] as Record<string, unknown>);
    });
  }

  #event(pod: KubeObject, message: string): void {
    const { namespace, name, uid } = pod.metadata;
    this.#objects.create("events", namespace, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${name}.${this.#objects.version}` } as KubeObject["metadata"],
      involvedObject: { kind: "Pod", namespace, name, uid },
      reason: "Failed",
      type: "Warning",
      message,
    });
  }
}
