import { Readable } from "node:stream";
import type { CloudHttp } from "./cloud-http.ts";

/** A request as the AWS libraries hand it to their `requestHandler`. */
interface AwsRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: { readonly [name: string]: string | readonly string[] | null };
  readonly headers: { readonly [name: string]: string };
  readonly body?: unknown;
}

interface AwsResponse {
  readonly response: {
    readonly statusCode: number;
    readonly headers: { readonly [name: string]: string };
    readonly body: Readable;
  };
}

/** What the AWS libraries call to reach AWS, over our own transport. */
export interface AwsHandler {
  handle(request: AwsRequest): Promise<AwsResponse>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): object;
}

export function awsHandler(http: CloudHttp): AwsHandler {
  return {
    async handle(request) {
      const { body } = request;
      const answer = await http.send({
        method: request.method,
        url: urlOf(request),
        headers: request.headers,
        ...bodyOf(body),
      });
      const { status, headers } = answer;
      return { response: { statusCode: status, headers, body: Readable.from([answer.body]) } };
    },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
  };
}

// The libraries watch for calls of a string's methods on their bytes, and warn on the console: so the bytes alone are taken.
function bodyOf(body: unknown): { readonly body?: string | Uint8Array } {
  if (typeof body === "string") return { body };
  return body instanceof Uint8Array ? { body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) } : {};
}

function urlOf({ protocol, hostname, port, path, query = {} }: AwsRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
  for (const [name, value] of Object.entries(query)) {
    for (const one of typeof value === "string" ? [value] : (value ?? [])) url.searchParams.append(name, one);
  }
  return url;
}
