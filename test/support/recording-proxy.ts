import { createServer, request as forward } from "node:http";

interface RecordedRequest {
  readonly method: string;
  readonly path: string;
}

export interface RecordingProxy extends AsyncDisposable {
  /** `127.0.0.1:43210` */
  readonly host: string;
  /** What was asked of the server behind it, in order; a login's `/v2/` included. */
  readonly requests: readonly RecordedRequest[];
  manifests(): readonly RecordedRequest[];
  blobs(): readonly RecordedRequest[];
  clear(): void;
  /** Breaks the connection when so many bytes of the next upload have gone through. */
  cutNextUploadAfter(bytes: number): void;
}

/** Stands before a real server and writes down what it is asked. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const requests: RecordedRequest[] = [];
  let cutAfter: number | undefined;
  const server = createServer((incoming, outgoing) => {
    requests.push({ method: incoming.method ?? "", path: incoming.url ?? "" });
    const upstream = forward(
      `http://${target}${incoming.url ?? "/"}`,
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    upstream.on("error", () => outgoing.destroy());
    if (incoming.method === "PUT" && cutAfter !== undefined) {
      let [left, socket] = [cutAfter, incoming.socket];
      cutAfter = undefined;
      incoming.on("data", (chunk: Buffer) => void ((left -= chunk.length) < 0 && socket.destroy()));
    }
    // Whoever went away has nothing more to say to the server behind it.
    incoming.on("close", () => void (incoming.complete || upstream.destroy()));
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const asked = (part: string) => requests.filter(({ path }) => path.includes(part));
  return {
    host: `127.0.0.1:${port}`,
    requests,
    manifests: () => asked("/manifests/"),
    blobs: () => asked("/blobs/"),
    cutNextUploadAfter: (bytes) => void (cutAfter = bytes),
    clear() {
      requests.length = 0;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
