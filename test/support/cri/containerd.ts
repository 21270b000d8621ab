// Debian's containerd with its CRI endpoint, as a node's kubelet talks to it. Everything that it writes is in one
// folder, so any number of them run beside each other and beside the machine's own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectToRuntime, type AuthConfig } from "./cri-client.ts";

/** Says why no container runtime can run here, or undefined where one can. */
export function containerdMissing(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "the tests' containers are for Linux on x86-64";
  if (process.getuid?.() !== 0) return "only root runs containers";
  if (!mayMount()) return "root may not mount here (no CAP_SYS_ADMIN)";
  for (const program of ["containerd", "runc"]) {
    if (onPath(program) === undefined) return `${program} is not installed (apt-get install containerd runc)`;
  }
  return undefined;
}

export interface ContainerdOptions {
  /** The image of the container that holds a pod's namespaces; pulled without a login. */
  readonly pauseImage: string;
}

interface RanContainer {
  readonly exitStatus: number;
  /** What it printed, without the runtime's own marks. */
  readonly output: string;
  /** What the runtime says ran; a kubelet tells it as the pod's `imageID`. */
  readonly imageRef: string;
}

interface ContainerToRun {
  readonly image: string;
  /** Over the image's entry point. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
}

export interface Containerd extends AsyncDisposable {
  /** Gives the runtime's name of the image. Rejects with `CriError`, in the runtime's words. */
  pull(image: string, auth?: AuthConfig): Promise<string>;
  /** `repository@digest` of an image that is there; none where it is not. */
  digestsOf(image: string): Promise<readonly string[]>;
  /** Runs an image that is there in a pod of its own, to its end. */
  run(container: ContainerToRun): Promise<RanContainer>;
  /** Tells how a registry is reached (`hosts.toml`), from the next pull on; `files` are written beside it. */
  configureRegistry(domain: string, hostsToml: string, files?: { readonly [name: string]: string }): string;
  /** Ends everything that runs in it, and leaves nothing behind. */
  close(): Promise<void>;
}

export async function startContainerd({ pauseImage }: ContainerdOptions): Promise<Containerd> {
  // Not deeper: a socket's path has at most 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), "fetch-image-cri-"));
  const [socket, certs, log] = [join(folder, "s"), join(folder, "certs.d"), join(folder, "log")];
  mkdirSync(certs);
  writeFileSync(join(folder, "config.toml"), configuration(folder, { socket, certs, pauseImage }));
  const logFile = openSync(log, "a");
  const child = spawn(required("containerd"), ["--config", join(folder, "config.toml")], {
    stdio: ["ignore", logFile, logFile],
  });
  closeSync(logFile);
  const leave = (): void => leaveNothing(child, folder, socket);
  process.once("exit", leave);
  await booted(child, log);
  const client = connectToRuntime(socket);
  const { calls } = client;
  let pods = 0;
  const close = async (): Promise<void> => {
    for (const { id } of (await calls.ListPodSandbox({})).items) await endPod(id);
    client.close();
    const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await exit;
    }
    process.off("exit", leave);
    leave();
  };

  async function endPod(id: string): Promise<void> {
    await calls.StopPodSandbox({ pod_sandbox_id: id });
    await calls.RemovePodSandbox({ pod_sandbox_id: id });
  }

  return {
    async pull(image, auth) {
      return (await calls.PullImage({ image: { image }, ...(auth && { auth }) })).image_ref;
    },
    async digestsOf(image) {
      return (await calls.ImageStatus({ image: { image } })).image?.repo_digests ?? [];
    },
    async run({ image, command = [], args = [], env = [] }) {
      const name = `pod-${++pods}`;
      // On the node's own network: no plugin is needed for that.
      const namespaces = { namespace_options: { network: "NODE", pid: "CONTAINER", ipc: "POD" } };
      const sandbox = {
        metadata: { name, uid: name, namespace: "default", attempt: 0 },
        log_directory: join(folder, "logs", name),
        linux: { security_context: namespaces },
      };
      mkdirSync(sandbox.log_directory, { recursive: true });
      const { pod_sandbox_id } = await calls.RunPodSandbox({ config: sandbox });
      try {
        const { container_id } = await calls.CreateContainer({
          pod_sandbox_id,
          sandbox_config: sandbox,
          config: {
            metadata: { name: "step", attempt: 0 },
            image: { image },
            command,
            args,
            envs: env.map(({ name: key, value }) => ({ key, value })),
            log_path: "step.log",
            linux: { security_context: namespaces },
          },
        });
        await calls.StartContainer({ container_id });
        for (;;) {
          const { status } = await calls.ContainerStatus({ container_id });
          if (status.state === "EXITED") {
            const output = outputIn(readFileSync(join(sandbox.log_directory, "step.log"), "utf8"));
            return { exitStatus: status.exit_code, output, imageRef: status.image_ref };
          }
          await sleep(10);
        }
      } finally {
        await endPod(pod_sandbox_id);
      }
    },
    configureRegistry(domain, hostsToml, files = {}) {
      const directory = join(certs, domain);
      mkdirSync(directory, { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
      writeFileSync(join(directory, "hosts.toml"), hostsToml);
      return directory;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function configuration(
  folder: string,
  { socket, certs, pauseImage }: { socket: string; certs: string; pauseImage: string },
): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  return [
    `version = 2`,
    `root = ${JSON.stringify(join(folder, "root"))}`,
    `state = ${JSON.stringify(join(folder, "state"))}`,
    `[grpc]`,
    `  address = ${JSON.stringify(socket)}`,
    `[ttrpc]`,
    `  address = ${JSON.stringify(`${socket}.t`)}`,
    `[plugins."io.containerd.internal.v1.opt"]`,
    `  path = ${JSON.stringify(join(folder, "opt"))}`,
    `[${cri}]`,
    `  sandbox_image = ${JSON.stringify(pauseImage)}`,
    // Without CAP_SYS_RESOURCE no process may make itself less likely to be killed for memory.
    `  restrict_oom_score_adj = true`,
    `  disable_tcp_service = true`,
    `[${cri}.containerd]`,
    // Plain copies: small images need no overlay, which not every file system carries.
    `  snapshotter = "native"`,
    `[${cri}.cni]`,
    `  bin_dir = ${JSON.stringify(join(folder, "cni-bin"))}`,
    `  conf_dir = ${JSON.stringify(join(folder, "cni"))}`,
    `[${cri}.registry]`,
    `  config_path = ${JSON.stringify(certs)}`,
    ``,
  ].join("\n");
}

/** Until it serves. */
async function booted(child: ChildProcess, log: string): Promise<void> {
  for (;;) {
    const text = readFileSync(log, "utf8");
    if (text.includes("containerd successfully booted")) return;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`containerd did not start:\n${text}`);
    await sleep(10);
  }
}

/** What a containerd that was killed leaves: its shims, their containers, and mounts. */
function leaveNothing(child: ChildProcess, folder: string, socket: string): void {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  for (const pid of [...containersIn(folder), ...shimsOf(socket)]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  for (const mount of mountsBelow(folder)) execFileSync("umount", ["--lazy", mount], { stdio: "ignore" });
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function containersIn(folder: string): readonly number[] {
  const tasks = join(folder, "state", "io.containerd.runtime.v2.task", "k8s.io");
  const names = existsSync(tasks) ? readdirSync(tasks) : [];
  const files = names.map((name) => join(tasks, name, "init.pid")).filter((file) => existsSync(file));
  return files.map((file) => Number(readFileSync(file, "utf8")));
}

function shimsOf(socket: string): readonly number[] {
  const isShim = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(socket);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isShim(name))
    .map(Number);
}

/** The innermost first. */
function mountsBelow(folder: string): readonly string[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const places = lines.map((line) => line.split(" ")[1] ?? "").filter((place) => place.startsWith(`${folder}/`));
  return places.toReversed();
}

/** Lines of CRI's log format: time, stream, whether the line ends here, text. */
function outputIn(log: string): string {
  return log
    .split("\n")
    .map((line) => /^\S+ (?:stdout|stderr) ([FP]) (.*)$/s.exec(line))
    .map((match) => (match ? `${match[2]}${match[1] === "F" ? "\n" : ""}` : ""))
    .join("");
}

function mayMount(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const systemAdministration = 21n;
  return ((BigInt(`0x${effective}`) >> systemAdministration) & 1n) === 1n;
}

function required(program: string): string {
  const path = onPath(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  return path;
}

function onPath(program: string): string | undefined {
  // Debian keeps runc where only root's PATH leads.
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
