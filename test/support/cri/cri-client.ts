import { fileURLToPath } from "node:url";
import { type ChannelCredentials, credentials, loadPackageDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

/** A login as a kubelet hands it to the runtime. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly server_address?: string;
  readonly identity_token?: string;
  readonly registry_token?: string;
}

/** The runtime's refusal, in its own words. */
class CriError extends Error {
  override readonly name = "CriError";
  /** gRPC's name of the status: `NOT_FOUND`. */
  readonly code: string;

  constructor(code: string, words: string) {
    super(words);
    this.code = code;
  }
}

interface ContainerStatus {
  readonly state: "CREATED" | "RUNNING" | "EXITED" | "UNKNOWN";
  readonly exit_code: number;
  readonly image_ref: string;
  readonly message: string;
}

/** The calls of the proto file beside this one, by their names. */
interface CriCalls {
  PullImage(request: { image: { image: string }; auth?: AuthConfig }): Promise<{ image_ref: string }>;
  ImageStatus(request: { image: { image: string } }): Promise<{ image: { repo_digests: readonly string[] } | null }>;
  RunPodSandbox(request: { config: object }): Promise<{ pod_sandbox_id: string }>;
  StopPodSandbox(request: { pod_sandbox_id: string }): Promise<object>;
  RemovePodSandbox(request: { pod_sandbox_id: string }): Promise<object>;
  ListPodSandbox(request: object): Promise<{ items: readonly { id: string }[] }>;
  CreateContainer(request: {
    pod_sandbox_id: string;
    config: object;
    sandbox_config: object;
  }): Promise<{ container_id: string }>;
  StartContainer(request: { container_id: string }): Promise<object>;
  ContainerStatus(request: { container_id: string }): Promise<{ status: ContainerStatus }>;
}

export interface CriClient {
  readonly calls: CriCalls;
  close(): void;
}

/** Speaks CRI with the runtime behind a unix socket, as the kubelet of a node does. Calls reject with {@link CriError}. */
export function connectToRuntime(socket: string): CriClient {
  const file = fileURLToPath(new URL("runtime.proto", import.meta.url));
  const definition = loadSync(file, { keepCase: true, longs: Number, enums: String, defaults: true });
  const loaded = loadPackageDefinition(definition) as unknown as { runtime: { v1: Record<string, Service> } };
  const clients = ["ImageService", "RuntimeService"].map((name) => {
    const { [name]: Client } = loaded.runtime.v1;
    if (Client === undefined) throw new Error(`the proto file has no ${name}`);
    return new Client(`unix://${socket}`, credentials.createInsecure());
  });
  const calls = new Proxy({} as CriCalls, {
    get: (_, method) => (request: object) => call(clients, String(method), request),
  });
  return { calls, close: () => clients.forEach((client) => client.close()) };
}

type Service = new (address: string, credentials: ChannelCredentials) => Client;
interface Client {
  close(): void;
  readonly [method: string]: unknown;
}
type Method = (
  request: object,
  options: { deadline: number },
  done: (error: Failure | null, answer: object) => void,
) => void;
interface Failure {
  readonly code: number;
  readonly details: string;
}

// For what hangs.
const longestCallMs = 60_000;

function call(clients: readonly Client[], name: string, request: object): Promise<object> {
  const client = clients.find((one) => typeof one[name] === "function");
  if (client === undefined) throw new Error(`CRI has no ${name}`);
  return new Promise((resolve, reject) => {
    const method = client[name] as Method;
    method.call(client, request, { deadline: Date.now() + longestCallMs }, (error, answer) => {
      if (error === null) resolve(answer);
      else reject(new CriError(status[error.code] ?? String(error.code), error.details));
    });
  });
}
