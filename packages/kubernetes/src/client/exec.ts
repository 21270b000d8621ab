import { type CancelSignal, type Clock, FetchImageError } from "@fetch-image/core";
import { WebSocket } from "ws";
import { type KubeApi, KubeAnswer } from "./kube-api.ts";

export interface ExecRequest {
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly stdin?: Buffer;
  /** Default: left unread. */
  readonly onStdout?: (bytes: Buffer) => void;
  readonly onStderr?: (bytes: Buffer) => void;
}

/** How a command in a container ended. */
export type ExecEnd =
  | { readonly kind: "exited"; readonly status: number }
  /** The connection ended before the command's status came: nobody knows what became of it. */
  | { readonly kind: "lost"; readonly why: string };

export interface ExecOptions {
  readonly signal: CancelSignal;
  readonly clock: Clock;
}

/**
 * Runs a command in a running container, by the API server's WebSocket protocol (`v5.channel.k8s.io`, else `v4`): each
 * message's first byte is its channel. Rejects as `KubeApi.ask` does where the server refuses, and with `FI_ABORTED`.
 */
export async function execInPod(kube: KubeApi, request: ExecRequest, options: ExecOptions): Promise<ExecEnd> {
  const what = `run a command in pod ${request.pod}`;
  const socket = await kube.retried(what, () => open(kube, request, options), options);
  const { onStdout, onStderr, stdin } = request;
  return new Promise((resolve) => {
    const { clock, signal } = options;
    let end: ExecEnd = { kind: "lost", why: "the connection was closed" };
    let heard = true;
    let cancel = clock.after(beatMs, beat);
    function beat(): void {
      // A node that is gone closes nothing.
      if (!heard) {
        end = { kind: "lost", why: `nothing was heard for ${beatMs / 1000} seconds` };
        socket.terminate();
        return;
      }
      heard = false;
      socket.ping();
      cancel = clock.after(beatMs, beat);
    }
    const drop = (): void => {
      socket.terminate();
    };
    socket.on("pong", () => {
      heard = true;
    });
    socket.on("message", (data) => {
      heard = true;
      const bytes = bytesOf(data);
      switch (bytes[0]) {
        case channel.stdout:
          onStdout?.(bytes.subarray(1));
          break;
        case channel.stderr:
          onStderr?.(bytes.subarray(1));
          break;
        case channel.status:
          // A server may say by an empty message that the connection stands.
          if (bytes.length === 1) break;
          end = endOf(bytes.subarray(1));
          socket.close();
          break;
        default:
          // A channel that the server has closed, or one of a newer protocol.
          break;
      }
    });
    socket.on("error", (error) => {
      if (end.kind === "lost") end = { kind: "lost", why: error.message };
    });
    socket.on("close", () => {
      cancel();
      signal.removeEventListener("abort", drop);
      resolve(end);
    });
    signal.addEventListener("abort", drop);
    if (signal.aborted) drop();
    if (stdin !== undefined) sendStdin(socket, stdin);
    socket.resume();
  });
}

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 } as const;
const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/** How long a connection may be silent before it is asked, and then before it is given up. */
const beatMs = 20_000;
const stdinChunk = 32 * 1024;

/** The connection stands and is paused: nothing that comes on it is lost before somebody listens. */
async function open(kube: KubeApi, request: ExecRequest, { signal }: ExecOptions): Promise<WebSocket> {
  const { kubeConfig, namespace } = kube.cluster;
  const { pod, container, command, stdin, onStdout, onStderr } = request;
  const url = new URL(
    `${kubeConfig.getCurrentCluster()?.server.replace(/\/$/, "") ?? ""}/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec`,
  );
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("container", container);
  for (const word of command) url.searchParams.append("command", word);
  for (const [name, wanted] of Object.entries({ stdin, stdout: onStdout, stderr: onStderr })) {
    url.searchParams.set(name, String(wanted !== undefined));
  }
  const options = { handshakeTimeout: 30_000, maxPayload: 32 * 1024 * 1024 };
  await kubeConfig.applyToHTTPSOptions(options);
  if (signal.aborted) throw new FetchImageError("FI_ABORTED", { message: "the step was called off" });
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, options);
    const giveUp = (): void => {
      socket.terminate();
    };
    signal.addEventListener("abort", giveUp);
    const settle = (): void => {
      signal.removeEventListener("abort", giveUp);
    };
    socket.once("open", () => {
      settle();
      socket.removeAllListeners();
      socket.pause();
      // One that comes before anybody listens must not end the process; the close that follows it tells.
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("unexpected-response", (asked, response) => {
      settle();
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode = 500, headers } = response;
        const after = headers["retry-after"];
        reject(
          new KubeAnswer(
            statusCode,
            Buffer.concat(chunks).toString(),
            after === undefined ? {} : { "retry-after": after },
          ),
        );
        asked.destroy();
      });
    });
    socket.once("error", (error) => {
      settle();
      reject(error);
    });
  });
}

function sendStdin(socket: WebSocket, stdin: Buffer): void {
  for (let from = 0; from < stdin.length; from += stdinChunk) {
    socket.send(Buffer.concat([Buffer.from([channel.stdin]), stdin.subarray(from, from + stdinChunk)]));
  }
  // Only from v5 on can the end of standard input be told; who reads it counts its bytes.
  if (socket.protocol === protocols[0]) socket.send(Buffer.from([channel.close, channel.stdin]));
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** Of the `Status` object that ends a command: `Success`, or a failure whose cause `ExitCode` says the status. */
function endOf(bytes: Buffer): ExecEnd {
  try {
    const status = JSON.parse(bytes.toString()) as {
      readonly status?: string;
      readonly reason?: string;
      readonly message?: string;
      readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
    };
    if (status.status === "Success") return { kind: "exited", status: 0 };
    const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
    if (status.reason === "NonZeroExitCode" && code !== undefined) return { kind: "exited", status: Number(code) };
    return { kind: "lost", why: status.message ?? "the command did not start" };
  } catch {
    return { kind: "lost", why: "the status of the command is not readable" };
  }
}
